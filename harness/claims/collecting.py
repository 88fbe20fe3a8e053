"""From a run's folder to samples: every trial of the claims asked for, with its proof."""

from collections.abc import Iterator, Sequence

from harness.claims.planning import Part
from harness.claims.samples import Sample, sample
from harness.experiment.vocabulary import Purpose
from harness.parity.verdicts import CellKey
from harness.parity.verdicts import read as read_verdicts
from harness.plan import Plan
from harness.results import RunFolder


def collect(plan: Plan, parts: Sequence[Part], folder: RunFolder) -> Iterator[Sample]:
    """One sample per row there is; arrays are read one trial at a time.

    An adapter without `many_seeds` says nothing of a claim, and leaves no sample of that.
    """
    by_name = {part.experiment.name: part for part in parts}
    verdicts = read_verdicts(folder, plan.proofs)
    for row in folder.rows(trial.id for trial in plan.trials):
        if row.purpose == Purpose.MANY_STARTS and row.status == "unsupported":
            continue
        part = by_name[row.experiment]
        judgement = verdicts.get(CellKey(row.experiment, row.framework, row.loop))
        yield sample(
            part.claim,
            part.variant,
            part.experiment,
            row,
            folder.arrays(row.trial),
            judgement.verdict if judgement else "",
        )
