"""Tasks for adapters, as a trial gives them."""

from typing import Any

from harness import data, start
from harness.experiment.loading import parse
from harness.experiment.model import Experiment
from harness.trainer import StepTrainer, Task
from tests.conftest import protocol

STEPS = 12


def experiment_of(base: str, **changes: Any) -> Experiment:
    """A catalogue protocol of twelve steps, changed as stated."""
    short = {
        "training__length": {"steps": STEPS},
        "training__evaluation": {"every_steps": STEPS},
        "quick": None,
    }
    return parse(protocol(base, **short, **changes), "test")


def task_of(experiment: Experiment, loop: str, dtype: str = "float64", seed: int = 0) -> Task:
    """The task of one trial on the CPU."""
    prepared = data.load(experiment.data, experiment.loss, dtype)
    return start.task_of(experiment, prepared, seed=seed, loop=loop, dtype=dtype)


def advance(trainer: StepTrainer, experiment: Experiment, *cuts: int, seed: int = 0) -> list[Any]:
    """Train from cut to cut; the losses of each piece."""
    plan = start.BatchPlan.of(experiment, seed)
    losses = []
    for first, last in zip((0, *cuts[:-1]), cuts, strict=True):
        batches = plan.segment(first, last)
        trainer.stage(batches)
        losses.append(trainer.advance(batches))
    return losses
