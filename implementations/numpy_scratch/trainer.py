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

ROWS_AT_ONCE = 1_000
"""At most so many rows go through the network at once, in training and in prediction.

A larger batch is a sum over blocks. A block of 784 inputs is 3 MB: it is still in a cache when
the backward pass reads it again, so that one step reads the data from memory once.
"""


class NumpyTrainer(StepTrainer):
    """A multi-layer perceptron in NumPy.

    One step: for every block of the batch's rows gather them, forward through the layers, loss
    and its gradient, backward through the layers; then update.
    """

    loops = ("stepwise",)

    def __init__(self, task: Task) -> None:
        if task.device == "cuda":
            raise DeviceUnavailableError("NumPy computes on the CPU only")
        self.task = task
        self.layers, w, g = _network(task)
        if task.loss is not None and task.optimizer is not None:
            width = task.network.outputs
            self.loss = losses.make(
                task.loss, width, min(task.batch_size, ROWS_AT_ONCE), task.dtype
            )
            self.rule = optimizers.make(task.optimizer, w, g)
        self.ends_linear = task.network.layers[-1].activation == "identity"
        self.batch = _Batch(task)

    def advance(self, batches: Batches) -> Array:
        """Train step by step; every array is overwritten in place."""
        step_losses = np.empty(len(batches))
        rates = batches.learning_rates.tolist()
        with np.errstate(over="ignore"):  # exp(-z) in sigmoid: 1 / (1 + inf) is the right 0
            for step, size in enumerate(batches.sizes.tolist()):
                step_losses[step] = self._loss_and_gradients(batches, step, size)
                self.rule.update(rates[step])
        return step_losses

    def _loss_and_gradients(self, batches: Batches, step: int, size: int) -> float:
        """The loss of one batch; its gradients lie in the flat buffer."""
        loss = 0.0
        for first in range(0, size, ROWS_AT_ONCE):
            x, y = self.batch.take(batches, step, first, min(first + ROWS_AT_ONCE, size))
            loss += self._block(x, y, size, add=first > 0)
        if self.task.l2 is not None:
            loss += self._penalize(self.task.l2.coefficient(size))
        return loss

    def _block(self, x: Array, y: Array, batch_size: int, add: bool) -> float:
        """Forward, loss, backward; return what these rows bring to the batch's loss."""
        values = [x]
        for layer in self.layers:
            values.append(layer.forward(values[-1]))
        # the loss overwrites the outputs, which a last layer that is not linear needs in backward
        gradient = values[-1] if self.ends_linear else values[-1].copy()
        loss = self.loss(gradient, y, batch_size)
        for layer, x_of_layer in zip(reversed(self.layers), reversed(values[:-1]), strict=True):
            gradient = layer.backward(x_of_layer, gradient, add)
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
        with np.errstate(over="ignore"):
            for first in range(0, len(inputs), ROWS_AT_ONCE):
                a = inputs[first : first + ROWS_AT_ONCE]
                for layer in self.layers:
                    a = layer.forward(a)
                outputs[first : first + ROWS_AT_ONCE] = a
        return outputs


class _Batch:
    """Where a block of a batch is gathered to; of full batches it is the data itself."""

    def __init__(self, task: Task) -> None:
        self.inputs, self.targets = task.inputs, task.targets
        block = min(task.batch_size, ROWS_AT_ONCE)
        self.x = np.empty((block, task.inputs.shape[1]), task.dtype)
        if task.targets is not None:
            self.y = np.empty((block, *task.targets.shape[1:]), task.targets.dtype)

    def take(self, batches: Batches, step: int, first: int, stop: int) -> tuple[Array, Array]:
        """(x, y) of rows `first` to `stop` of one step's batch.

        `mode="clip"` lets NumPy's `take` write without a buffer of its own.
        """
        if batches.rows is None:
            return self.inputs[first:stop], self.targets[first:stop]
        rows = batches.rows[step, first:stop]
        x, y = self.x[: stop - first], self.y[: stop - first]
        self.inputs.take(rows, axis=0, out=x, mode="clip")
        self.targets.take(rows, axis=0, out=y, mode="clip")
        return x, y


def _network(task: Task) -> tuple[list[Dense], Array, Array]:
    """Layers over one flat parameter buffer and one flat gradient buffer, and the two."""
    w = np.empty(task.network.parameter_count, task.dtype)
    g = np.empty_like(w)
    several = task.batch_size > ROWS_AT_ONCE
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
        activation = activations.make(specification, ROWS_AT_ONCE, task.dtype)
        layers.append(Dense(W, b, dW, db, activation, ROWS_AT_ONCE, not layers, several))
    return layers, w, g
