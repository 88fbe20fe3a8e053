"""Training from many starts at once: the step of `trainer`, with one axis more.

A step of a tiny network is a microsecond of arithmetic and thirty of calls. Here the same calls
work on all starts side by side: every array has the seeds as its last axis, W (inputs, units,
seeds), b (units, seeds), a (rows, units, seeds).

What works number by number does not see the new axis: activations and update rules are used as
they are. Two things do see it. The gradient of the loss is written again below, without the value
of the loss, which a success rate does not need. The other are the products:
z[r, j, s] = sum_i x[r, i, s] W[i, j, s] has no sum over s, so all products x W are taken first
and then summed over i, and the two products of backward likewise. The data is the same for every
seed: in the first layer W is one wide matrix (inputs, units * seeds).
"""

from collections.abc import Sequence

import numpy as np

from harness.trainer import (
    Array,
    Batches,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Loss,
    LossOfValues,
    MeanSquaredError,
    Parameters,
    SoftmaxCrossEntropy,
    Task,
)
from implementations.numpy_scratch import activations, class_losses, optimizers, value_losses
from implementations.numpy_scratch.around_updates import Clipper, NormBound, Penalties

PRODUCTS = 262_144
"""Starts are trained in groups. The products x W of a group are about this many numbers (2 MB)."""


class ManyDense:
    """`layers.Dense` for many networks; the batch is always all rows, so x is given once.

    Args:
        x: the data (rows, inputs), or a of the layer before, (rows, inputs, seeds).
        W, b: views into the flat parameter buffer of all networks; b is None without bias.
        dW, db: views into its flat gradient buffer, of the same shapes.
        specification: the layer, for its activation.
    """

    def __init__(
        self, x: Array, W: Array, b: Array | None, dW: Array, db: Array | None, specification: Dense
    ) -> None:
        self.x, self.W, self.b, self.dW, self.db = x, W, b, dW, db
        rows, (inputs, units, seeds) = len(x), W.shape
        self.a = np.empty((rows, units, seeds), W.dtype)
        wide = specification.model_copy(update={"units": units * seeds})
        self.activation = activations.make(wide, wide.units, rows, W.dtype.name)
        self.is_first = x.ndim == 2
        self.dx = np.empty_like(x[:0] if self.is_first else x)
        if not self.is_first:
            self.products = np.empty((rows, inputs, units, seeds), W.dtype)

    def forward(self) -> None:
        """a <- f(x W + b)."""
        if self.is_first:
            np.matmul(self.x, _wide(self.W), out=_wide(self.a))
        else:
            np.multiply(self.x[:, :, np.newaxis], self.W, out=self.products)
            np.add.reduce(self.products, axis=1, out=self.a)
        if self.b is not None:
            np.add(self.a, self.b, out=self.a)
        self.activation.forward(_wide(self.a))

    def backward(self, da: Array) -> Array:
        """Fill dW and db from dL/da, and return dL/dx, empty in the first layer.

        dL/da is overwritten.
        """
        d = da
        self.activation.backward(_wide(self.a), _wide(d))
        if self.db is not None:
            np.add.reduce(d, axis=0, out=self.db)
        if self.is_first:
            np.matmul(self.x.T, _wide(d), out=_wide(self.dW))
            return self.dx
        np.multiply(self.x[:, :, np.newaxis], d[:, np.newaxis], out=self.products)
        np.add.reduce(self.products, axis=0, out=self.dW)
        np.multiply(d[:, np.newaxis], self.W, out=self.products)
        np.add.reduce(self.products, axis=2, out=self.dx)
        return self.dx


class Gradient:
    """dL/dz of the losses in `losses` and `value_losses`, where they are derived.

    Args:
        loss: the protocol's loss.
        targets: of all rows, as in `Task`.
        outputs: the number of outputs.
        dtype: of the outputs.
    """

    def __init__(self, loss: Loss, targets: Array, outputs: int, dtype: str) -> None:
        self.loss = loss
        self.of_values: value_losses.ValueLoss | None = None
        self.factor: Array | float = 1.0
        if loss.batch == "mean":
            self.factor = 1 / class_losses.divisor_of(loss, targets)
        if isinstance(loss, LossOfValues | BinaryCrossEntropy):
            y = targets
            self.factor /= outputs if loss.outputs == "mean" else 1
        else:
            y = np.eye(outputs, dtype=dtype)[targets]
        if isinstance(loss, MeanSquaredError):
            self.factor *= 1 if loss.half else 2
        elif isinstance(loss, LossOfValues):
            self.of_values = value_losses.make(loss, outputs, len(targets), dtype)
            self.factor = self.of_values.factor_of(len(targets))
        if isinstance(loss, CrossEntropy):
            y = self._smoothed_and_weighted(loss, y, targets)
        self.y = y[:, :, np.newaxis]

    def _smoothed_and_weighted(self, loss: CrossEntropy, y: Array, targets: Array) -> Array:
        """Return the targets as the loss has them; put the weights of rows into the factor."""
        if loss.class_weights is not None:
            self.factor = self.factor * class_losses.of_rows(loss.class_weights, targets)
            self.factor = self.factor.astype(y.dtype)[:, :, np.newaxis]
        if loss.label_smoothing is None:
            return y
        classes = y.shape[1] if isinstance(loss, SoftmaxCrossEntropy) else 2
        share = loss.label_smoothing.share(classes)
        return (1 - share) * y + share / classes

    def __call__(self, z: Array) -> None:
        """Overwrite z (rows, outputs, seeds) with dL/dz."""
        if self.of_values is not None:
            self.of_values.take(z, self.y, np.empty_like(z))
            np.multiply(z, self.factor, out=z)
            return
        if isinstance(self.loss, BinaryCrossEntropy):
            activations.sigmoid(z)
        elif isinstance(self.loss, SoftmaxCrossEntropy):
            np.subtract(z, z.max(axis=1, keepdims=True), out=z)
            np.exp(z, out=z)
            np.divide(z, z.sum(axis=1, keepdims=True), out=z)
        np.subtract(z, self.y, out=z)
        np.multiply(z, self.factor, out=z)


def train(task: Task, starts: Sequence[Parameters], batches: Batches) -> list[Parameters]:
    """Return the parameters that each start ends with. Every batch is all rows of the data."""
    shapes = [W.shape for W, _ in task.parameters[1:]]
    products = max((len(task.inputs) * inputs * units for inputs, units in shapes), default=1)
    group = max(1, PRODUCTS // products)
    ends: list[Parameters] = []
    for first in range(0, len(starts), group):
        ends += _train_group(task, starts[first : first + group], batches)
    return ends


def _train_group(task: Task, starts: Sequence[Parameters], batches: Batches) -> list[Parameters]:
    """Train one group of starts: forward, gradient of the loss, backward and update per batch."""
    assert task.loss is not None
    assert task.targets is not None
    assert task.optimizer is not None
    layers, w, g = _networks(task, starts)
    overwrite_with_gradient = Gradient(task.loss, task.targets, task.network.outputs, task.dtype)
    weights = [layer.W for layer in layers]
    rule = optimizers.make(task.optimizer, w, g, weights)
    gradients = [(layer.dW, layer.db) for layer in layers]
    pairs = list(zip([(layer.W, layer.b) for layer in layers], gradients, strict=True))
    penalties = Penalties(task.l2, task.l1, pairs)
    clipper, bound = Clipper(task.clipping, gradients), NormBound(task.max_norm, weights)
    clips_first = task.clipping is not None and task.clipping.includes_penalty is False
    ends_linear = task.network.output_layer.activation == "identity"
    with np.errstate(over="ignore"):  # as in `NumpyTrainer.advance`
        for rate in batches.learning_rates.tolist():
            for layer in layers:
                layer.forward()
            gradient = layers[-1].a if ends_linear else layers[-1].a.copy()
            overwrite_with_gradient(gradient)
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            if clips_first:
                clipper.clip()
            penalties.add(len(task.inputs))
            if not clips_first:
                clipper.clip()
            rule.update(rate)
            bound.apply()
    return [
        [
            (layer.W[..., seed].copy(), None if layer.b is None else layer.b[..., seed].copy())
            for layer in layers
        ]
        for seed in range(len(starts))
    ]


def _networks(task: Task, starts: Sequence[Parameters]) -> tuple[list[ManyDense], Array, Array]:
    """Return the layers of all networks, and the two flat buffers, as `trainer` does for one."""
    w = np.empty(task.network.parameter_count * len(starts), task.dtype)
    g = np.empty_like(w)
    used = 0

    def views(of_seeds: Sequence[Array]) -> tuple[Array, Array]:
        nonlocal used
        values = np.stack(of_seeds, axis=-1)
        piece = slice(used, used + values.size)
        used += values.size
        w[piece] = values.ravel()
        return w[piece].reshape(values.shape), g[piece].reshape(values.shape)

    layers: list[ManyDense] = []
    for specification, pairs in zip(
        task.network.dense_layers, zip(*starts, strict=True), strict=True
    ):
        W, dW = views([weights for weights, _ in pairs])
        biases = [values for _, values in pairs if values is not None]
        b, db = views(biases) if biases else (None, None)
        x = layers[-1].a if layers else task.inputs
        layers.append(ManyDense(x, W, b, dW, db, specification))
    return layers, w, g


def _wide(values: Array) -> Array:
    """Return the array with all axes except the first made one, without a copy."""
    return values.reshape(len(values), -1)
