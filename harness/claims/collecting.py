"""From a run to samples: every trial of the claims, with the verdict of its proof."""

from collections.abc import Iterator, Sequence

from harness.claims.claim_plan import ClaimRun
from harness.claims.samples import Sample, make_sample
from harness.experiment.vocabulary import Purpose, Status
from harness.parity.verdicts import CellKey
from harness.run import Run


def collect(run: Run, claim_runs: Sequence[ClaimRun]) -> Iterator[Sample]:
    """Yield one sample per row; arrays are read one trial at a time.

    A trial of many starts leaves no sample where the adapter has no `many_seeds`.
    """
    by_name = {claim_run.experiment.name: claim_run for claim_run in claim_runs}
    for row in run.rows:
        if row.purpose == Purpose.MANY_STARTS and row.status == Status.UNSUPPORTED:
            continue
        claim_run = by_name[row.experiment]
        judgement = run.verdicts.get(CellKey(row.experiment, row.framework, row.loop))
        yield make_sample(
            claim_run.claim,
            claim_run.variant,
            claim_run.experiment,
            row,
            run.arrays(row.trial),
            judgement.verdict if judgement else "",
        )
