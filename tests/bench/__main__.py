"""Are the adapters as fast as their frameworks allow? A table in Markdown.

    python -m tests.bench mnist-mlp mnist-deep xor-mlp --rounds 15 -o bench.md

Per experiment and framework one process, pinned to one CPU, in the environment of the harness's
own workers. In it take turns: every loop of the adapter, the same work as a plain hand-written
loop (`tests/bench/loops`), and the step's bare matrix products. A turn is about 0.15 s, so what
disturbs one turn disturbs its neighbours, and ratios are taken round by round. One CPU must be
idle: run the bench on a quiet machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from datetime import date
from pathlib import Path

from scipy.stats import binom

from harness.clock.environment import child_environment, machine_label
from harness.registry import find

EXPERIMENTS = ["mnist-mlp", "mnist-deep", "xor-mlp"]
FRAMEWORKS = ["numpy", "tensorflow", "keras", "torch", "jax"]
HEADER = """\
| experiment | framework | loop | step, µs | to plain loop | own limit | machine's limit |
|---|---|---|--:|--:|--:|--:|"""
LEGEND = """\
Step: median over the rounds. To plain loop: step time divided by that of the plain loop in the
same round, median and 95 % interval of the median (order statistics). Own limit: time of the
step's matrix products alone, in the same framework, divided by the step time of the same round,
median. Machine's limit: the same with the products of the framework that is fastest at them (by
its and the other's least time)."""

Turns = dict[str, list[float]]
"""Microseconds per step of every contestant, round by round."""


def main() -> None:
    """Measure, print the table and write it to a file."""
    arguments = _arguments()
    measured = {}
    for experiment in arguments.experiments:
        for framework in arguments.frameworks:
            print(f"{experiment}, {framework} ...", file=sys.stderr, flush=True)
            turns = _measured(experiment, framework, arguments.rounds)
            if turns:
                measured[experiment, framework] = turns
    text = _document(measured, arguments)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    if len(measured) < len(arguments.experiments) * len(arguments.frameworks):
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    title = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=title)
    parser.add_argument("experiments", nargs="*", default=EXPERIMENTS, metavar="EXPERIMENT")
    parser.add_argument("--frameworks", nargs="+", default=FRAMEWORKS, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=15, help="turns of every contestant")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.md", help="write the table here")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be a positive int. Got {arguments.rounds}")
    return arguments


def _measured(experiment: str, framework: str, rounds: int) -> Turns | None:
    """Return what the child measured, or None if it failed. Then show its last words."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.bench.child", experiment, framework, str(rounds)],
        capture_output=True,
        env=child_environment(os.environ, 1, "cpu"),
        cwd=Path(__file__).parents[2],
    )
    if child.returncode == 0:
        return json.loads(child.stdout)
    print(child.stderr.decode(errors="replace")[-2000:], file=sys.stderr)
    return None


def _document(measured: dict[tuple[str, str], Turns], arguments: argparse.Namespace) -> str:
    frameworks = dict.fromkeys(framework for _, framework in measured)
    versions = ", ".join(f"{name} {find(name).version}" for name in frameworks)
    machine = machine_label()
    about = f"{machine}; {versions}; float32, 1 thread; {arguments.rounds} rounds; {date.today()}"
    rows = [
        row
        for (experiment, framework), turns in measured.items()
        for row in _rows(experiment, framework, turns, _fastest_products(experiment, measured))
    ]
    return "\n".join([HEADER, *rows, "", about, "", LEGEND])


def _fastest_products(experiment: str, measured: dict[tuple[str, str], Turns]) -> float | None:
    """Return the microseconds of the step's products in the framework that is quickest at them.

    Each framework counts with its least time of all rounds: frameworks take no turns with each
    other, and what disturbs a processor can only slow it.
    """
    products_us = [
        min(turns["products"])
        for (name, _), turns in measured.items()
        if name == experiment and "products" in turns
    ]
    return min(products_us, default=None)


def _rows(experiment: str, framework: str, turns: Turns, fastest: float | None) -> list[str]:
    """Return one line of the table per loop. The products are a column, not a line."""
    lines = []
    for loop, times in turns.items():
        if loop == "products":
            continue
        step = statistics.median(times)
        cells = [
            experiment,
            framework,
            loop,
            f"{step:,.1f}" if step < 100 else f"{step:,.0f}",
            "1" if loop == "plain" else _ratio(times, turns.get("plain")),
            *_fractions(times, turns.get("products"), fastest),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _fractions(
    times: list[float], products: list[float] | None, fastest: float | None
) -> tuple[str, str]:
    """Return the fractions of the framework's limit and of the machine's."""
    if products is None or fastest is None:
        return "-", "-"
    of_limit = statistics.median(bare / step for bare, step in zip(products, times, strict=True))
    return f"{of_limit:.0%}", f"{of_limit * fastest / min(products):.0%}"


def _ratio(times: list[float], plain: list[float] | None) -> str:
    """Return the median of the paired ratios and its interval, as `0.93 (0.92 to 0.95)`.

    The interval of a median by order statistics: the number of rounds below the true median is
    binomial with p = 1/2, whatever the distribution. Fewer than six rounds give none.
    """
    if plain is None:
        return "-"
    ratios = sorted(loop / bare for loop, bare in zip(times, plain, strict=True))
    rank = int(binom.ppf(0.025, len(ratios), 0.5))
    middle = f"{statistics.median(ratios):.2f}"
    if rank == 0:
        return middle
    return f"{middle} ({ratios[rank - 1]:.2f} to {ratios[-rank]:.2f})"


if __name__ == "__main__":
    main()
