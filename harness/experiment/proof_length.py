"""The protocol at the length of a proof."""

from harness.experiment.model import Experiment
from harness.experiment.training import Evaluation, Length

STEPS = 100
"""Steps of a proof: enough to show a wrong optimizer, few enough to run for every cell."""
FEWEST_STEPS = 24
"""Steps of a proof of large batches, at least: as many as `samestep check` takes."""
MAX_ROWS = 1_000_000
"""Rows of all steps of a proof. A step on all rows of MNIST costs as much as 600 on 100 rows."""


def proof_of(experiment: Experiment) -> Experiment:
    """Return the protocol at the length of a proof, at most `STEPS` steps.

    The protocol returned has no native solvers, does not stop early, and rounds its numbers to
    float32 as the oracle does. A proof is about the computation of a step, which these do not
    change.
    """
    plain = experiment.model_copy(update={"native": (), "quick": None, "constants": "float32"})
    if experiment.training is None:
        return plain
    steps = min(experiment.steps, max(FEWEST_STEPS, min(STEPS, MAX_ROWS // experiment.batch_size)))
    training = experiment.training.model_copy(
        update={
            "length": Length(steps=steps),
            "evaluation": Evaluation(every_steps=steps),
            "stopping": None,
        }
    )
    return plain.model_copy(update={"training": training})
