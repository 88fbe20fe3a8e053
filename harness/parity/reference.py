"""The oracle: a slow, plain network in NumPy that judges every adapter, the NumPy one included.

Every line is the textbook's formula on whole arrays; nothing is done in place, nothing is fast.
It has no options: what it computes is the protocol. Finite differences and a step worked by hand
prove it (`tests/parity`). `mistakes` overrides some of its methods to be wrong in a known way.

Its update rules are in `reference_updates`.

Shapes: X (rows, inputs), W (inputs, outputs), b (outputs,), z = X W + b (rows, outputs). A row that
is an image stays a row of numbers between layers, channels fastest; `reference_images` has what is
done to images. A convolution is a product too: its x has a row for each place of the kernel.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.experiment.gradients import Clipping
from harness.experiment.image_layers import Flatten, Shape
from harness.experiment.losses import CrossEntropy, Loss
from harness.experiment.model import Experiment
from harness.experiment.network import Dense, Dropout, Layer, WeightedLayer
from harness.parameters import like, map_arrays, map_biases, named_arrays
from harness.parity.functions import Floats, activate, log_softmax, sigmoid, slope, softmax
from harness.parity.loss_functions import of_values
from harness.parity.reference_images import (
    Pool,
    flattened,
    matrix,
    pool_factors,
    pooled,
    seen,
    unflattened,
    unpooled,
    unseen,
)
from harness.parity.reference_updates import Pairs, ReferenceUpdates, clipped
from harness.start import given, given_loss, given_network
from harness.trainer import (
    Array,
    Batches,
    NoParameters,
    Parameters,
    unpacked,
)

Mask = NDArray[np.uint8]
"""(rows, units): 1 where a number is kept."""
Masks = Sequence[Mask]
"""Of every dropout layer."""
ROWS_AT_ONCE = 250
"""Images that are predicted at once: a convolution needs several times their memory."""


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
        self.row_shapes = experiment.network.row_shapes
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
        X = np.asarray(inputs, self.dtype)
        if masks is not None or len(X) <= ROWS_AT_ONCE or not self.experiment.network.takes_images:
            return self._forward(X, masks)[1][-1]
        blocks = np.split(X, range(ROWS_AT_ONCE, len(X), ROWS_AT_ONCE))
        return np.concatenate([self._forward(block)[1][-1] for block in blocks])

    def outputs_of_layers(self, inputs: Array) -> list[Floats]:
        """Return (rows, numbers) behind every layer, in prediction."""
        return self._forward(np.asarray(inputs, self.dtype))[1][1:]

    def _forward(self, X: Floats, masks: Masks | None = None) -> tuple[list[Floats], list[Floats]]:
        """Return every z, and X and every a, layer by layer.

        z = a W + b and a = f(z) of layers with weights. Dropout multiplies its inputs by factors,
        and pooling sums over a window its numbers times factors; these stand in place of a z.

        Args:
            X: the inputs.
            masks: of the dropout layers; None in prediction.
        """
        zs: list[Floats] = []
        values = [X]
        given = iter(masks or ())
        stack = zip(self.layers, self.row_shapes, self.pairs, strict=False)
        for layer, shape, entry in stack:
            a = values[-1]
            if isinstance(layer, WeightedLayer):
                W, b = entry
                z = self._affine(self._seen(layer, a, shape), matrix(W), b).reshape(len(a), -1)
                value = self._activate(layer, z)
            elif isinstance(layer, Dropout):
                z = self._dropout_factors(layer, a, None if masks is None else next(given))
                value = a * z
            else:
                z, value = self._of_image(layer, a, shape)
            zs.append(z)
            values.append(value)
        return zs, values

    def _seen(self, layer: WeightedLayer, a: Floats, shape: Shape) -> Floats:
        """The x of the product x W: a, or what the kernel of a convolution sees in each place."""
        return a if isinstance(layer, Dense) else seen(layer, a, shape)

    def _unseen(self, layer: WeightedLayer, dx: Floats, shape: Shape) -> Floats:
        """dL/da from the gradient of what `_seen` returns."""
        return dx if isinstance(layer, Dense) else unseen(layer, dx, shape)

    def _of_image(self, layer: Layer, a: Floats, shape: Shape) -> tuple[Floats, Floats]:
        """The factors of pooling, none of flatten, and the outputs."""
        if isinstance(layer, Flatten):
            return a[:0], self._flattened(layer, a, shape)
        assert isinstance(layer, Pool)
        factors = self._pool_factors(layer, a, shape)
        return factors, pooled(layer, a, shape, factors)

    def _pool_factors(self, layer: Pool, a: Floats, shape: Shape) -> Floats:
        return pool_factors(layer, a, shape)

    def _pool_slopes(self, layer: Pool, a: Floats, shape: Shape, factors: Floats) -> Floats:
        """The derivative of what is pooled by each number of a window."""
        return factors

    def _flattened(self, layer: Flatten, a: Floats, shape: Shape) -> Floats:
        return flattened(layer, a, shape)

    def _unflattened(self, layer: Flatten, da: Floats, shape: Shape) -> Floats:
        return unflattened(layer, da, shape)

    def _dropout_factors(self, layer: Dropout, a: Floats, mask: Mask | None) -> Floats:
        """Factors of the inputs (rows, units): the mask times the scale of training, or a scale."""
        if mask is None:
            return np.full_like(a, layer.prediction_scale)
        factors: Floats = (mask * layer.training_scale).astype(a.dtype)
        return factors

    def _affine(self, a: Floats, W: Floats, b: Floats | None) -> Floats:
        z: Floats = a @ W
        return z if b is None else z + b

    def _activate(self, layer: WeightedLayer, z: Floats) -> Floats:
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
        dL/da = delta W^T of the a below. A dropout layer hands down its dL/da times its factors,
        and so does pooling, to each number of a window.
        """
        zs, values = self._forward(X, masks)
        loss, da = self._output_loss(values[-1], y, counted)
        gradients: Pairs = []
        for index in reversed(range(len(self.pairs))):
            layer, shape = self.layers[index], self.row_shapes[index]
            if not isinstance(layer, WeightedLayer):
                gradients.insert(0, NoParameters())
                da = self._way_back(layer, da, values[index], zs[index], shape)
                continue
            W, b = self.pairs[index]
            delta = (da * self._slope(layer, zs[index])).reshape(-1, W.shape[-1])
            dW = self._weights_gradient(self._seen(layer, values[index], shape), delta)
            db = None if b is None else self._biases_gradient(delta)
            gradients.insert(0, like(self.pairs[index], [dW.reshape(W.shape), db]))
            da = self._unseen(layer, self._inputs_gradient(delta, matrix(W)), shape)
        return loss, gradients

    def _way_back(
        self, layer: Layer, da: Floats, a: Floats, factors: Floats, shape: Shape
    ) -> Floats:
        """dL/da of the a below a layer without weights."""
        if isinstance(layer, Flatten):
            return self._unflattened(layer, da, shape)
        if isinstance(layer, Dropout):
            below: Floats = da * factors
            return below
        assert isinstance(layer, Pool)
        return unpooled(layer, da, shape, self._pool_slopes(layer, a, shape, factors))

    def _slope(self, layer: WeightedLayer, z: Floats) -> Floats:
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
