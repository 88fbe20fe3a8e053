"""The chart of `samestep compare`: how the training times changed, cell by cell."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.compare import Comparison
from harness.report.change_table import COLUMNS, RATIOS, constants, name_of
from harness.report.chart_names import COMPARISON
from harness.report.page.figures import COLOURS, Figure, Record, Spec, five_digits, new_spec
from harness.report.run_comparison import WORDS, Change, ChangeVerdict
from harness.report.text import ratio_text

SHAPES = {
    ChangeVerdict.SLOWER: ("triangle-right", COLOURS[1]),
    ChangeVerdict.FASTER: ("triangle-left", COLOURS[2]),
    ChangeVerdict.ALIKE: ("circle", COLOURS[0]),
    ChangeVerdict.FEW: ("cross", COLOURS[4]),
    ChangeVerdict.NOISY: ("diamond", COLOURS[4]),
    ChangeVerdict.UNPROVEN: ("square", COLOURS[4]),
}
TIME, TO_BASELINE = COMPARISON
TITLES = {
    TIME: "training time, B / A",
    TO_BASELINE: "the same over the baseline's time, B / A",
}
"""Of the two charts, by name."""
ROW_HEIGHT = 22
"""Pixels from one cell to the next."""
TICKS = (
    (1.3, (0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25)),
    (3.0, (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5)),
    (30.0, (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)),
    (float("inf"), (0.001, 0.01, 0.1, 1, 10, 100, 1000)),
)
"""Largest factor from 1 to the ticks that read well up to it."""


def time_ratios(changes: Sequence[Change]) -> Figure | None:
    """Return a dot and its interval for every cell: of its time, and of its time to the baseline's.

    The baseline is NumPy, or else the first framework of an experiment by name.
    """
    with_ratio = [change for change in changes if change.numbers.ratio is not None]
    if not with_ratio:
        return None
    constant = constants(changes)
    records = tuple(_record(change, label(change.numbers, constant)) for change in with_ratio)
    specs = {TIME: _spec(records, "r", TITLES[TIME])}
    if any(change.numbers.relative for change in with_ratio):
        specs[TO_BASELINE] = _spec(records, "q", TITLES[TO_BASELINE])
    return Figure(
        name="ratios",
        title="How the times changed",
        caption=_caption(specs),
        specs=specs,
        records=records,
        headings=("cell", "pairs", *RATIOS, "verdict"),
        rows=tuple(_cells(change) for change in with_ratio),
    )


def label(numbers: Comparison, constant: dict[str, str]) -> str:
    """`mnist-mlp keras fused`, without what is the same in every cell, and the track."""
    parts = [
        f"{text} thread{'s' * (text != '1')}" if name == "threads" else text
        for name, text in zip(COLUMNS, name_of(numbers), strict=True)
        if name not in constant and (name != "track" or text != "identical")
    ]
    return " ".join(parts) or numbers.cell[1]


def _cells(change: Change) -> tuple[str, ...]:
    numbers = change.numbers
    ratios = ratio_text(numbers.ratio), ratio_text(numbers.relative)
    return (label(numbers, {}), str(numbers.pairs), *ratios, change.text_with_remarks)


def _caption(specs: Mapping[str, Spec]) -> str:
    caption = (
        "Ratios of training times with 95 % intervals, of trials paired by seed and repeat, on a "
        "logarithmic axis; without a bar there are too few pairs. Right of 1, B took longer."
    )
    if TO_BASELINE in specs:
        caption += (
            f" In “{TITLES[TO_BASELINE]}” every time is first divided by the baseline "
            "framework's of the same block, so that a slower machine makes no difference."
        )
    return caption


def _record(change: Change, name: str) -> Record:
    record: Record = {"c": name}
    for field, ratio, verdict in (
        ("r", change.numbers.ratio, change.verdict),
        ("q", change.numbers.relative, change.relative_verdict),
    ):
        record |= {
            field: five_digits(ratio.value) if ratio else None,
            f"{field}lo": five_digits(ratio.low) if ratio else None,
            f"{field}hi": five_digits(ratio.high) if ratio else None,
            f"{field}v": WORDS[verdict] if ratio else None,
            f"{field}t": ratio_text(ratio),
        }
    return record


def _spec(records: Sequence[Record], field: str, title: str) -> Spec:
    low, high = f"{field}lo", f"{field}hi"
    y = {
        "field": "c",
        "type": "nominal",
        "title": None,
        "axis": {"grid": True},
        "scale": {"domain": [r["c"] for r in records]},
    }
    equal = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": COLOURS[4]},
        "encoding": {"x": {"datum": 1}, "y": None},
    }
    intervals = {
        "transform": [{"filter": f"isValid(datum.{low})"}],
        "mark": {"type": "rule", "strokeWidth": 2, "color": COLOURS[4]},
        "encoding": {"x": {"field": low, "type": "quantitative"}, "x2": {"field": high}},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {
            "x": _x(records, field),
            **_by_verdict(records, f"{field}v"),
            "tooltip": _tooltip(field),
        },
    }
    return new_spec(title, len(records) * ROW_HEIGHT) | {
        "transform": [{"filter": f"isValid(datum.{field})"}],
        "encoding": {"y": y},
        "layer": [equal, intervals, dots],
    }


def _x(records: Sequence[Record], field: str) -> Spec:
    names = (field, f"{field}lo", f"{field}hi")
    known = [r[name] for r in records for name in names if r[name] is not None]
    widest = 1.08 * max(1.05, *known, *(1 / value for value in known))
    ticks = next(values for most, values in TICKS if widest <= most)
    return {
        "field": field,
        "type": "quantitative",
        "title": None,
        "scale": {"type": "log", "domain": [five_digits(1 / widest), five_digits(widest)]},
        "axis": {"values": ticks, "format": "~g"},
    }


def _by_verdict(records: Sequence[Record], field: str) -> Spec:
    verdicts = [v for v in SHAPES if any(r[field] == WORDS[v] for r in records)]
    domain = [WORDS[verdict] for verdict in verdicts]
    shared = {"field": field, "title": "in B", "legend": {"columns": 3}}
    shapes = [SHAPES[verdict][0] for verdict in verdicts]
    colours = [SHAPES[verdict][1] for verdict in verdicts]
    return {
        "color": shared | {"scale": {"domain": domain, "range": colours}},
        "shape": shared | {"scale": {"domain": domain, "range": shapes}},
    }


def _tooltip(field: str) -> list[dict[str, Any]]:
    titles = {"c": "cell", f"{field}t": "B / A", f"{field}v": "verdict"}
    return [{"field": name, "title": title} for name, title in titles.items()]
