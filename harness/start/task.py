"""What an adapter is given to train: the protocol's numbers, the start and the data."""

from typing import Any

from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.start.constants import rounded, rounded_network
from harness.start.parameters import initial_parameters
from harness.trainer import Task


def task_of(
    experiment: Experiment,
    prepared: Prepared,
    *,
    seed: int,
    loop: str,
    dtype: str,
    device: str = "cpu",
    threads: int = 1,
) -> Task:
    """Return the task of one trial.

    Numbers are rounded to float32, unless the protocol states `constants = "exact"`.

    Args:
        experiment: the protocol.
        prepared: its data, in `dtype`.
        seed: of the initial parameters.
        loop: as in `harness.trainer.Task`.
        dtype: likewise.
        device: likewise.
        threads: likewise.
    """
    training = experiment.training
    exact = experiment.constants == "exact"

    def rounded_unless_exact(part: Any) -> Any:
        return part if exact else rounded(part)

    return Task(
        network=experiment.network if exact else rounded_network(experiment.network),
        loss=experiment.loss,
        l2=rounded_unless_exact(training.l2) if training else None,
        optimizer=rounded_unless_exact(training.optimizer) if training else None,
        parameters=initial_parameters(experiment, seed, dtype),
        inputs=prepared.train.inputs,
        targets=prepared.train.targets,
        batch_size=experiment.batch_size,
        has_short_batch=experiment.has_short_batch,
        loop=loop,
        dtype=dtype,
        device=device,
        threads=threads,
    )
