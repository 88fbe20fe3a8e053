"""The curves of a trial: what is stored at its evaluation points."""

from typing import Any

import numpy as np

from harness.experiment.network import Network
from harness.parameters import SHORT_NAMES, named_arrays
from harness.results import WHOLE_PARAMETERS_BELOW, histogram
from harness.trainer import Array, Parameters
from harness.trial.evaluation import Scores, score_columns


class Curves:
    """Losses, accuracies, and parameters or their histograms, point by point."""

    def __init__(self, network: Network) -> None:
        self.stores_parameters = network.parameter_count < WHOLE_PARAMETERS_BELOW
        self.columns: dict[str, list[Any]] = {"step": [], "train_s": []}
        self.losses: list[Array] = []

    def add_point(self, step: int, train_s: float, scores: Scores, parameters: Parameters) -> None:
        """Store one evaluation point, after `step` steps and `train_s` seconds of training."""
        self._append("step", step)
        self._append("train_s", train_s)
        for name, score in score_columns(scores).items():
            self._append(name, np.nan if score is None else score)
        for layer, name, values in named_arrays(parameters):
            self._add_parameters(f"{SHORT_NAMES.get(name, name)}{layer + 1}", values)

    def add_losses(self, losses: Array | None) -> None:
        """Store the loss of every step of one segment, where the loop returns them."""
        if losses is not None:
            self.losses.append(np.asarray(losses, dtype=np.float64))

    def _add_parameters(self, name: str, values: Array) -> None:
        if self.stores_parameters:
            self._append(name, np.array(values))
        elif np.isfinite(values).all():
            counts, edges = histogram(values)
            self._append(f"{name}_counts", counts)
            self._append(f"{name}_edges", edges)

    def _append(self, name: str, value: Any) -> None:
        self.columns.setdefault(name, []).append(value)

    def arrays(self) -> dict[str, Array]:
        """Return one array per curve, its first axis the points; `loss` has one value a step."""
        arrays = {name: np.array(values) for name, values in self.columns.items()}
        if self.losses:
            arrays["loss"] = np.concatenate(self.losses)
        return arrays
