"""The parity ladder of one experiment as a heat map: a table whose cells are shaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.parity.judgement import Judgement, Rung
from harness.parity.verdicts import CellKey
from harness.report.section_table import Section
from harness.report.sections import Verdicts

SHADES = 6
EXPONENTS = (-17, -5)
"""Differences from here to there get the shades 1 to 5; 0 has shade 0."""


@dataclass(frozen=True)
class Step:
    """One rung of one cell: text, shade from 0 (exact) to 5 (far), and whether it holds."""

    text: str
    shade: int
    passed: bool


@dataclass(frozen=True)
class Climb:
    """One line of the ladder."""

    label: str
    verdict: str
    proven: bool
    steps: tuple[Step | None, ...]


@dataclass(frozen=True)
class Ladder:
    """The rungs by name, and how far every line comes on them."""

    rungs: tuple[str, ...]
    climbs: tuple[Climb, ...]


def ladder_of(section: Section, verdicts: Verdicts) -> Ladder | None:
    """The ladder of an experiment's lines; None where nothing was judged."""
    judged: dict[str, Judgement] = {}
    for line in section.lines:
        judgement = verdicts.get(CellKey(section.experiment.name, line.framework, line.loop))
        if line.track == "identical" and judgement is not None and judgement.rungs:
            judged[f"{line.framework} {line.loop}"] = judgement
    if not judged:
        return None
    rungs = tuple(dict.fromkeys(rung.name for j in judged.values() for rung in j.rungs))
    climbs = tuple(
        Climb(label, judgement.verdict, judgement.proven, _steps(rungs, judgement))
        for label, judgement in judged.items()
    )
    return Ladder(rungs, climbs)


def _steps(names: Sequence[str], judgement: Judgement) -> tuple[Step | None, ...]:
    found = {rung.name: rung for rung in judgement.rungs}
    return tuple(_step(found[name]) if name in found else None for name in names)


def _step(rung: Rung) -> Step:
    shown = "0" if rung.difference == 0 else f"{rung.difference:.1e}"
    return Step(shown, _shade(rung.difference), rung.passed)


def _shade(difference: float) -> int:
    if difference == 0:
        return 0
    if not math.isfinite(difference):
        return SHADES - 1
    low, high = EXPONENTS
    share = (math.log10(difference) - low) / (high - low)
    return 1 + round(min(max(share, 0.0), 1.0) * (SHADES - 2))
