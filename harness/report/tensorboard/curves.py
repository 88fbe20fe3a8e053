"""A trial's stored curves. What does not fit its steps or its network is left out."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.experiment.model import Experiment
from harness.experiment.network import Network, WeightedLayer
from harness.parity.functions import Floats
from harness.parity.reference import Reference
from harness.results import Row
from harness.trainer import Array, DenseParameters, LayerParameters, NoParameters, Parameters

SUBSETS = ("train", "validation", "test")
TIMES = ("train_s", "first_step_s", "step_us")


class StoredCurves:
    """What `harness.trial.curves` stored of a trial.

    Attributes:
        steps: int64 (points,), the evaluation points.
        train_s: (points,) training time at each, without the first step.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = {name: a for name, a in arrays.items() if a.dtype.kind in "iuf" and a.ndim}
        self.steps = self._steps("step")
        times = self.at_points("train_s")
        self.train_s = np.zeros(len(self.steps))
        if times is not None and times.ndim == 1:
            self.train_s += np.nan_to_num(times, posinf=0, neginf=0)

    def _steps(self, name: str) -> NDArray[np.int64]:
        steps = self.arrays.get(name)
        fits = steps is not None and steps.ndim == 1 and steps.dtype.kind in "iu"
        return np.asarray(steps if fits else (), np.int64)

    def at_points(self, name: str) -> Array | None:
        """Return the (points, ...) array of that name, or None."""
        array = self.arrays.get(name)
        return array if array is not None and len(array) == len(self.steps) else None

    def time_at(self, step: float) -> float:
        """Return the training seconds after a step, interpolated between evaluation points."""
        return float(np.interp(step, self.steps, self.train_s)) if len(self.steps) else 0.0

    def histograms(self, name: str) -> tuple[Array, Array] | None:
        """Return (points, bins) counts and (points, bins + 1) edges of a parameter, or None."""
        counts, edges = self.at_points(f"{name}_counts"), self.at_points(f"{name}_edges")
        if counts is None or edges is None or counts.ndim != 2 or edges.ndim != 2:
            return None
        return (counts, edges) if edges.shape[1] == counts.shape[1] + 1 else None

    def parameters_at(self, point: int, network: Network) -> Parameters | None:
        """Return the whole parameters at an evaluation point, or None."""
        parameters: list[LayerParameters] = []
        for number, (layer, rows) in enumerate(
            zip(network.layers, network.row_shapes, strict=False), 1
        ):
            if not isinstance(layer, WeightedLayer):
                parameters.append(NoParameters())
                continue
            shape = layer.weights_shape(rows)
            W, b = self.at_points(f"W{number}"), self.at_points(f"b{number}")
            if W is None or W.shape[1:] != shape:
                return None
            if layer.bias and (b is None or b.shape[1:] != shape[-1:]):
                return None
            biases = b[point] if layer.bias and b is not None else None
            parameters.append(DenseParameters(W[point], biases))
        return parameters

    def scalars(self, row: Row) -> Iterator[tuple[str, Array, Array]]:
        """Yield (tag, steps, values). A score without a curve is its last value, from the row."""
        last = np.array([row.steps or 0])
        for subset in SUBSETS:
            for kind in ("loss", "accuracy"):
                values, final = self.at_points(f"{subset}_{kind}"), getattr(row, f"{subset}_{kind}")
                if values is not None and values.ndim == 1:
                    yield f"{kind}/{subset}", self.steps, values
                elif final is not None:
                    yield f"{kind}/{subset}", last, np.array([final])
        losses = self.arrays.get("loss")
        if losses is not None and losses.ndim == 1:
            yield "loss/batch", np.arange(1, len(losses) + 1), losses
        steps, watched = self._steps("watch_step"), self.arrays.get("watch_validation_accuracy")
        if watched is not None and watched.shape == steps.shape:
            yield "accuracy/watched", steps, watched
        for name in TIMES:
            if (value := getattr(row, name)) is not None:
                yield f"time/{name}", last, np.array([value])


def layer_outputs(experiment: Experiment, parameters: Parameters, inputs: Array) -> list[Floats]:
    """Return (rows, numbers) of every layer in prediction, in float64, by the oracle."""
    with np.errstate(all="ignore"):  # parameters that diverge may overflow
        return Reference(experiment, parameters, inputs, None).outputs_of_layers(inputs)
