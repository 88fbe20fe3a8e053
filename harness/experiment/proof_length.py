"""The protocol at the length of a proof."""

from harness.experiment.model import Experiment
from harness.experiment.training import Evaluation, Length

STEPS = 100
"""Steps of a proof: enough for a wrong optimizer to show, few enough to run for every cell."""
FEWEST, ROWS = 24, 1_000_000
"""A step of all of MNIST's rows costs 600 of 100: proofs of such steps end after so many rows, but
have no fewer steps than those of `samestep check`."""


def proof_of(experiment: Experiment) -> Experiment:
    """The protocol at the length of a proof, at most `STEPS`, without native solvers.

    Nor does it stop early, and its numbers are rounded to float32, as the oracle's are: what is
    proven is the computation of a step, which neither changes.
    """
    plain = experiment.model_copy(update={"native": (), "quick": None, "constants": "float32"})
    if experiment.training is None:
        return plain
    steps = min(experiment.steps, max(FEWEST, min(STEPS, ROWS // experiment.batch_size)))
    training = experiment.training.model_copy(
        update={
            "length": Length(steps=steps),
            "evaluation": Evaluation(every_steps=steps),
            "stopping": None,
        }
    )
    return plain.model_copy(update={"training": training})
