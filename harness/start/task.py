"""The task that an adapter is given: the protocol's numbers, the start and the data."""

from harness.data.prepared import Prepared
from harness.experiment.model import Experiment
from harness.start.constants import given, given_loss, given_network
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
        prepared: the protocol's data, in `dtype`.
        seed: of the initial parameters.
        loop: `idiomatic`, `stepwise` or `fused`.
        dtype: `float32` or `float64`.
        device: `cpu`, `cuda` (requires a GPU) or `auto` (a GPU where the framework sees one).
        threads: how many threads the process may use.
    """
    training = experiment.training
    return Task(
        network=given_network(experiment),
        loss=given_loss(experiment),
        l2=given(training.l2, experiment) if training else None,
        l1=given(training.l1, experiment) if training else None,
        clipping=given(training.clipping, experiment) if training else None,
        max_norm=given(training.max_norm, experiment) if training else None,
        optimizer=given(training.optimizer, experiment) if training else None,
        parameters=initial_parameters(experiment, seed, dtype),
        inputs=prepared.train.inputs,
        targets=prepared.train.targets,
        batch_size=experiment.batch_size,
        has_short_batch=experiment.has_short_batch,
        loop=str(loop),
        dtype=str(dtype),  # a framework may look for more in an enum than its text
        device=str(device),
        threads=threads,
    )
