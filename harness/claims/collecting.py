"""From a run to samples: every trial of the claims, with the verdict of its proof."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from harness.claims.claim_plan import ClaimRun
from harness.claims.samples import Sample, make_sample
from harness.experiment.vocabulary import Purpose, Status, Track
from harness.parity.verdicts import CellKey
from harness.results import Row
from harness.run import Run
from harness.trainer import Array

BatchAccuracies = Callable[..., Array]
"""`harness.trial.batch_accuracies.batch_accuracies`, which this room may not import."""


def collect(
    run: Run,
    claim_runs: Sequence[ClaimRun],
    before: Iterable[Sample] = (),
    batch_accuracies: BatchAccuracies | None = None,
) -> Iterator[Sample]:
    """Yield one sample per row; arrays are read one trial at a time.

    A trial of many starts leaves no sample where the adapter has no `many_seeds`.

    Args:
        run: the trials.
        claim_runs: the protocols that they followed.
        before: samples that the folder holds; their epoch accuracies are not computed again.
        batch_accuracies: computes the accuracies of a trial's batches, for claims about them.
    """
    by_name = {claim_run.experiment.name: claim_run for claim_run in claim_runs}
    earlier = {sample.row.trial: sample for sample in before}
    for row in run.rows:
        if row.purpose == Purpose.MANY_STARTS and row.status == Status.UNSUPPORTED:
            continue
        claim_run = by_name[row.experiment]
        judgement = run.verdicts.get(CellKey(row.experiment, row.framework, row.loop))
        arrays, known = run.arrays(row.trial), {}
        if _needs_accuracies(claim_run, row):
            known = _known(claim_run, earlier.get(row.trial))
            if not known and batch_accuracies is not None:
                arrays = _with_accuracies(arrays, claim_run, row, batch_accuracies)
        sample = make_sample(
            claim_run.claim,
            claim_run.variant,
            claim_run.experiment,
            row,
            arrays,
            judgement.verdict if judgement else "",
        )
        sample.values.update(known)
        yield sample


def _needs_accuracies(claim_run: ClaimRun, row: Row) -> bool:
    """Whether a number of the claim is a mean of the accuracies of an epoch's batches."""
    trained = row.purpose == Purpose.MEASURE and row.track == Track.IDENTICAL
    return (
        trained
        and row.status == Status.OK
        and any(number.metric == "epoch_accuracy" for number in claim_run.claim.numbers)
    )


def _known(claim_run: ClaimRun, earlier: Sample | None) -> dict[str, list[float]]:
    """Return the epoch accuracies of an earlier sample of the trial, if it has all of them."""
    keys = {n.key for n in claim_run.claim.numbers if n.metric == "epoch_accuracy"}
    if earlier is None or not keys <= earlier.values.keys():
        return {}
    return {key: earlier.values[key] for key in keys}


def _with_accuracies(
    arrays: Mapping[str, Array], claim_run: ClaimRun, row: Row, compute: BatchAccuracies
) -> Mapping[str, Array]:
    shares = compute(claim_run.experiment, row.seed, row.dtype, row.steps or 0)
    return {**arrays, "batch_accuracy": shares}
