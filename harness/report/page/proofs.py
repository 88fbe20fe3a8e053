"""The parity ladder of one experiment as a heat map: a table whose cells are shaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.parity.judgement import Judgement, Rung
from harness.parity.verdicts import CellKey
from harness.report.model import LineState, Section, state_of
from harness.run import Verdicts

SHADES = 6
EXPONENTS = (-17, -5)
"""Differences of 1e-17 to 1e-5 get the shades 1 to 5. A difference of 0 has shade 0."""


@dataclass(frozen=True)
class LadderCell:
    """One rung of one line: text, shade from 0 (exact) to 5 (far), and whether it holds."""

    text: str
    shade: int
    passed: bool


@dataclass(frozen=True)
class LadderRow:
    """One line of a section on the ladder; None where it has no such rung."""

    label: str
    verdict: str
    state: LineState
    cells: tuple[LadderCell | None, ...]


@dataclass(frozen=True)
class Ladder:
    """The rungs by name, and how far every line is from the textbook network on them."""

    rungs: tuple[str, ...]
    rows: tuple[LadderRow, ...]


def ladder_of(section: Section, verdicts: Verdicts) -> Ladder | None:
    """Return the ladder of an experiment's lines; None where nothing was judged."""
    judged: dict[str, Judgement] = {}
    for line in section.lines:
        judgement = verdicts.get(CellKey(section.experiment.name, line.framework, line.loop))
        if line.identical and judgement is not None and judgement.rungs:
            judged[line.name] = judgement
    if not judged:
        return None
    rungs = tuple(dict.fromkeys(rung.name for j in judged.values() for rung in j.rungs))
    rows = tuple(_row(label, judgement, rungs) for label, judgement in judged.items())
    return Ladder(rungs, rows)


def _row(label: str, judgement: Judgement, names: Sequence[str]) -> LadderRow:
    rungs = {rung.name: rung for rung in judgement.rungs}
    cells = tuple(_cell(rungs[name]) if name in rungs else None for name in names)
    return LadderRow(label, judgement.verdict, state_of(judgement), cells)


def _cell(rung: Rung) -> LadderCell:
    text = "0" if rung.difference == 0 else f"{rung.difference:.1e}"
    return LadderCell(text, _shade(rung.difference), rung.passed)


def _shade(difference: float) -> int:
    if difference == 0:
        return 0
    if not math.isfinite(difference):
        return SHADES - 1
    low, high = EXPONENTS
    share = (math.log10(difference) - low) / (high - low)
    return 1 + round(min(max(share, 0.0), 1.0) * (SHADES - 2))
