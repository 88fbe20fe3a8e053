"""The task that an adapter is given: the protocol's numbers, the start and the data."""

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
        prepared: the protocol's data, in `dtype`.
        seed: of the initial parameters.
        loop: `idiomatic`, `stepwise` or `fused`.
        dtype: `float32` or `float64`.
        device: `cpu`, `cuda` (requires a GPU) or `auto` (a GPU where the framework sees one).
        threads: how many threads the process may use.
    """
    network, training = experiment.network, experiment.training
    l2, optimizer = (training.l2, training.optimizer) if training else (None, None)
    if experiment.constants != "exact":
        network, l2, optimizer = rounded_network(network), rounded(l2), rounded(optimizer)
    return Task(
        network=network,
        loss=experiment.loss,
        l2=l2,
        optimizer=optimizer,
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
