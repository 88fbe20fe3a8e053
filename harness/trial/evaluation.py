"""Scores of a trainer on the subsets of the data, off the clock."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import scoring
from harness.data.prepared import Prepared, Subset
from harness.experiment.model import Experiment
from harness.trainer import Array, NativeTrainer, Trainer

BLOCK_ROWS = 10_000
"""Rows of one `predict`: large enough to be fast, and one shape for compilers on MNIST."""


class Score(NamedTuple):
    """Loss and accuracy of one subset; None where there is no such thing."""

    loss: float | None
    accuracy: float | None


Scores = dict[str, Score]
"""Subset ("train", "validation", "test") to its score; a subset without rows is absent."""


def evaluate(
    trainer: Trainer, experiment: Experiment, prepared: Prepared, briefly: bool = False
) -> Scores:
    """Return loss and accuracy of every subset that has rows.

    Args:
        trainer: predicts.
        experiment: of the trial.
        prepared: its data.
        briefly: leave a training set of more than `BLOCK_ROWS` rows without scores: on MNIST that
            saves six of seven predictions.
    """
    subsets = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    meaning = trainer.outputs if isinstance(trainer, NativeTrainer) else None
    scores: Scores = {}
    for name, subset in subsets.items():
        if briefly and name == "train" and len(subset) > BLOCK_ROWS:
            scores[name] = Score(None, None)
        elif len(subset):
            outputs = predict(trainer, subset, experiment)
            scores[name] = Score(*scoring.score(outputs, subset, experiment.loss, meaning))
    return scores


def score_columns(scores: Scores) -> dict[str, float | None]:
    """Return scores by the names of their columns, such as `test_accuracy`."""
    return {
        f"{subset}_{name}": value
        for subset, score in scores.items()
        for name, value in score._asdict().items()
    }


def predict(trainer: Trainer, part: Subset, experiment: Experiment) -> Array:
    """Return raw outputs (rows, outputs) of one subset, in blocks of at most 10,000 rows.

    Raises:
        ValueError: `predict` of the trainer returned another shape.
    """
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
    trainer: Trainer, part: Subset, experiment: Experiment, outputs: Array | None = None
) -> NDArray[np.bool_] | None:
    """Return (rows,) whether the class of each row is right; None where there are no classes.

    Args:
        trainer: gives the outputs, or says what they mean.
        part: the rows.
        experiment: of the trial.
        outputs: of these rows, if they are predicted already.
    """
    if part.labels is None or (experiment.loss is None and experiment.network.outputs == 1):
        return None
    if outputs is None:
        outputs = predict(trainer, part, experiment)
    native = trainer.outputs if isinstance(trainer, NativeTrainer) else None
    return scoring.right_rows(outputs, part.labels, native or scoring.meaning_of(experiment.loss))
