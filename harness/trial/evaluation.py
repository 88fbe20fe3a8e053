"""Scores of a trainer on the parts of the data, off the clock."""

import numpy as np
from numpy.typing import NDArray

from harness import scoring
from harness.data.prepared import Part, Prepared
from harness.experiment.model import Experiment
from harness.trainer import Array, NativeTrainer, Trainer

BLOCK_ROWS = 10_000
"""Rows of one `predict`: large enough to be fast, and one shape for compilers on MNIST."""


def evaluate(
    trainer: Trainer, experiment: Experiment, prepared: Prepared
) -> dict[str, float | None]:
    """Loss and accuracy of every part that has rows, as columns of the row."""
    parts = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    scores: dict[str, float | None] = {}
    meaning = trainer.outputs if isinstance(trainer, NativeTrainer) else None
    for name, part in parts.items():
        if len(part):
            outputs = predict(trainer, part, experiment)
            loss, accuracy = scoring.score(outputs, part, experiment.loss, meaning)
            scores |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
    return scores


def predict(trainer: Trainer, part: Part, experiment: Experiment) -> Array:
    """Raw outputs (rows, outputs) of one part, in blocks of at most 10,000 rows."""
    blocks = [
        np.asarray(trainer.predict(part.inputs[first : first + BLOCK_ROWS]))
        for first in range(0, len(part), BLOCK_ROWS)
    ]
    outputs = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    wanted = (len(part), experiment.network.outputs)
    if outputs.shape != wanted:
        raise ValueError(f"predict must return shape {wanted}. Got {outputs.shape}")
    return outputs


def right_rows(
    trainer: Trainer, part: Part, experiment: Experiment, outputs: Array | None = None
) -> NDArray[np.bool_] | None:
    """(rows,) whether each row's class is right; None where there are no classes.

    Args:
        trainer: whose outputs they are, or that gives them.
        part: the rows.
        experiment: of the trial.
        outputs: of these rows, if they are predicted already.
    """
    if part.labels is None or experiment.loss is None:
        return None
    if outputs is None:
        outputs = predict(trainer, part, experiment)
    native = trainer.outputs if isinstance(trainer, NativeTrainer) else None
    return scoring.right_rows(outputs, part.labels, native or scoring.meaning_of(experiment.loss))
