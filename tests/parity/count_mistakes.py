"""Plant every mistake in every protocol and count what the diagnosis says of it.

    python -m tests.parity.count_mistakes                    # all: many minutes
    python -m tests.parity.count_mistakes --mistake clip     # those whose name has this in it
    python -m tests.parity.count_mistakes --protocol adam --show

A mistake that changes no number of a protocol, by more than rounding, is not counted there.
"""

import tests.conftest  # noqa: F401, I001  threads are stated before NumPy is imported

import argparse
import re
import time
from collections import Counter
from dataclasses import dataclass

from harness.parity import diagnosis, ladder
from harness.parity.judgement import first_failure
from harness.parity.rungs import compare
from harness.parity.trace import FIRST_20_STEPS, expected_trace
from tests.parity.planted import GROUPS, Planted, every_protocol, protocols_of, trace_of

OUTCOMES = ("named alone", "named among equals", "named with a wrong cause", "wrong cause",
            "located", "missed")  # fmt: skip


@dataclass(frozen=True)
class Count:
    """What was said of one mistake in one protocol."""

    outcome: str
    reason: str
    seconds: float


def plant(planted: Planted, name: str) -> Count | None:
    """Plant one mistake; None where it changes nothing in this protocol."""
    experiment = every_protocol()[name]
    trace = trace_of(experiment, planted.mistake)
    if first_failure(compare(trace, expected_trace(experiment, 0))) is None:
        detailed = trace_of(experiment, planted.mistake, keep_first_20_steps=True)
        if first_failure(compare(detailed, expected_trace(experiment, 0, FIRST_20_STEPS))) is None:
            return None
    judgement = ladder.judge(trace, experiment, 0)
    if judgement.proven:
        return Count("missed", judgement.reason, 0.0)
    detailed = trace_of(experiment, planted.mistake, keep_first_20_steps=True)
    start = time.perf_counter()
    with_cause = diagnosis.with_cause(judgement, detailed, experiment, 0, trace)
    seconds = time.perf_counter() - start
    causes = causes_in(with_cause.reason)
    return Count(outcome(planted, causes), with_cause.reason, seconds)


def causes_in(reason: str) -> tuple[str, ...]:
    """Return the causes that a sentence names: all before `(contract: ` or its doubt."""
    if "no known mistake reproduces it" in reason:
        return ()
    named = re.split(r" \((?:no number here tells them apart; )?contract: ", reason)[0]
    return tuple(named.split(", or "))


def outcome(planted: Planted, causes: tuple[str, ...]) -> str:
    """Return one of `OUTCOMES`."""
    right = [planted.named_in(cause) for cause in causes]
    if not causes:
        return "located"
    if not any(right):
        return "wrong cause"
    return "named alone" if all(right) else "named among equals"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mistake", default="", help="a part of its name")
    parser.add_argument("--group", choices=GROUPS, help="one group only")
    parser.add_argument("--protocol", choices=every_protocol(), help="one protocol only")
    parser.add_argument("--show", action="store_true", help="print every sentence")
    options = parser.parse_args()
    slowest = 0.0
    table = {}
    for group, mistakes in GROUPS.items():
        if options.group not in (None, group):
            continue
        counts = table[group] = Counter()
        for planted in mistakes:
            if options.mistake not in planted.mistake:
                continue
            for name, experiment in protocols_of(group).items():
                if options.protocol not in (None, name) or not planted.fits(experiment):
                    continue
                count = plant(planted, name)
                if count is None:
                    continue
                counts[count.outcome] += 1
                slowest = max(slowest, count.seconds)
                if options.show or count.outcome != "named alone":
                    place = f"{group} | {planted.mistake} | {name} | {count.seconds:.1f} s"
                    print(f"{count.outcome} | {place}\n    {count.reason}", flush=True)
    print_table(table, slowest)


def print_table(table: dict[str, Counter], slowest: float) -> None:
    print(f"\n| mistakes | planted | {' | '.join(OUTCOMES)} |")
    print(f"| --- | --: |{' --: |' * len(OUTCOMES)}")
    for group, counts in (*table.items(), ("all", sum(table.values(), Counter()))):
        cells = (str(counts[name]) for name in OUTCOMES)
        print(f"| {group} | {counts.total()} | {' | '.join(cells)} |")
    print(f"\nslowest diagnosis: {slowest:.1f} s")


if __name__ == "__main__":
    main()
