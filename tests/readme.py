"""The tables and the chart of the READMEs, made from what `results/` holds.

    python -m tests.readme

writes the text between the marks of every README again, and draws the chart of README.md.
`tests/test_readme.py` compares the READMEs and the chart with the same functions.
"""

import json
import re
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

import harness
from harness.cli import app
from harness.experiment.loading import load
from harness.experiment.vocabulary import Preset
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey
from harness.plan import Request
from harness.planning import make_plan
from harness.report.model import Report
from harness.report.page.figures import CHART_CONFIG, COLOURS, SCHEMA
from harness.report.sections import make_report
from harness.report.text import seconds
from harness.results import COLUMNS, ROW
from harness.run import Run

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "results/reference"
CLOCK = ROOT / "results/clock"
LEDGER = ROOT / "results/ledger"
CHART = REPORT / "times.svg"
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
def times_s() -> pd.DataFrame:
    """Median training seconds of the undisturbed trials; of all where every one is disturbed.

    One line per experiment, ordered by the floating-point operations of a step; a column per
    framework.
    """
    quiet = compiled()[compiled()["noise"].isna()]
    medians, of_all = (
        part.groupby(["experiment", "framework"])["train_s"].median().unstack()
        for part in (quiet, compiled())
    )
    ordered = sorted(of_all.index, key=lambda name: load(name).step_flop)
    return medians.reindex(ordered).fillna(of_all)[list(FRAMEWORKS)]


@cache
def disturbed() -> frozenset[tuple[str, str]]:
    """(experiment, framework) of the times that are upper bounds: no trial was undisturbed."""
    cells = compiled()["noise"].notna().groupby([compiled()["experiment"], compiled()["framework"]])
    return frozenset(cells.all()[lambda each: each].index)


def accuracy(experiment: str) -> str:
    """The test accuracy, once where all frameworks agree to the digits; else its range."""
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


@cache
def report() -> Report:
    """The report of the reference run, from its rows alone: without curves and rungs."""
    request = Request(frameworks=FRAMEWORKS, loops=("all",), preset=Preset.STANDARD)
    plan = make_plan(request)
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
    return make_report(Run(plan, [ROW.validate_python(row) for row in of_columns], verdicts))


# ---------------------------------------------------------------- blocks of the READMEs


def results() -> str:
    """The table of accuracies and times, and three sentences that are true of it."""
    head = ["experiment", "test accuracy", *FRAMEWORKS]
    lines = [_line(head), _line(["---", "---", *["--:"] * len(FRAMEWORKS)])]
    for name, times in times_s().iterrows():
        cells = [
            ("≤ " if (name, framework) in disturbed() else "") + seconds(times[framework])
            for framework in FRAMEWORKS
        ]
        lines.append(_line([name, accuracy(name), *cells]))
    return "\n".join([*lines, "", _filled(f"{_agreement()} {_speed()} {_conditions()}")])


def _agreement() -> str:
    """How many accuracies agree, and what the proofs say."""
    apart = [name for name in times_s().index if " to " in accuracy(name)]
    identical = rows()[rows()["track"] == "identical"]
    same = int((identical["parity"] == "same").sum())
    return (
        f"In {len(times_s()) - len(apart)} of {len(times_s())} experiments all accuracies agree to "
        f"the last digit shown; in {' and '.join(f'`{name}`' for name in apart)} the rounding of "
        f"float32 grows during training, while {same} of {len(identical)} trials are proven `same` "
        "in float64."
    )


def _speed() -> str:
    """The two ends of the chart."""
    ratios = times_s().div(times_s()["numpy"], axis=0)
    flop = pd.Series({name: load(name).step_flop for name in ratios.index})
    small, large = (
        f"JAX takes {_between(part['jax'])} (Keras {_between(part['keras'])}, PyTorch "
        f"{_between(part['torch'])}, scikit-learn {_between(part['sklearn'])})"
        for part in (ratios[flop < SMALL_FLOP], ratios[flop > LARGE_FLOP])
    )
    return (
        f"In multiples of NumPy's time, {small} where a step has less than {_flop(SMALL_FLOP)}, "
        f"and {large} above {_flop(LARGE_FLOP)}."
    )


SMALL_FLOP, LARGE_FLOP = 1_000, 100_000_000


def _conditions() -> str:
    """What a time is, and what it was measured with."""
    days = sorted({day[:10] for day in rows()["started_at"].dropna()})
    first_s = compiled()[compiled()["loop"] == "fused"]["first_step_s"]
    compiling = f"{first_s.min():.2f} to {first_s.max():.1f} s in Keras and JAX"
    return (
        f"Times are medians over {_count(rows()['seed'].nunique(), 'seed')} without the first step "
        f"(compiling: {compiling}), each framework in its most compiled loop, "
        f"{rows()['dtype'].mode()[0]}, {_count(int(rows()['threads'].max()), 'thread')}, on "
        f"{', '.join(sorted(rows()['machine'].unique()))}, {days[0]} to {days[-1]}."
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
    "README.md": {"results": results, "ledger": ledger},
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


def records() -> list[dict[str, str | float | bool]]:
    """The points of the chart: training time over NumPy's."""
    return [
        {
            "experiment": f"{name}, {_flop(load(name).step_flop)}",
            "framework": framework,
            "ratio": float(f"{times[framework] / times['numpy']:.3g}"),
            "disturbed": (name, framework) in disturbed(),
        }
        for name, times in times_s().iterrows()
        for framework in FRAMEWORKS
    ]


TITLE = "training time / NumPy's training time (logarithmic; left of 1: faster than NumPy)"
SHAPES = ("M-.25,-1H.25V1H-.25Z", "diamond", "circle", "triangle-up", "triangle-down")
"""NumPy's is a piece of the line at 1, narrow enough to hide no other."""


def chart() -> dict:
    """Vega-Lite: a line per experiment, the smallest step at the top, on a logarithmic axis."""
    experiment = {"field": "experiment", "type": "nominal", "sort": None}
    framework = {"field": "framework", "type": "nominal", "sort": None, "title": None}
    ticks = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
    ratio = {
        "field": "ratio",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [0.025, 100], "nice": False},
        "title": "ratio",
        "axis": {"values": ticks, "format": "~g", "title": TITLE},
    }
    legend = {"orient": "top", "direction": "horizontal", "labelFontSize": 13, "symbolSize": 110}
    look = {
        "color": framework
        | {"scale": {"domain": FRAMEWORKS, "range": COLOURS[:5]}, "legend": legend},
        "shape": framework | {"scale": {"domain": FRAMEWORKS, "range": SHAPES}},
    }
    point = {"type": "point", "size": 110, "opacity": 1}
    whole = point | {"filled": True, "stroke": "white", "strokeWidth": 0.7}
    hollow = point | {"fill": "white", "size": 80, "strokeWidth": 2}
    points = [
        {"transform": [{"filter": condition}], "mark": mark, "encoding": look}
        for condition, mark in (("!datum.disturbed", whole), ("datum.disturbed", hollow))
    ]
    span = {
        "mark": {"type": "rule", "color": "#D0D0D0", "strokeWidth": 2, "aria": False},
        "encoding": {
            "x": {"aggregate": "min", "field": "ratio"},
            "x2": {"aggregate": "max", "field": "ratio"},
        },
    }
    one = {
        "mark": {"type": "rule", "color": COLOURS[0], "strokeWidth": 2, "aria": False},
        "encoding": {"x": {"datum": 1}, "y": None},
    }
    return {
        "$schema": SCHEMA,
        "width": 640,
        "height": {"step": 23},
        "data": {"values": records()},
        "encoding": {"y": experiment | {"title": None}, "x": ratio},
        "layer": [span, one, *points],
    }


def draw() -> str:
    """The chart as SVG."""
    import vl_convert

    font = {"labelFontSize": 13, "titleFontSize": 13, "labelLimit": 300, "gridColor": "#EEEEEE"}
    config = CHART_CONFIG | {"background": "white", "font": "sans-serif", "padding": 8}
    return str(
        vl_convert.vegalite_to_svg(chart(), config=config | {"axis": CHART_CONFIG["axis"] | font})
    )


# ---------------------------------------------------------------- words


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _filled(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _flop(number: float) -> str:
    """`32 FLOP`, `16.0 MFLOP`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}FLOP"
    return f"{number:.0f} FLOP"


def _between(values: pd.Series) -> str:
    """`0.78 to 1.0`: the smallest and the largest, in two digits."""
    ends = [float(f"{end:.2g}") for end in (values.min(), values.max())]
    return " to ".join(f"{end:.{2 if end < 1 else 1 if end < 10 else 0}f}" for end in ends)


def main() -> None:
    """Write every README, and the chart."""
    for name in BLOCKS:
        text = written(name)
        (ROOT / name).write_text(text, encoding="utf-8")
    CHART.write_text(draw() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
