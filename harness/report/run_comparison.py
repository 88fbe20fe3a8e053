"""Two runs held against each other, and which of their cells may be called faster or slower."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.analysis.cells import MeasuredCell
from harness.analysis.comparable import NotComparableError, check_comparable
from harness.analysis.compare import Comparison, compare
from harness.analysis.gates import Gate, exceeded_limits, failed_only_in_b
from harness.analysis.intervals import Estimate
from harness.analysis.noise import disturbances
from harness.parity.verdicts import CellKey
from harness.plan import Plan
from harness.report.sections import UNPROVEN, Verdicts
from harness.results import Row

LOOKS = {
    "slower": "slower",
    "faster": "faster",
    "alike": "no detectable difference",
    "few": "too few pairs",
    "noisy": "noisy",
    "unproven": "not proven",
    "refused": "not compared",
}
"""How a cell's change looks, and its verdict in words; of one refused the reason is the verdict."""


@dataclass(frozen=True)
class Run:
    """One of the two runs.

    Args:
        verdicts: what its proofs say, as far as there are any.
    """

    folder: str
    plan: Plan
    rows: Sequence[Row]
    verdicts: Verdicts

    def doubt(self, cell: MeasuredCell) -> str:
        """Why a cell is not proven; "" where it is, and for a library's own solver.

        A sweep proves each loop at one of its points, which speaks for the others.
        """
        experiment, framework, loop, track = cell
        planned = {CellKey(t.experiment, t.framework, t.loop) for t in self.plan.proofs}
        wanted = {CellKey(experiment, framework, loop)}
        if not wanted & planned:
            wanted = {one for one in planned if one[1:] == (framework, loop)}
        found = [self.verdicts.get(one, UNPROVEN) for one in wanted] or [UNPROVEN]
        if track == "native" or all(judgement.proven for judgement in found):
            return ""
        judgement = next(one for one in found if not one.proven)
        return judgement.reason if judgement == UNPROVEN else judgement.verdict


@dataclass(frozen=True)
class Change:
    """One cell in both runs, and whether its times may be called faster or slower.

    Args:
        numbers: what was measured.
        doubt: in which run it is not proven and why, such as `B: different`; "" where it is.
        baseline_doubt: the same of the baseline of its experiment.
    """

    numbers: Comparison
    doubt: str = ""
    baseline_doubt: str = ""

    @property
    def look(self) -> str:
        """How the change of the training time looks, a key of `LOOKS`."""
        return look(self.numbers.ratio, self.numbers.noisy, self.doubt)

    @property
    def relative_look(self) -> str:
        """The same of the time over the baseline's."""
        doubt = self.doubt or self.baseline_doubt
        return look(self.numbers.relative, self.numbers.noisy, doubt)

    @property
    def verdict(self) -> str:
        """In words; why, where it cannot be said."""
        return self.numbers.remark if self.look == "refused" else LOOKS[self.look]

    @property
    def told(self) -> str:
        """The verdict with what has to be known beside it."""
        remark = self.numbers.remark if self.numbers.ratio else ""
        beside = "; ".join(filter(None, [self.doubt if self.numbers.ratio else "", remark]))
        return f"{self.verdict} ({beside})" if beside else self.verdict


def look(ratio: Estimate | None, noisy: bool, doubt: str) -> str:
    """How a ratio looks; what is not proven is never called faster or slower."""
    if ratio is None:
        return "refused"
    if doubt:
        return "unproven"
    if noisy or ratio.low is None:
        return "noisy" if noisy else "few"
    if ratio.contains_one:
        return "alike"
    return "slower" if ratio.value > 1 else "faster"


@dataclass(frozen=True)
class Compared:
    """All that a file is made of.

    Args:
        runs: A and B.
        changes: cell by cell; none where they are refused.
        failures: limits that B exceeds, in words; of cells that are not proven too.
        refusal: why the runs cannot be compared, a reason a line; or "".
    """

    runs: tuple[Run, Run]
    changes: Sequence[Change]
    failures: Sequence[str] = ()
    refusal: str = ""


def held(runs: tuple[Run, Run], gates: Sequence[Gate]) -> Compared:
    """Two runs held against each other, and against limits."""
    a, b = runs
    try:
        check_comparable(a.plan, b.plan, a.rows, b.rows)
    except NotComparableError as error:
        return Compared(runs, (), refusal=str(error))
    made = changes(runs, [*disturbances(a.rows), *disturbances(b.rows)])
    doubts = {one.numbers.cell: one.doubt for one in made}
    failures = [
        f"{gate.metric}>{gate.limit * 100:g}%: {' '.join(cell[:3])}: {change}"
        + (f" (not proven; {doubts[cell]})" if doubts[cell] else "")
        for gate in gates
        for cell, change in exceeded_limits(gate, a.rows, b.rows)
    ]
    if gates:
        broken = failed_only_in_b(b.plan, a.rows, b.rows)
        failures += [f"{' '.join(cell[:3])}: {change}" for cell, change in broken]
    return Compared(runs, made, failures)


def changes(runs: tuple[Run, Run], noisy: Iterable[str]) -> list[Change]:
    """Every cell of either run; `noisy`: trials measured on a disturbed machine."""
    a, b = runs
    comparisons = compare(a.rows, b.rows, noisy)
    doubts = {c.cell: _doubt(runs, c.cell) for c in comparisons}
    return [Change(c, doubts[c.cell], doubts[_baseline(c.cell, list(doubts))]) for c in comparisons]


def _baseline(cell: MeasuredCell, cells: Sequence[MeasuredCell]) -> MeasuredCell:
    """Whose time a cell's is divided by: NumPy's, or else the first of its experiment."""
    same = [one for one in cells if one[0] == cell[0] and one[3] == "identical"] or [cell]
    return next((one for one in same if one[1] == "numpy"), same[0])


def _doubt(runs: tuple[Run, Run], cell: MeasuredCell) -> str:
    found = [(name, run.doubt(cell)) for name, run in zip("AB", runs, strict=True)]
    return "; ".join(f"{name}: {doubt}" for name, doubt in found if doubt)
