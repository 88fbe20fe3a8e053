"""The oracle: a slow, plain network in NumPy that judges every adapter, the NumPy one included.

Every line is the textbook's formula on whole arrays; nothing is done in place, nothing is fast.
It has no options: what it computes is the protocol. Finite differences and a step worked by hand
prove it (`tests/parity`). `mistakes` overrides some of its methods to be wrong in a known way.

Its update rules are in `reference_updates`.

Shapes: X (rows, inputs), W (inputs, outputs), b (outputs,), z = X W + b (rows, outputs).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.experiment.gradients import Clipping
from harness.experiment.losses import CrossEntropy, Loss
from harness.experiment.model import Experiment
from harness.experiment.network import Dense, Dropout
from harness.parameters import map_arrays, map_biases, named_arrays
from harness.parity.functions import Floats, activate, log_softmax, sigmoid, slope, softmax
from harness.parity.loss_functions import of_values
from harness.parity.reference_updates import Pairs, ReferenceUpdates, clipped
from harness.start import given, given_loss, given_network
from harness.trainer import (
    Array,
    Batches,
    DenseParameters,
    NoParameters,
    Parameters,
    unpacked,
)

Mask = NDArray[np.uint8]
"""(rows, units): 1 where a number is kept."""
Masks = Sequence[Mask]
"""Of every dropout layer."""


class Reference(ReferenceUpdates):
    """A network that trains as the protocol says.

    Args:
        experiment: the protocol.
        parameters: the start.
        inputs, targets: as in `harness.trainer.Task`.
        dtype: the precision of parameters, activations and gradients. Losses are float64.
    """

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        dtype: str = "float64",
    ) -> None:
        self.experiment, self.dtype = experiment, dtype
        self.inputs, self.targets = inputs, targets
        self.layers = given_network(experiment).layers
        training = experiment.training
        self.loss = given_loss(experiment)
        self.rule = given(training.optimizer, experiment) if training else None
        self.penalties = [given(training.l2, experiment)] if training and training.l2 else []
        self.l1 = given(training.l1, experiment) if training else None
        self.clipping = given(training.clipping, experiment) if training else None
        self.max_norm = given(training.max_norm, experiment) if training else None
        self.pairs = map_arrays(lambda values: np.array(values, dtype), parameters)
        self._empty_memory()

    def parameters(self) -> Parameters:
        """Return copies of the parameters, in the contract's layout."""
        return map_arrays(np.copy, self.pairs)

    # ------------------------------------------------------------ forward

    def predict(self, inputs: Array, masks: Masks | None = None) -> Floats:
        """Return the raw outputs (rows, outputs); with masks those of a training step."""
        _, values = self._forward(np.asarray(inputs, self.dtype), masks)
        return values[-1]

    def _forward(self, X: Floats, masks: Masks | None = None) -> tuple[list[Floats], list[Floats]]:
        """Return every z, and X and every a, layer by layer.

        z = a W + b and a = f(z) of dense layers. A dropout layer multiplies its inputs by factors,
        which stand in place of its z.

        Args:
            X: the inputs.
            masks: of the dropout layers; None in prediction.
        """
        zs: list[Floats] = []
        values = [X]
        given = iter(masks or ())
        for layer, entry in zip(self.layers, self.pairs, strict=True):
            if isinstance(layer, Dropout):
                mask = None if masks is None else next(given)
                zs.append(self._dropout_factors(layer, values[-1], mask))
                values.append(values[-1] * zs[-1])
                continue
            z = self._affine(values[-1], *entry)
            zs.append(z)
            values.append(self._activate(layer, z))
        return zs, values

    def _dropout_factors(self, layer: Dropout, a: Floats, mask: Mask | None) -> Floats:
        """Factors of the inputs (rows, units): the mask times the scale of training, or a scale."""
        if mask is None:
            return np.full_like(a, layer.prediction_scale)
        factors: Floats = (mask * layer.training_scale).astype(a.dtype)
        return factors

    def _affine(self, a: Floats, W: Floats, b: Floats | None) -> Floats:
        z: Floats = a @ W
        return z if b is None else z + b

    def _activate(self, layer: Dense, z: Floats) -> Floats:
        return activate(layer, z)

    # ------------------------------------------------------------ loss and gradients

    def loss_and_gradients(
        self,
        X: Floats,
        y: Array,
        counted: int,
        clipping: Clipping | None = None,
        masks: Masks | None = None,
    ) -> tuple[float, Pairs]:
        """The loss of the first `counted` rows with its penalties, and its gradients.

        Those of the penalties are added before the gradients are clipped, or after that. Without
        masks dropout layers do as in prediction.
        """
        loss, gradients = self._data_loss(X, y, counted, masks)
        penalty, more = self._penalty(counted)
        if clipping is not None and clipping.includes_penalty is False:
            gradients = clipped(clipping, gradients)
        if more is not None:
            gradients = map_arrays(np.add, gradients, more)
        if clipping is not None and clipping.includes_penalty is not False:
            gradients = clipped(clipping, gradients)
        return loss + penalty, gradients

    def _penalty(self, counted: int) -> tuple[float, Pairs | None]:
        """c * sum w^2, whose gradient is 2 c w, and c * sum |w|, whose gradient is c sign(w)."""
        total, gradients = 0.0, map_arrays(np.zeros_like, self.pairs)
        for l2 in self.penalties:
            c, w = l2.coefficient(counted), penalised(self.pairs, l2.on)
            total += c * sum_of(np.square, w)
            gradients = map_arrays(np.add, gradients, map_arrays(lambda w, c=c: 2 * c * w, w))
        if self.l1 is not None:
            c, w = self.l1.coefficient(counted), penalised(self.pairs, self.l1.on)
            total += c * sum_of(np.abs, w)
            gradients = map_arrays(np.add, gradients, map_arrays(lambda w: c * np.sign(w), w))
        return total, gradients if self.penalties or self.l1 else None

    def _data_loss(
        self, X: Floats, y: Array, counted: int, masks: Masks | None = None
    ) -> tuple[float, Pairs]:
        """The loss without penalties, and its gradients.

        Backpropagation, from the last layer to the first: with delta = dL/dz = dL/da * f'(z),
        dL/dW = a^T delta of the a below, dL/db = the sum of delta over the rows, and
        dL/da = delta W^T of the a below. A dropout layer hands down its dL/da times its factors.
        """
        zs, values = self._forward(X, masks)
        loss, da = self._output_loss(values[-1], y, counted)
        gradients: Pairs = []
        for index in reversed(range(len(self.pairs))):
            layer = self.layers[index]
            if isinstance(layer, Dropout):
                gradients.insert(0, NoParameters())
                da = da * zs[index]
                continue
            W, b = self.pairs[index]
            delta = da * self._slope(layer, zs[index])
            dW = self._weights_gradient(values[index], delta)
            db = None if b is None else self._biases_gradient(delta)
            gradients.insert(0, DenseParameters(dW, db))
            da = self._inputs_gradient(delta, W)
        return loss, gradients

    def _slope(self, layer: Dense, z: Floats) -> Floats:
        return slope(layer, z)

    def _weights_gradient(self, a: Floats, delta: Floats) -> Floats:
        product: Floats = a.T @ delta
        return product

    def _biases_gradient(self, delta: Floats) -> Floats:
        total: Floats = delta.sum(axis=0)
        return total

    def _inputs_gradient(self, delta: Floats, W: Floats) -> Floats:
        product: Floats = delta @ W.T
        return product

    def _output_loss(self, outputs: Floats, y: Array, counted: int) -> tuple[float, Floats]:
        """L = sum of row weight * loss over all rows and outputs, and dL/da of the outputs."""
        if self.loss is None:
            raise ValueError(f"{self.experiment.name} has no loss")
        row_weights = self._row_weights(self.loss, outputs, y, counted)
        losses, slopes = self._losses(self.loss, outputs, y)
        return float((row_weights * losses).sum()), row_weights * slopes

    def _row_weights(self, loss: Loss, outputs: Floats, y: Array, counted: int) -> Floats:
        """(rows, 1): 1, or 1 / rows, or 1 / (rows * outputs) for means; 0 from row `counted` on.

        With weights of classes, w in place of 1, and perhaps their sum in place of rows.
        """
        weights = (np.arange(len(outputs)) < counted).astype(self.dtype)[:, np.newaxis]
        divisor = np.asarray(counted, self.dtype)
        if isinstance(loss, CrossEntropy) and loss.class_weights is not None:
            w = np.asarray(loss.class_weights.values, self.dtype)
            weights = weights * w[np.asarray(y, np.int64).reshape(-1, 1)]
            if loss.class_weights.mean_over == "weights":
                divisor = weights.sum()
        if loss.batch == "mean":
            weights = weights / divisor
        if loss.name != "softmax_cross_entropy" and loss.outputs == "mean":
            weights = weights / np.asarray(outputs.shape[1], self.dtype)
        return weights

    def _losses(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        """The loss of every row and output, and its derivative by z.

        Softmax cross-entropy of targets t: -t log softmax(z); summed, its slope is softmax(z) - t.
        Binary cross-entropy, p = sigmoid(z): -y log p - (1 - y) log(1 - p) = log(1 + e^z) - y z,
        slope p - y. The losses of values are in `loss_functions`.
        """
        t = self._targets(loss, z, y)
        if loss.name == "softmax_cross_entropy":
            return -(t * log_softmax(z)), softmax(z) - t
        if loss.name == "binary_cross_entropy":
            return np.logaddexp(0, z) - t * z, sigmoid(z) - t
        return of_values(loss, z, t)

    def _targets(self, loss: Loss, z: Floats, y: Array) -> Floats:
        """What z is compared with: values, or y one-hot or as bits, perhaps (1 - s) y + s / k."""
        of_classes = loss.name == "softmax_cross_entropy"
        t: Floats = np.asarray(y, self.dtype)
        if of_classes:
            t = np.eye(z.shape[1], dtype=self.dtype)[np.asarray(y)]
        if not isinstance(loss, CrossEntropy) or loss.label_smoothing is None:
            return t
        classes = z.shape[1] if of_classes else 2
        share = loss.label_smoothing.share(classes)
        smoothed: Floats = (1 - share) * t + np.asarray(share / classes, self.dtype)
        return smoothed

    # ------------------------------------------------------------ training

    def advance(self, batches: Batches) -> Floats:
        """Train on these batches and return the loss of every step, before its update."""
        if self.targets is None:
            raise ValueError(f"{self.experiment.name} has no targets")
        X, y = np.asarray(self.inputs, self.dtype), np.asarray(self.targets)
        losses = []
        for step, rate in enumerate(batches.learning_rates.tolist()):
            rows = slice(None) if batches.rows is None else batches.rows[step]
            masks = masks_of(batches, step, self.experiment)
            losses.append(self._step(X[rows], y[rows], int(batches.sizes[step]), rate, masks))
        return np.array(losses)

    def _step(
        self, X: Floats, y: Array, counted: int, rate: float, masks: Masks | None = None
    ) -> float:
        """One step of training; returns the loss before the update."""
        loss, gradients = self.loss_and_gradients(X, y, counted, self.clipping, masks)
        self._update(gradients, rate)
        return loss


def masks_of(batches: Batches, step: int, experiment: Experiment) -> Masks | None:
    """Return the masks of one step of these batches; None for a network without dropout."""
    if not batches.masks:
        return None
    widths = experiment.network.dropout_widths
    return [unpacked(m[step], width) for m, width in zip(batches.masks, widths, strict=True)]


# ---------------------------------------------------------------- parameters, layer by layer


def penalised(pairs: Pairs, on: str) -> Pairs:
    """Return the parameters with zeros in place of biases that a penalty is not on."""
    if on == "all":
        return pairs
    return map_biases(np.zeros_like, pairs)


def sum_of(function: Callable[[Floats], Floats], pairs: Pairs) -> float:
    """Return the sum of a function of all numbers."""
    return sum(float(function(array.values).sum()) for array in named_arrays(pairs))
