"""The sentences, tables and the chart of the READMEs, made from what `results/` holds.

    python -m tests.readme

writes the text between the marks of every README again, draws the chart of README.md, and makes
`report.md` again from the rows of the reference run. `tests/test_readme.py` compares them all with
the same functions.
"""

import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner

import harness
from harness.cli import app
from harness.experiment.vocabulary import Preset
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey
from harness.plan import Request
from harness.planning import make_plan
from harness.report.answer import statements
from harness.report.markdown import as_markdown
from harness.report.model import SMALL_BELOW_FLOP, Line, Report
from harness.report.page.drawing import image, of_report
from harness.report.page.report_page import overview
from harness.report.section_table import at_most
from harness.report.sections import make_report
from harness.report.text import seconds
from harness.results import COLUMNS, ROW
from harness.run import Run

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "results/reference"
CLOCK = ROOT / "results/clock"
LEDGER = ROOT / "results/ledger"
CHART, MARKDOWN = REPORT / "times.svg", REPORT / "report.md"
FRAMEWORKS = ("numpy", "sklearn", "keras", "torch", "jax")
LOOPS = ("idiomatic", "stepwise", "fused")
FIVE = {
    "C03": "scikit-learn, softmax regression by saga",
    "C04": "TensorFlow 1.15, softmax regression, full batch from N(0, 1)",
    "C02": "Keras, softmax regression, Adam at 0.1",
    "C05": "TensorFlow 1.15, 512-256-128 ReLU, full batch",
    "C06": "Keras, 512-256-128 ReLU, Adam",
}


# ---------------------------------------------------------------- the report's rows


@cache
def rows() -> pd.DataFrame:
    """Every row of the reference run."""
    return harness.load_results(REPORT / "results.csv")


@cache
def compiled() -> pd.DataFrame:
    """The rows of the identical track that trained, in each framework's most compiled loop."""
    identical = rows()[(rows()["track"] == "identical") & rows()["train_s"].notna()]
    place = identical["loop"].map(LOOPS.index)
    return identical[place == place.groupby(identical["framework"]).transform("max")]


@cache
def report() -> Report:
    """The report of the reference run, from its rows alone: without curves and rungs."""
    request = Request(frameworks=FRAMEWORKS, loops=("all",), preset=Preset.STANDARD)
    plan = make_plan(request)
    loops = set(zip(rows()["framework"], rows()["loop"], strict=True))
    names = set(rows()["experiment"])
    trials = tuple(
        t for t in plan.trials if (t.framework, t.loop) in loops and t.experiment in names
    )
    experiments = {name: each for name, each in plan.experiments.items() if name in names}
    plan = replace(
        plan, trials=trials, experiments=experiments
    )  # loops and experiments that were added since have no rows
    stored = [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in rows().to_dict("records")
    ]
    verdicts = {
        CellKey(row["experiment"], row["framework"], row["loop"]): Judgement(
            Verdict(row["parity"]), row["parity_detail"] or "", ()
        )
        for row in stored
        if row["track"] == "identical"
    }
    of_columns = [{name: row[name] for name in COLUMNS} for row in stored]
    read = [ROW.validate_python(row) for row in of_columns]
    return make_report(Run(plan, read, verdicts, (), _outputs))


@cache
def lines() -> dict[tuple[str, str], Line]:
    """(experiment, framework) to the line of its most compiled loop, smallest network first."""
    ordered = sorted(report().sections, key=lambda section: section.experiment.step_flop)
    return {
        (section.experiment.name, line.framework): line
        for section in ordered
        for line in section.lines
        if line.identical and line.best and line.train is not None
    }


def accuracy(experiment: str) -> str:
    """The accuracy, once where all frameworks agree to the digits; else its range."""
    trials = compiled()[compiled()["experiment"] == experiment]
    is_class = trials["test_accuracy"].notna().all()
    digits, measure = (4, "test_accuracy") if is_class else (2, "test_loss")
    by_framework = trials.groupby("framework")[measure]
    means = {f"{mean:.{digits}f}" for mean in by_framework.mean()}
    spreads = {f"{spread:.{digits}f}" for spread in by_framework.std()}
    text = " to ".join(sorted({min(means), max(means)}))
    if len(means) == len(spreads) == 1 and float(min(spreads)):
        text += f" ± {min(spreads)}"
    return text if is_class else f"loss {text}"


# ---------------------------------------------------------------- blocks of the READMEs


def headline() -> str:
    """What the report of the reference run says first of small and of large networks."""
    parts = [text.partition(": ") for text in statements(report().sections)]
    return "\n".join(_filled(f"- **{name}:** {text}", "  ") for name, _, text in parts)


def results() -> str:
    """The table of accuracies and times, and two sentences that are true of it."""
    head = ["experiment", "accuracy", *FRAMEWORKS]
    table = [_line(head), _line(["---", "---", *["--:"] * len(FRAMEWORKS)])]
    for name in dict.fromkeys(name for name, _ in lines()):
        of_frameworks = [lines()[name, framework] for framework in FRAMEWORKS]
        times = [at_most(line, seconds(line.train.value)) for line in of_frameworks]
        table.append(_line([name, accuracy(name), *times]))
    return "\n".join([*table, "", _filled(f"{_agreement()} {_conditions()}")])


def _agreement() -> str:
    """How many accuracies agree, and what the proofs say."""
    names = dict.fromkeys(name for name, _ in lines())
    apart = [name for name in names if " to " in accuracy(name)]
    identical = rows()[rows()["track"] == "identical"]
    same = int((identical["parity"] == "same").sum())
    return (
        f"In {len(names) - len(apart)} of {len(names)} experiments all accuracies agree to "
        f"the last digit shown; in {' and '.join(f'`{name}`' for name in apart)} the rounding of "
        f"float32 grows during training. {same} of {len(identical)} trials are proven `same` in "
        "float64."
    )


def _conditions() -> str:
    """What a time is, what it was measured with, and which networks are small."""
    seeds, threads = rows()["seed"].nunique(), int(rows()["threads"].max())
    return (
        f"Times are medians over {_count(seeds, 'seed')} without the first step, each framework in "
        f"the most compiled loop it then had, {rows()['dtype'].mode()[0]}, "
        f"{_count(threads, 'thread')}, on "
        f"{', '.join(sorted(rows()['machine'].unique()))}; “≤” is an upper bound (every trial was "
        f"disturbed). Small: less than {SMALL_BELOW_FLOP / 1e6:g} million floating-point "
        "operations a step."
    )


def bench() -> str:
    """The adapters' speed; the plain loops they are compared with are 1 by definition."""
    lines = (CLOCK / "bench.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("|") and "| plain |" not in line)


@cache
def _judged() -> dict:
    """What `samestep reproduce` says of the committed samples."""
    done = CliRunner().invoke(app, ["reproduce", "--from", str(LEDGER), "--json"])
    return json.loads(done.stdout)


def ledger() -> str:
    """How many claims came out how, and the posts' five accuracies."""
    claims = {claim["id"]: claim for claim in _judged()["claims"]}
    lines = [
        _line(["claim", "published", "measured, mean (runs)", "tolerance", "verdict"]),
        _line(["---", "--:", "--:", "--:", "---"]),
    ]
    for name, what in FIVE.items():
        finding = claims[name]["findings"][0]
        measured = finding["measured"]
        lines.append(_line([
            f"{name}: {what}",
            f"{float(finding['published']):.4f}",
            f"{sum(measured) / len(measured):.4f} ({len(measured)})",
            f"{finding['tolerance']:.4f}",
            claims[name]["verdict"],
        ]))  # fmt: skip
    return "\n".join([*lines, "", _filled(_judged()["in_words"]["judged"])])


def verdicts() -> str:
    """What the ledger's README adds to README's table."""
    words = _judged()["in_words"]
    (xor,) = [claim for claim in _judged()["claims"] if claim["id"] == "C08"]
    parts = [
        words[name] for name in ("judged", "not_run", "more", "registered", "by_chance", "adjusted")
    ]
    return "\n\n".join([
        _filled(" ".join(parts)),
        _filled(f"XOR with two hidden units (C08): {xor['findings'][0]['why']}."),
    ])  # fmt: skip


BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"headline": headline, "results": results, "ledger": ledger},
    "harness/claims/README.md": {"verdicts": verdicts},
    "implementations/README.md": {"bench": bench},
}
"""README to mark to the text between the mark and its end."""


def written(name: str) -> str:
    """A README with every block as it should be."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for mark, block in BLOCKS[name].items():
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)"
        text, times = re.subn(
            pattern, lambda match, block=block: f"{match[1]}{block()}\n{match[2]}", text, flags=re.S
        )
        if times != 1:
            raise ValueError(f"{name} needs the marks of {mark!r} once; it has them {times} times")
    return text


# ---------------------------------------------------------------- the chart


def points() -> set[tuple[str, ...]]:
    """The points of the chart: experiment, framework, loop, time, time over NumPy's, proof."""
    figure = overview(report())
    return set(figure.rows)


def draw() -> str:
    """The chart as SVG, as `samestep report --chart overview=FILE` draws it."""
    return image(of_report(report()), "overview", ".svg").decode()


# ---------------------------------------------------------------- the report of the rows


def report_text() -> str:
    """The tables and sentences of report.md again, from the rows; the rungs of its proofs stay."""
    proofs = _between_headings(MARKDOWN.read_text(encoding="utf-8"))
    text = as_markdown(report())
    return text.replace(_between_headings(text), proofs)


def _between_headings(text: str) -> str:
    """The part of a report that only the run's folder has: the rungs of every proof."""
    (part,) = re.findall(r"^## Parity\n.*?(?=^## Versions)", text, re.DOTALL | re.MULTILINE)
    return part


def _outputs(trial: str) -> dict[str, np.ndarray]:
    """The outputs of the network that is not trained, as report.md states them."""
    if not trial.startswith("fixed-forward"):
        return {}
    stated = re.search(r"\\\[(0[.]\d+), (0[.]\d+)\\\]", MARKDOWN.read_text(encoding="utf-8"))
    return {"test_outputs": np.array([[float(stated[1]), float(stated[2])]])}


# ---------------------------------------------------------------- words


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def main() -> None:
    """Write every README, the chart, and the report."""
    for name in BLOCKS:
        text = written(name)
        (ROOT / name).write_text(text, encoding="utf-8")
    CHART.write_text(draw() + "\n", encoding="utf-8")
    MARKDOWN.write_text(report_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
