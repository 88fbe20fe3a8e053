"""Whether predictions are those of the trainer's own parameters, and in the order of the rows.

The rules of the contract ask it of small protocols, and a report may ask it of every trial.
"""

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.reference import Reference
from harness.trainer import Array, Parameters, Trainer

MANY_ROWS = 10_000
SLICES = (1, 999, 1_000, 1_001, 5_000, 9_999)
"""Where many rows are cut: beside the sizes at which an adapter may begin another block."""
ROUNDING = {"float64": 1e-11, "float32": 1e-4}
"""How far outputs may differ, relative to the largest, that were summed in another order."""


def outputs_of(experiment: Experiment, parameters: Parameters, inputs: Array) -> Array:
    """Return the oracle's raw outputs (rows, outputs), in float64, with these parameters."""
    return Reference(experiment, parameters, inputs, None).predict(inputs)


def relative_gap(outputs: Array, expected: Array) -> float:
    """Return max|a - b| / max|b|, where max|b| counts as no less than 0.001.

    Infinite where the shapes differ or one of the two is not finite and the other is.
    """
    if np.shape(outputs) != np.shape(expected):
        return float("inf")
    outputs, expected = np.asarray(outputs, np.float64), np.asarray(expected, np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(np.isfinite(outputs), finite):
        return float("inf")
    scale = max(float(np.abs(expected[finite]).max(initial=0)), 1e-3)
    return float(np.abs(outputs[finite] - expected[finite]).max(initial=0)) / scale


def problem_with_outputs(
    experiment: Experiment, parameters: Parameters, inputs: Array, outputs: Array, dtype: str
) -> str:
    """Return how outputs differ from what the network makes of the parameters.

    Args:
        experiment: the protocol.
        parameters: of the trainer, when it predicted.
        inputs: the rows.
        outputs: what it predicted of them.
        dtype: the precision of parameters and outputs.

    Returns:
        A sentence; empty where they are the same within the rounding of `dtype`.
    """
    difference = relative_gap(outputs, outputs_of(experiment, parameters, inputs))
    if difference <= ROUNDING[dtype]:
        return ""
    return (
        f"its predictions are not those of its parameters() at that time: they differ by "
        f"{difference:.1e} of the largest"
    )


def many_rows(inputs: Array) -> Array:
    """Return 10,000 rows, all different, in the range of the given ones."""
    random = np.random.default_rng(0)
    rows = np.resize(inputs, (MANY_ROWS, inputs.shape[1]))
    noise = random.uniform(0.9, 1.1, rows.shape) * np.linspace(0.5, 1, MANY_ROWS)[:, np.newaxis]
    return np.asarray(rows * noise + 0.01 * noise, inputs.dtype)


def problem_with_order(trainer: Trainer, inputs: Array, dtype: str) -> str:
    """Return where predictions of many rows are not those of the same rows in slices.

    Args:
        trainer: any, before or after training.
        inputs: (rows, columns) in the task's dtype; `many_rows` makes such.
        dtype: the precision of the outputs.

    Returns:
        A sentence; empty where every row has its own prediction, whatever stands beside it.
    """
    together = np.asarray(trainer.predict(inputs))
    if len(together) != len(inputs):
        return f"predict of {len(inputs):,} rows returned {len(together):,}"
    largest = max(float(np.abs(together).max(initial=0)), 1e-3)
    cuts = [cut for cut in SLICES if cut < len(inputs)]
    for first, last in zip(cuts, [*cuts[1:], len(inputs)], strict=True):
        last = min(last, first + 500)
        alone = np.asarray(trainer.predict(inputs[first:last]))
        off = np.abs(np.subtract(together[first:last], alone)).max(axis=1) / largest
        wrong = np.flatnonzero(~(off <= ROUNDING[dtype]))
        if len(wrong):
            return (
                f"row {first + int(wrong[0]) + 1:,} of {len(inputs):,} gets another prediction "
                f"than alone: it differs by {float(off[wrong[0]]):.1e} of the largest. Rows must "
                "be predicted in their order, each for itself"
            )
    return ""
