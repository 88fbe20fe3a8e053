"""The protocol at the length of a proof."""

from harness.experiment.model import Evaluation, Experiment, Length

STEPS = 100
"""Steps of a proof: enough for a wrong optimizer to show, few enough to run for every cell."""


def proof_of(experiment: Experiment) -> Experiment:
    """The protocol at the length of a proof: at most 100 steps."""
    if experiment.training is None:
        return experiment
    steps = min(STEPS, experiment.steps)
    training = experiment.training.model_copy(
        update={"length": Length(steps=steps), "evaluation": Evaluation(every_steps=steps)}
    )
    return experiment.model_copy(update={"training": training})
