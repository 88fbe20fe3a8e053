"""The protocol at the length of a proof."""

from harness.experiment.model import Experiment
from harness.experiment.schedules import PiecewiseConstant, Schedule
from harness.experiment.training import Evaluation, Length, Training

STEPS = 100
"""Steps of a proof: enough to show a wrong optimizer, few enough to run for every cell."""
FEWEST_STEPS = 24
"""Steps of a proof of large batches, at least: as many as `samestep check` takes."""
MAX_ROWS = 1_000_000
"""Rows of all steps of a proof. A step on all rows of MNIST costs as much as 600 on 100 rows."""
MAX_FLOP_OF_IMAGES = 4e10
"""Floating-point operations of the products of a proof with layers of images: the oracle takes
0.25 s for a step of `mnist-cnn`, 2e9 of them, and more than twice that with noise."""
AS_TIMED_STEPS, AS_TIMED_ROWS = 12, 50_000
"""Likewise of a proof in the precision that is timed, where the oracle is always rerun."""


def proof_of(experiment: Experiment, as_timed: bool = False) -> Experiment:
    """Return the protocol at the length of a proof, at most `STEPS` steps.

    Args:
        experiment: the protocol.
        as_timed: whether it is the shorter proof in the precision that is timed.

    The protocol returned has no native solvers, does not stop early, and rounds its numbers to
    float32 as the oracle does. A proof is about the computation of a step, which these do not
    change. A rate that falls on a plateau falls once, in the middle.
    """
    plain = experiment.model_copy(update={"native": (), "quick": None, "constants": "float32"})
    if experiment.training is None:
        return plain
    fewest, most, rows = FEWEST_STEPS, STEPS, MAX_ROWS
    if as_timed:
        fewest, most, rows = 2, AS_TIMED_STEPS, AS_TIMED_ROWS
    most = min(most, rows // experiment.batch_size)
    if experiment.network.takes_images:
        most = min(most, int(MAX_FLOP_OF_IMAGES // experiment.step_flop))
    steps = min(experiment.steps, max(fewest, most))
    training = experiment.training.model_copy(
        update={
            "length": Length(steps=steps),
            "evaluation": Evaluation(every_steps=steps),
            "stopping": None,
            "plateau": None,
            "schedule": _schedule(experiment.training, steps),
        }
    )
    return plain.model_copy(update={"training": training})


def _schedule(training: Training, steps: int) -> Schedule | None:
    """The schedule of a proof; in place of a plateau one that falls once, as a plateau may."""
    rule, rate = training.plateau, training.optimizer.learning_rate
    if rule is None or steps < 2:
        return training.schedule
    return PiecewiseConstant(
        name="piecewise_constant",
        at_steps=(steps // 2,),
        rates=(max(rate * rule.factor, rule.min_rate),),
        first="unchanged",
    )
