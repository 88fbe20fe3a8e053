"""The curves of a trial: what is kept at its evaluation points."""

from typing import Any

import numpy as np

from harness.experiment.network import Network
from harness.results import HISTOGRAM_BINS, WHOLE_PARAMETERS_BELOW
from harness.trainer import Array, Parameters


class Curves:
    """What is taken at evaluation points: losses, accuracies, parameters or their histograms."""

    def __init__(self, network: Network) -> None:
        self.whole = network.parameter_count < WHOLE_PARAMETERS_BELOW
        self.columns: dict[str, list[Any]] = {"step": [], "train_s": []}
        self.losses: list[Array] = []

    def take(
        self,
        step: int,
        train_s: float,
        scores: dict[str, float | None],
        parameters: Parameters,
    ) -> None:
        """Keep what was found after `step` steps."""
        self._append("step", step)
        self._append("train_s", train_s)
        for name, score in scores.items():
            self._append(name, np.nan if score is None else score)
        for index, pair in enumerate(parameters):
            for part_name, values in zip(("W", "b"), pair, strict=True):
                if values is not None:
                    self._take_parameters(f"{part_name}{index + 1}", values)

    def take_losses(self, losses: Array | None) -> None:
        """Keep every step's own loss of one segment, where the loop gives them."""
        if losses is not None:
            self.losses.append(np.asarray(losses, dtype=np.float64))

    def _take_parameters(self, name: str, values: Array) -> None:
        if self.whole:
            self._append(name, np.array(values))
        elif np.isfinite(values).all():
            counts, edges = np.histogram(values, HISTOGRAM_BINS)
            self._append(f"{name}_counts", counts)
            self._append(f"{name}_edges", edges)

    def _append(self, name: str, value: Any) -> None:
        self.columns.setdefault(name, []).append(value)

    def arrays(self) -> dict[str, Array]:
        """One array per curve, the first axis the points; `loss` has every step's own loss."""
        arrays = {name: np.array(values) for name, values in self.columns.items()}
        if self.losses:
            arrays["loss"] = np.concatenate(self.losses)
        return arrays
