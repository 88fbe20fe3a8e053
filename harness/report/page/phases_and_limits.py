"""Where the time of a trial goes, and how close a step comes to its limits."""

from harness.report.page.figures import COLOURS, Figure, Spec, chart, label_of, short
from harness.report.section_table import Section
from harness.report.text import seconds

PHASES = {
    "import_s": ("import", COLOURS[4]),
    "build_s": ("build", COLOURS[5]),
    "first_step_s": ("first step", COLOURS[1]),
    "train_s": ("train", COLOURS[0]),
    "predict_s": ("predict", COLOURS[2]),
}
"""Column to its name and colour, in the order of time."""
LIMITS = ("of its own products", "of the machine's best")
PHASES_CHART, LIMITS_CHART = "phases", "limits"
"""What the two charts are called."""
BAR = 22
"""Pixels from one line to the next."""
LINE: Spec = {"field": "line", "type": "nominal", "title": None, "sort": None}
TOLD_LINE = {"field": "line", "title": "framework"}


def phases(section: Section) -> Figure | None:
    """Where the time of a trial goes, as stacked bars."""
    ran = [line for line in section.lines if any(name in line.phases for name in PHASES)]
    if not ran:
        return None
    records = tuple(
        {"line": label_of(line), "phase": word, "s": short(line.phases[name]), "order": order}
        for line in ran
        for order, (name, (word, _)) in enumerate(PHASES.items())
        if name in line.phases
    )
    present = {w: c for w, c in PHASES.values() if any(r["phase"] == w for r in records)}
    caption = (
        f"Medians; in every bar, from the left: {', '.join(present)}. Evaluation between steps is "
        "left out. Import is known only for the first trial of a process."
    )
    rows = tuple(
        (label_of(line), *(seconds(line.phases[n]) if n in line.phases else "-" for n in PHASES))
        for line in ran
    )
    headings = ("framework", *(word for word, _ in PHASES.values()))
    spec = _stacked(len(ran), present)
    return Figure(
        "phases", "Where the time goes", caption, {PHASES_CHART: spec}, records, headings, rows
    )


def _stacked(lines: int, colours: dict[str, str]) -> Spec:
    return chart("time of a trial by phase", lines * BAR) | {
        "mark": {"type": "bar", "stroke": "white", "strokeWidth": 1},
        "encoding": {
            "y": LINE,
            "x": {"field": "s", "type": "quantitative", "title": "seconds", "stack": "zero"},
            "order": {"field": "order", "type": "quantitative"},
            "color": {"field": "phase", "title": "phase, from the left",
                      "scale": {"domain": list(colours), "range": list(colours.values())}},
            "tooltip": [TOLD_LINE, {"field": "phase"},
                        {"field": "s", "title": "seconds", "format": ".3g"}],
        },
    }  # fmt: skip


def limits(section: Section) -> Figure | None:
    """How close a step comes to its matrix products alone."""
    measured = [
        (label_of(line), own, machine)
        for line in section.lines
        if (own := line.fractions.of_own) and (machine := line.fractions.of_machine)
    ]
    if not measured:
        return None
    records = tuple(
        {"line": label, "limit": kind, "share": short(share)}
        for label, *shares in measured
        for kind, share in zip(LIMITS, shares, strict=True)
    )
    caption = (
        "The time of a step's matrix products alone, over that of the whole step: in the "
        "framework's own routine, and in the fastest routine of any library on this machine. "
        "At 100 % there would be time for nothing else."
    )
    rows = tuple((label, f"{own:.0%}", f"{machine:.0%}") for label, own, machine in measured)
    headings = ("framework", *LIMITS)
    return Figure(
        "limits",
        "How close to the limit",
        caption,
        {LIMITS_CHART: _points(len(measured))},
        records,
        headings,
        rows,
    )


def _points(lines: int) -> Spec:
    kinds = {"field": "limit", "title": "share"}
    return chart("share of the limit that a step reaches", lines * BAR) | {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
        "encoding": {
            "y": LINE | {"axis": {"grid": True}},
            "x": {"field": "share", "type": "quantitative", "title": "share of the limit",
                  "axis": {"format": "%", "tickCount": 5}, "scale": {"domain": [0, 1]}},
            "color": kinds | {"scale": {"domain": LIMITS, "range": COLOURS[:2]}},
            "shape": kinds | {"scale": {"domain": LIMITS, "range": ["circle", "diamond"]}},
            "tooltip": [TOLD_LINE, {"field": "limit"}, {"field": "share", "format": ".0%"}],
        },
    }  # fmt: skip
