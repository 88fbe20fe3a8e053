"""Two runs compared cell by cell: which cells may be called faster or slower in B."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.cells import MeasuredCell
from harness.analysis.comparable import NotComparableError, check_comparable
from harness.analysis.compare import Comparison, compare
from harness.analysis.gates import Gate, exceeded_limits, failed_only_in_b
from harness.analysis.intervals import Estimate
from harness.analysis.noise import disturbances
from harness.experiment.vocabulary import Track
from harness.parity.verdicts import CellKey
from harness.run import NO_PROOF, Run

Runs = tuple[Run, Run]
"""A and B."""


class ChangeVerdict(StrEnum):
    """What may be said of a change. The page's classes have these names too."""

    SLOWER = "slower"
    FASTER = "faster"
    ALIKE = "alike"
    FEW = "few"
    NOISY = "noisy"
    UNPROVEN = "unproven"
    REFUSED = "refused"


WORDS = {
    ChangeVerdict.SLOWER: "slower",
    ChangeVerdict.FASTER: "faster",
    ChangeVerdict.ALIKE: "no detectable difference",
    ChangeVerdict.FEW: "too few pairs",
    ChangeVerdict.NOISY: "noisy",
    ChangeVerdict.UNPROVEN: "not proven",
    ChangeVerdict.REFUSED: "not compared",
}


def verdict_of(ratio: Estimate | None, noisy: bool, why_unproven: str) -> ChangeVerdict:
    """Return what may be said of a ratio. An unproven cell is never faster or slower."""
    if ratio is None:
        return ChangeVerdict.REFUSED
    if why_unproven:
        return ChangeVerdict.UNPROVEN
    if noisy:
        return ChangeVerdict.NOISY
    if ratio.low is None:
        return ChangeVerdict.FEW
    if ratio.contains_one:
        return ChangeVerdict.ALIKE
    return ChangeVerdict.SLOWER if ratio.value > 1 else ChangeVerdict.FASTER


@dataclass(frozen=True)
class Change:
    """One cell in both runs, and whether its times may be called faster or slower.

    Args:
        numbers: what was measured.
        why_unproven: in which run it is not proven and why, such as `B: different`; or "".
        why_baseline_unproven: the same of the baseline of its experiment.
    """

    numbers: Comparison
    why_unproven: str = ""
    why_baseline_unproven: str = ""

    @property
    def verdict(self) -> ChangeVerdict:
        """What may be said of the training time."""
        return verdict_of(self.numbers.ratio, self.numbers.noisy, self.why_unproven)

    @property
    def relative_verdict(self) -> ChangeVerdict:
        """What may be said of the training time over the baseline's."""
        why_unproven = self.why_unproven or self.why_baseline_unproven
        return verdict_of(self.numbers.relative, self.numbers.relative_noisy, why_unproven)

    @property
    def text(self) -> str:
        """The verdict in words; the reason where nothing is compared."""
        if self.verdict == ChangeVerdict.REFUSED:
            return self.numbers.remark
        return WORDS[self.verdict]

    @property
    def text_with_remarks(self) -> str:
        if not self.numbers.ratio:
            return self.text
        remarks = "; ".join(filter(None, [self.why_unproven, self.numbers.remark]))
        return f"{self.text} ({remarks})" if remarks else self.text


@dataclass(frozen=True)
class RunComparison:
    """All that the output of `samestep compare` is made of.

    Args:
        runs: A and B.
        changes: cell by cell; none where the runs are refused.
        failures: limits that B exceeds, in words. Cells that are not proven count too.
        refusal: why the runs cannot be compared, a reason a line; or "".
    """

    runs: Runs
    changes: Sequence[Change]
    failures: Sequence[str] = ()
    refusal: str = ""


def compare_runs(runs: Runs, gates: Sequence[Gate]) -> RunComparison:
    """Compare B with A, and B with limits."""
    a, b = runs
    try:
        check_comparable(a.plan, b.plan, a.rows, b.rows)
    except NotComparableError as error:
        return RunComparison(runs, (), refusal=str(error))
    noisy = frozenset([*disturbances(a.rows), *disturbances(b.rows)])
    changes = find_changes(runs, noisy)
    return RunComparison(runs, changes, _failures(runs, changes, gates, noisy))


def find_changes(runs: Runs, noisy: Iterable[str]) -> list[Change]:
    """Return every cell of either run; `noisy`: trials measured on a disturbed machine."""
    a, b = runs
    comparisons = compare(a.rows, b.rows, noisy)
    reasons = {c.cell: _why_unproven_in_either(runs, c.cell) for c in comparisons}
    cells = list(reasons)
    return [Change(c, reasons[c.cell], reasons[_baseline(c.cell, cells)]) for c in comparisons]


def _failures(
    runs: Runs, changes: Sequence[Change], gates: Sequence[Gate], noisy: frozenset[str]
) -> list[str]:
    if not gates:
        return []
    a, b = runs
    reasons = {change.numbers.cell: change.why_unproven for change in changes}
    failures = [
        f"{gate.metric}>{gate.limit * 100:g}%: {' '.join(cell[:3])}: {text}"
        + (f" (not proven; {reasons[cell]})" if reasons[cell] else "")
        for gate in gates
        for cell, text in exceeded_limits(gate, a.rows, b.rows, noisy)
    ]
    return failures + [
        f"{' '.join(cell[:3])}: {text}" for cell, text in failed_only_in_b(b.plan, a.rows, b.rows)
    ]


def why_unproven(run: Run, cell: MeasuredCell) -> str:
    """Return why a cell is not proven; "" for a proven one and for a library's own solver.

    A sweep proves each loop at one of its points, which counts for the others.
    """
    experiment, framework, loop, track = cell[:4]
    if track == "native":
        return ""
    planned = {CellKey(proof.experiment, proof.framework, proof.loop) for proof in run.plan.proofs}
    wanted = {CellKey(experiment, framework, loop)}
    if not wanted & planned:
        wanted = {key for key in planned if key[1:] == (framework, loop)}
    judgements = [run.verdicts.get(key, NO_PROOF) for key in wanted] or [NO_PROOF]
    unproven = [judgement for judgement in judgements if not judgement.proven]
    if not unproven:
        return ""
    return NO_PROOF.reason if unproven[0] == NO_PROOF else unproven[0].verdict


def _why_unproven_in_either(runs: Runs, cell: MeasuredCell) -> str:
    reasons = {name: why_unproven(run, cell) for name, run in zip("AB", runs, strict=True)}
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)


def _baseline(cell: MeasuredCell, cells: Sequence[MeasuredCell]) -> MeasuredCell:
    """Return NumPy's cell of the same experiment, or else the first."""
    same = [
        key
        for key in cells
        if (key.experiment, key.threads) == (cell.experiment, cell.threads)
        and key.track == Track.IDENTICAL
    ] or [cell]
    return next((key for key in same if key.framework == "numpy"), same[0])
