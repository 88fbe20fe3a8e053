"""The NumPy adapter: layers, loss and update rule behind the contract."""

from collections.abc import Callable, Sequence

import numpy as np

from harness.trainer import (
    Array,
    Batches,
    DeviceUnavailableError,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.numpy_scratch import activations, losses, many_seeds, optimizers
from implementations.numpy_scratch.layers import Dense

PREDICTED_ROWS = 1_000
"""`predict` takes at least so many rows at a time, however small the batches are."""


class NumpyTrainer(StepTrainer):
    """A multi-layer perceptron in NumPy.

    One step: gather the batch's rows, forward through the layers, loss and its gradient,
    backward through the layers, update.
    """

    loops = ("stepwise",)

    def __init__(self, task: Task) -> None:
        if task.device == "cuda":
            raise DeviceUnavailableError("NumPy computes on the CPU only")
        self.task = task
        self.layers, w, g = _network(task)
        if task.loss is not None and task.optimizer is not None:
            width = task.network.outputs
            self.loss = losses.make(task.loss, width, task.batch_size, task.dtype)
            self.rule = optimizers.make(task.optimizer, w, g)
        self.ends_linear = task.network.layers[-1].activation == "identity"
        self.batch = _Batch(task)

    def advance(self, batches: Batches) -> Array:
        """Train step by step; every array is overwritten in place."""
        step_losses = np.empty(len(batches))
        with np.errstate(over="ignore"):  # exp(-z) in sigmoid: 1 / (1 + inf) is the right 0
            for step, rate in enumerate(batches.learning_rates.tolist()):
                x, y = self.batch.take(batches, step)
                step_losses[step] = self._step(x, y, rate)
        return step_losses

    def _step(self, x: Array, y: Array, rate: float) -> float:
        """Forward, loss, backward, update; the loss is that before the update."""
        values = [x]
        for layer in self.layers:
            values.append(layer.forward(values[-1]))
        # the loss overwrites the outputs, which a last layer that is not linear needs in backward
        gradient = values[-1] if self.ends_linear else values[-1].copy()
        loss = self.loss(gradient, y)
        for layer, x_of_layer in zip(reversed(self.layers), reversed(values[:-1]), strict=True):
            gradient = layer.backward(x_of_layer, gradient)
        if self.task.l2 is not None:
            loss += self._penalize(self.task.l2.coefficient(len(x)))
        self.rule.update(rate)
        return loss

    def _penalize(self, c: float) -> float:
        """Add 2 c w, the gradient of c * sum w^2, to the gradients; return that sum."""
        pairs = [(layer.W, layer.dW) for layer in self.layers]
        if self.task.l2.on == "all":
            pairs += [(layer.b, layer.db) for layer in self.layers if layer.b is not None]
        total = 0.0
        for w, dw in pairs:
            total += np.dot(w.ravel(), w.ravel())
            dw += 2 * c * w
        return c * total

    def parameters(self) -> Parameters:
        """Copies out of the flat buffer."""
        return [
            (layer.W.copy(), None if layer.b is None else layer.b.copy()) for layer in self.layers
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """The three products of `Dense`, into buffers made once."""
        work = [
            (x, W, d, np.empty_like(x), np.empty_like(W), np.empty_like(d)) for x, W, d in operands
        ]

        def multiply(times: int) -> None:
            for _ in range(times):
                for index, (x, W, d, dx, dW, z) in enumerate(work):
                    np.matmul(x, W, out=z)
                    np.matmul(x.T, d, out=dW)
                    if index > 0:
                        np.matmul(d, W.T, out=dx)

        return multiply

    def many_seeds(
        self, starts: Sequence[Parameters], batches: Batches
    ) -> Sequence[Parameters] | None:
        """All starts side by side, for every protocol of full batches."""
        if batches.rows is not None:
            return None
        return many_seeds.train(self.task, starts, batches)

    def predict(self, inputs: Array) -> Array:
        """Forward in blocks of rows, in the buffers that training uses."""
        outputs = np.empty((len(inputs), self.task.network.outputs), self.task.dtype)
        rows = len(self.layers[0].a)
        with np.errstate(over="ignore"):
            for first in range(0, len(inputs), rows):
                a = inputs[first : first + rows]
                for layer in self.layers:
                    a = layer.forward(a)
                outputs[first : first + rows] = a
        return outputs


class _Batch:
    """Where a batch's rows are gathered to; full batches are the data itself."""

    def __init__(self, task: Task) -> None:
        self.inputs, self.targets = task.inputs, task.targets
        self.x = np.empty((task.batch_size, task.inputs.shape[1]), task.dtype)
        if task.targets is not None:
            self.y = np.empty((task.batch_size, *task.targets.shape[1:]), task.targets.dtype)

    def take(self, batches: Batches, step: int) -> tuple[Array, Array]:
        """(x, y) of one step; `mode="clip"` lets `take` write without a buffer of its own."""
        if batches.rows is None:
            return self.inputs, self.targets
        size = batches.sizes[step]
        rows = batches.rows[step, :size]
        x, y = self.x[:size], self.y[:size]
        self.inputs.take(rows, axis=0, out=x, mode="clip")
        self.targets.take(rows, axis=0, out=y, mode="clip")
        return x, y


def _network(task: Task) -> tuple[list[Dense], Array, Array]:
    """Layers over one flat parameter buffer and one flat gradient buffer, and the two."""
    w = np.empty(task.network.parameter_count, task.dtype)
    g = np.empty_like(w)
    rows = max(task.batch_size, PREDICTED_ROWS)
    layers = []
    start = 0
    for specification, (weights, biases) in zip(task.network.layers, task.parameters, strict=True):
        views = []
        for values in (weights, biases):
            if values is None:
                views.append((None, None))
                continue
            stop = start + values.size
            view = w[start:stop].reshape(values.shape)
            view[...] = values
            views.append((view, g[start:stop].reshape(values.shape)))
            start = stop
        (W, dW), (b, db) = views
        activation = activations.make(specification, rows, task.dtype)
        layers.append(Dense(W, b, dW, db, activation, rows, first=not layers))
    return layers, w, g
