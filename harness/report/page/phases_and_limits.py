"""Where the time of a trial goes, and how close a step comes to its limits."""

from harness.report.model import Line, Section
from harness.report.page.figures import (
    COLOURS,
    Figure,
    Record,
    Spec,
    five_digits,
    label_of,
    new_spec,
)
from harness.report.text import seconds

IMPORT = {"import_s": ("import", COLOURS[4])}
"""Only the first trial of a process imports, so a bar would have it by chance."""
PHASES = {
    "build_s": ("build", COLOURS[5]),
    "first_step_s": ("first step", COLOURS[1]),
    "train_s": ("train", COLOURS[0]),
    "predict_s": ("predict", COLOURS[2]),
}
"""Column to its name and colour, in the order of time."""
LIMITS = ("of its own products", "of the machine's best")
PHASES_CHART, LIMITS_CHART = "phases", "limits"
"""What the two charts are called."""
LINE_HEIGHT = 22
"""Pixels from one line to the next."""
LINE_AXIS: Spec = {"field": "line", "type": "nominal", "title": None, "sort": None}
LINE_TOOLTIP: Spec = {"field": "line", "title": "framework"}


def phases(section: Section) -> Figure | None:
    """Return where the time of a trial goes, as stacked bars."""
    lines = [line for line in section.lines if any(column in line.phases for column in PHASES)]
    if not lines:
        return None
    records = tuple(record for line in lines for record in _phase_records(line))
    names = {record["phase"] for record in records}
    colours = {name: colour for name, colour in PHASES.values() if name in names}
    return Figure(
        name="phases",
        title="Where the time goes",
        caption=f"Medians. In every bar, from the left: {', '.join(colours)}. Evaluation between "
        "steps is left out, and so is importing, which happens once in a process: it is in the "
        "table where a trial was its process's first.",
        specs={PHASES_CHART: _stacked_bars(len(lines), colours)},
        records=records,
        headings=("framework", *(name for name, _ in (IMPORT | PHASES).values())),
        rows=tuple(_phase_cells(line) for line in lines),
    )


def _phase_records(line: Line) -> list[Record]:
    records = []
    for order, (column, (name, _)) in enumerate(PHASES.items()):
        if column in line.phases:
            phase_s = five_digits(line.phases[column])
            records.append({"line": label_of(line), "phase": name, "s": phase_s, "order": order})
    return records


def _phase_cells(line: Line) -> tuple[str, ...]:
    columns = IMPORT | PHASES
    times = [seconds(line.phases[name]) if name in line.phases else "-" for name in columns]
    return (label_of(line), *times)


def _stacked_bars(lines: int, colours: dict[str, str]) -> Spec:
    return new_spec("time of a trial by phase", lines * LINE_HEIGHT) | {
        "mark": {"type": "bar"},
        "encoding": {
            "y": LINE_AXIS,
            "x": {"field": "s", "type": "quantitative", "title": "seconds", "stack": "zero"},
            "order": {"field": "order", "type": "quantitative"},
            "color": {
                "field": "phase",
                "title": "phase, from the left",
                "scale": {"domain": list(colours), "range": list(colours.values())},
            },
            "tooltip": [
                LINE_TOOLTIP,
                {"field": "phase"},
                {"field": "s", "title": "seconds", "format": ".3g"},
            ],
        },
    }


def limits(section: Section) -> Figure | None:
    """Return how close a step comes to the time of its matrix products alone."""
    measured = [
        (label_of(line), own, machine)
        for line in section.lines
        if (own := line.fractions.of_own) and (machine := line.fractions.of_machine)
    ]
    if not measured:
        return None
    return Figure(
        name="limits",
        title="How close to the limit",
        caption="The time of a step's matrix products alone, over that of the whole step: in the "
        "framework's own routine, and in the fastest routine of any library on this machine. "
        "At 100 % there would be time for nothing else.",
        specs={LIMITS_CHART: _points(len(measured))},
        records=tuple(
            {"line": label, "limit": limit, "share": five_digits(share)}
            for label, *shares in measured
            for limit, share in zip(LIMITS, shares, strict=True)
        ),
        headings=("framework", *LIMITS),
        rows=tuple((label, f"{own:.0%}", f"{machine:.0%}") for label, own, machine in measured),
    )


def _points(lines: int) -> Spec:
    limit = {"field": "limit", "title": "share"}
    return new_spec("share of the limit that a step reaches", lines * LINE_HEIGHT) | {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {
            "y": LINE_AXIS | {"axis": {"grid": True}},
            "x": {
                "field": "share",
                "type": "quantitative",
                "title": "share of the limit",
                "axis": {"format": "%", "tickCount": 5},
                "scale": {"domain": [0, 1]},
            },
            "color": limit | {"scale": {"domain": LIMITS, "range": COLOURS[:2]}},
            "shape": limit | {"scale": {"domain": LIMITS, "range": ["circle", "diamond"]}},
            "tooltip": [LINE_TOOLTIP, {"field": "limit"}, {"field": "share", "format": ".0%"}],
        },
    }
