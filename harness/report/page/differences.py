"""Measured against published, number by number, in the only unit that they share: tolerances.

Accuracies, errors, losses and epochs cannot lie on one axis. A difference over the largest allowed
difference can. A number without a tolerance or a difference (a rate, a range that contains the
mean) is in the table only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from harness.claims.judge import Judged
from harness.claims.judge_number import Finding
from harness.claims.model import Verdict
from harness.claims.tolerances import CONFIDENCE
from harness.report import claim_numbers
from harness.report.chart_names import CLAIMS
from harness.report.claim_numbers import difference, measured, published
from harness.report.page.figures import COLOURS, Figure, Record, Spec, five_digits, new_spec

SHAPES = {
    Verdict.EXACT: ("square", COLOURS[0]),
    Verdict.NEAR_EXACT: ("diamond", COLOURS[0]),
    Verdict.CONSISTENT: ("circle", COLOURS[2]),
    Verdict.INCONCLUSIVE: ("cross", COLOURS[4]),
    Verdict.BETTER: ("triangle-up", COLOURS[3]),
    Verdict.WORSE: ("triangle-down", COLOURS[1]),
}
"""Verdicts on single numbers that have a place on the axis."""
ROW_HEIGHT = 15
"""Pixels from one number to the next."""
TICKS = (0, 1, 3, 10, 30, 100, 300, 1000)
BAND = "#7A7A7A"
HEADINGS = (
    "number",
    "published",
    "measured",
    "difference",
    "in tolerances",
    "mean within",
    "verdict",
)
CAPTION = (
    "Measured minus published, over the largest allowed difference. In the grey band, from -1 to "
    "1, the two do not contradict each other: consistent, or inconclusive (a cross) where the "
    "tolerance is too wide to tell. The tolerance contains the spread over seeds, of the source "
    "and of our runs, the draw of the test rows where they differ, rounding in print and "
    "numerics. The bar is the 95 % interval of our own mean, which the band contains already: "
    "the verdict depends on the dot. Without a bar there was one run. Squares have the printed "
    "digits, from runs that draw nothing. Beyond 1 the axis is logarithmic."
)


@dataclass(frozen=True)
class Placed:
    """One number on the axis.

    Args:
        at: measured minus published, in tolerances; None where it has no such place.
        half: half the 95 % interval of the measured mean, in tolerances; None for one run.
    """

    claim: str
    finding: Finding
    at: float | None
    half: float | None

    @property
    def name(self) -> str:
        """`C26: test accuracy, Xavier start [xavier]`."""
        return f"{self.claim}: {claim_numbers.name(self.finding)}"


def differences(judged: Sequence[Judged]) -> Figure | None:
    """Return a dot per number that can be placed, sorted, and every number in the table."""
    numbers = [placed(one, finding) for one in judged for finding in one.findings]
    run = [number for number in numbers if number.finding.verdict != Verdict.NOT_RUN]
    if not run:
        return None
    run.sort(key=lambda number: (number.at is None, -(number.at or 0), number.name))
    records = _records([number for number in run if number.at is not None])
    return Figure(
        name="differences",
        title="Published against measured, number by number",
        caption=CAPTION + _only_in_table(len(run) - len(records)),
        specs=dict.fromkeys(CLAIMS, _spec(records)) if records else {},
        records=records,
        headings=HEADINGS,
        rows=tuple(_cells(number) for number in run),
    )


def _only_in_table(count: int) -> str:
    if not count:
        return ""
    return (
        f" Without such a scale, and only in the table: {count} (ranges that hold, rates, vectors)."
    )


def placed(judged: Judged, finding: Finding) -> Placed:
    """Place an exact number at 0, one with a tolerance by its difference."""
    difference, tolerance = finding.difference, finding.tolerance
    if difference is None or not tolerance:
        exact = finding.verdict == Verdict.EXACT and difference is not None
        return Placed(judged.claim.id, finding, 0.0 if exact else None, None)
    half = None
    if finding.spread is not None and finding.seeds > 1:
        factor = float(stats.t.ppf((1 + CONFIDENCE) / 2, finding.seeds - 1))
        half = factor * finding.spread / math.sqrt(finding.seeds) / tolerance
    return Placed(judged.claim.id, finding, difference / tolerance, half)


def _records(numbers: Sequence[Placed]) -> tuple[Record, ...]:
    records: list[Record] = []
    counts: dict[str, int] = {}
    for number in numbers:
        counts[number.name] = counts.get(number.name, 0) + 1
        again = f" ({counts[number.name]})" if counts[number.name] > 1 else ""
        at, half = number.at or 0.0, number.half
        records.append(
            {
                "n": number.name + again,
                "d": five_digits(at),
                "v": number.finding.verdict.value,
                "lo": None if half is None else five_digits(at - half),
                "hi": None if half is None else five_digits(at + half),
                "p": published(number.finding),
                "m": measured(number.finding),
                "t": difference(number.finding),
            }
        )
    return tuple(records)


def _cells(number: Placed) -> tuple[str, ...]:
    finding = number.finding
    at = number.at if finding.tolerance else None
    interval = "-"
    if at is not None and number.half is not None:
        interval = f"{at - number.half:+.2f} to {at + number.half:+.2f}"
    return (
        number.name,
        published(finding),
        measured(finding),
        difference(finding),
        "-" if at is None else f"{at:+.2f}",
        interval,
        finding.verdict.value,
    )


def _spec(records: Sequence[Record]) -> Spec:
    one_record: Spec = {"values": [{}]}
    y = {
        "field": "n",
        "type": "nominal",
        "title": None,
        "scale": {"domain": [r["n"] for r in records]},
        "axis": {"grid": True, "gridOpacity": 0.5, "ticks": False},
    }
    band = {
        "data": one_record,
        "mark": {"type": "rect", "color": BAND, "opacity": 0.16},
        "encoding": {"x": {"datum": -1}, "x2": {"datum": 1}, "y": None},
    }
    middle = {
        "data": one_record,
        "mark": {"type": "rule", "color": BAND},
        "encoding": {"x": {"datum": 0}, "y": None},
    }
    intervals = {
        "transform": [{"filter": "isValid(datum.lo)"}],
        "mark": {"type": "rule", "strokeWidth": 1.5, "color": BAND},
        "encoding": {"x": {"field": "lo", "type": "quantitative"}, "x2": {"field": "hi"}},
    }
    dots = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {"x": _x(records), **_by_verdict(records), "tooltip": _tooltip()},
    }
    return new_spec("measured minus published, in tolerances", len(records) * ROW_HEIGHT) | {
        "encoding": {"y": y},
        "layer": [band, middle, intervals, dots],
    }


def _x(records: Sequence[Record]) -> Spec:
    ends = [r[name] for r in records for name in ("d", "lo", "hi") if r[name] is not None]
    low, high = min(-1.5, 1.15 * min(ends)), max(1.5, 1.15 * max(ends))
    ticks = {sign * tick for tick in TICKS for sign in (-1, 1) if low <= sign * tick <= high}
    return {
        "field": "d",
        "type": "quantitative",
        "title": None,
        "scale": {"type": "symlog", "domain": [five_digits(low), five_digits(high)]},
        "axis": {
            "values": sorted(ticks),
            "orient": "top",
            "labelExpr": "datum.value ? format(datum.value, '+d') : '0'",
        },
    }


def _by_verdict(records: Sequence[Record]) -> Spec:
    verdicts = [v for v in SHAPES if any(r["v"] == v.value for r in records)]
    domain = [verdict.value for verdict in verdicts]
    shared = {"field": "v", "title": "verdict", "legend": {"orient": "top"}}
    shapes = [SHAPES[verdict][0] for verdict in verdicts]
    colours = [SHAPES[verdict][1] for verdict in verdicts]
    return {
        "color": shared | {"scale": {"domain": domain, "range": colours}},
        "shape": shared | {"scale": {"domain": domain, "range": shapes}},
    }


def _tooltip() -> list[dict[str, Any]]:
    titles = {"n": "number", "p": "published", "m": "measured", "t": "difference", "v": "verdict"}
    return [{"field": field, "title": title} for field, title in titles.items()]
