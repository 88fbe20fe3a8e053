"""Measured against published, number by number, in the only unit that they share: tolerances.

Accuracies, errors, losses and epochs cannot lie on one axis; a difference over what it may be
can. A number without a tolerance (a range, a rate, words) has no place there but in the table.
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
from harness.report import claim_numbers as findings
from harness.report.chart_names import CLAIMS
from harness.report.claim_numbers import difference, measured, published
from harness.report.page.figures import COLOURS, Figure, Spec, chart, short

SHAPES = {
    Verdict.EXACT: ("square", COLOURS[0]),
    Verdict.NEAR_EXACT: ("diamond", COLOURS[0]),
    Verdict.CONSISTENT: ("circle", COLOURS[2]),
    Verdict.INCONCLUSIVE: ("cross", COLOURS[4]),
    Verdict.BETTER: ("triangle-up", COLOURS[3]),
    Verdict.WORSE: ("triangle-down", COLOURS[1]),
}
"""Verdicts on single numbers that have a place on the axis."""
ROW = 15
"""Pixels from one number to the next."""
TICKS = (0, 1, 3, 10, 30, 100, 300, 1000)
BAND = "#7A7A7A"


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
        return f"{self.claim}: {findings.name(self.finding)}"


def differences(judged: Sequence[Judged]) -> Figure | None:
    """One dot per number that can be placed, sorted; every number in the table."""
    numbers = [placed(one, finding) for one in judged for finding in one.findings]
    told = [number for number in numbers if number.finding.verdict != Verdict.NOT_RUN]
    if not told:
        return None
    told.sort(key=lambda number: (number.at is None, -(number.at or 0), number.name))
    records = _records([number for number in told if number.at is not None])
    specs = dict.fromkeys(CLAIMS, _spec(records)) if records else {}
    return Figure(
        "differences", "Published against measured, number by number",
        _caption(len(told), len(records)), specs, records,
        ("number", "published", "measured", "difference", "in tolerances", "mean within",
         "verdict"),
        tuple(_cells(number) for number in told),
    )  # fmt: skip


def placed(one: Judged, finding: Finding) -> Placed:
    """Where a number lies: an exact one at 0, one with a tolerance by its difference."""
    off, tolerance = finding.difference, finding.tolerance
    if off is None or not tolerance:
        exact = finding.verdict == Verdict.EXACT and off is not None
        return Placed(one.claim.id, finding, 0.0 if exact else None, None)
    half = None
    if finding.spread is not None and finding.seeds > 1:
        factor = float(stats.t.ppf((1 + CONFIDENCE) / 2, finding.seeds - 1))
        half = factor * finding.spread / math.sqrt(finding.seeds) / tolerance
    return Placed(one.claim.id, finding, off / tolerance, half)


def _records(numbers: Sequence[Placed]) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for number in numbers:
        taken[number.name] = taken.get(number.name, 0) + 1
        again = f" ({taken[number.name]})" if taken[number.name] > 1 else ""
        at, half = number.at or 0.0, number.half
        found.append(
            {
                "n": number.name + again, "d": short(at), "v": number.finding.verdict.value,
                "lo": None if half is None else short(at - half),
                "hi": None if half is None else short(at + half),
                "p": published(number.finding), "m": measured(number.finding),
                "t": difference(number.finding),
            }
        )  # fmt: skip
    return tuple(found)


def _caption(numbers: int, shown: int) -> str:
    rest = numbers - shown
    without = (
        f" Without such a scale, and only in the table: {rest} (ranges, rates, vectors)."
        if rest
        else ""
    )
    return (
        "Measured minus published, over what the difference may be. In the grey band, from -1 to "
        "1, the two do not contradict each other: consistent, or inconclusive (a cross) where "
        "the tolerance is too wide to tell. The tolerance holds the spread over seeds, theirs "
        "and ours, the draw of the test rows where it is another, rounding in print and "
        "numerics. The bar is the 95 % interval of our own mean, which the band contains "
        "already: the verdict asks for the dot; without a bar there was one run. Squares have "
        "the printed digits, from runs that draw nothing. Beyond 1 the axis is logarithmic."
        f"{without}"
    )


def _cells(number: Placed) -> tuple[str, ...]:
    finding = number.finding
    at = number.at if finding.tolerance else None
    interval = "-"
    if at is not None and number.half is not None:
        interval = f"{at - number.half:+.2f} to {at + number.half:+.2f}"
    return (
        number.name, published(finding), measured(finding), difference(finding),
        "-" if at is None else f"{at:+.2f}", interval, finding.verdict.value,
    )  # fmt: skip


def _spec(records: Sequence[dict[str, Any]]) -> Spec:
    ends = [r[name] for r in records for name in ("d", "lo", "hi") if r[name] is not None]
    low, high = min(-1.5, 1.15 * min(ends)), max(1.5, 1.15 * max(ends))
    ticks = [sign * tick for tick in TICKS for sign in (-1, 1) if low <= sign * tick <= high]
    verdicts = [v for v in SHAPES if any(r["v"] == v.value for r in records)]
    told = {"field": "v", "title": "verdict", "legend": {"orient": "top"}}
    domain = [verdict.value for verdict in verdicts]
    one: Spec = {"values": [{}]}
    return chart("measured minus published, in tolerances", len(records) * ROW) | {
        "encoding": {"y": {"field": "n", "type": "nominal", "title": None,
                           "scale": {"domain": [r["n"] for r in records]},
                           "axis": {"grid": True, "gridOpacity": 0.5, "ticks": False}}},
        "layer": [
            {"data": one, "mark": {"type": "rect", "color": BAND, "opacity": 0.16},
             "encoding": {"x": {"datum": -1}, "x2": {"datum": 1}, "y": None}},
            {"data": one, "mark": {"type": "rule", "color": BAND},
             "encoding": {"x": {"datum": 0}, "y": None}},
            {"transform": [{"filter": "isValid(datum.lo)"}],
             "mark": {"type": "rule", "strokeWidth": 1.5, "color": BAND},
             "encoding": {"x": {"field": "lo", "type": "quantitative"}, "x2": {"field": "hi"}}},
            {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
             "encoding": {
                 "x": {"field": "d", "type": "quantitative", "title": None,
                       "scale": {"type": "symlog", "domain": [short(low), short(high)]},
                       "axis": {"values": sorted(set(ticks)), "orient": "top",
                                "labelExpr": "datum.value ? format(datum.value, '+d') : '0'"}},
                 "color": told | {"scale": {"domain": domain,
                                            "range": [SHAPES[v][1] for v in verdicts]}},
                 "shape": told | {"scale": {"domain": domain,
                                            "range": [SHAPES[v][0] for v in verdicts]}},
                 "tooltip": [{"field": name, "title": title} for name, title in (
                     ("n", "number"), ("p", "published"), ("m", "measured"),
                     ("t", "difference"), ("v", "verdict"))],
             }},
        ],
    }  # fmt: skip
