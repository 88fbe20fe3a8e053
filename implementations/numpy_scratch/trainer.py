"""The NumPy adapter: layers, loss and update rule behind the contract."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from harness import trainer as specifications
from harness.trainer import (
    Array,
    Batches,
    DeviceUnavailableError,
    Network,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.numpy_scratch import (
    activations,
    class_losses,
    losses,
    many_seeds,
    optimizers,
)
from implementations.numpy_scratch.around_updates import Clipper, NormBound, Penalties
from implementations.numpy_scratch.dropout import Dropout
from implementations.numpy_scratch.images import Conv, Flattened, Pool
from implementations.numpy_scratch.layers import Dense

ROWS_AT_ONCE = 1_000
"""The largest number of rows that go through the network at once.

A larger batch is a sum over blocks. A block of 784 inputs is 3 MB. The block is still in a cache
when the backward pass reads it again, so one step reads the data from memory once.
"""
NUMBERS_AT_ONCE = 2**19
"""The same for images: numbers of the widest layer. In float32 they are 2 MB."""

Layer = Dense | Dropout | Conv | Pool | Flattened


class NumpyTrainer(StepTrainer):
    """A multi-layer perceptron in NumPy.

    A step takes the batch's rows block by block: gather the rows, go forward through the layers,
    take the loss and its gradient, go backward through the layers. Then it updates.
    """

    loops = ("stepwise",)
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")

    def __init__(self, task: Task) -> None:
        if task.device == "cuda":
            raise DeviceUnavailableError("NumPy computes on the CPU only")
        self.task = task
        self.layers, w, g = _network(task)
        self.weighted = [layer for layer in self.layers if isinstance(layer, Dense | Conv)]
        self.rows_at_once = _rows_at_once(task.network)
        self.dropouts = [layer for layer in self.layers if isinstance(layer, Dropout)]
        self.ends_linear = task.network.output_layer.activation == "identity"
        if task.loss is None or task.optimizer is None or task.targets is None:
            return  # a network that only predicts
        rows = min(task.batch_size, self.rows_at_once)
        self.means_weigh = class_losses.weighs_means(task.loss)
        self.divisor_of = partial(class_losses.divisor_of, task.loss)
        self.loss = losses.make(task.loss, task.network.outputs, rows, task.dtype)
        weights = [layer.W for layer in self.weighted]
        self.rule = optimizers.make(task.optimizer, w, g, weights)
        gradients = [(layer.dW, layer.db) for layer in self.weighted]
        parameters = [(layer.W, layer.b) for layer in self.weighted]
        pairs = list(zip(parameters, gradients, strict=True))
        self.penalties = Penalties(task.l2, task.l1, pairs)
        self.clipper = Clipper(task.clipping, gradients)
        self.bound = NormBound(task.max_norm, weights)
        self.block = _Block(task.inputs, task.targets, rows)

    def advance(self, batches: Batches) -> Array:
        """Train step by step; every array is overwritten in place."""
        step_losses = np.empty(len(batches))
        rates = batches.learning_rates.tolist()
        with np.errstate(over="ignore"):  # exp(-z) in sigmoid: 1 / (1 + inf) is the right 0
            for step, size in enumerate(batches.sizes.tolist()):
                step_losses[step] = self._loss_and_gradients(batches, step, size)
                self.rule.update(rates[step])
                self.bound.apply()
        return step_losses

    def _loss_and_gradients(self, batches: Batches, step: int, size: int) -> float:
        """Return the loss of one batch, and leave its gradients in the flat buffer."""
        loss = 0.0
        divisor: float = size
        if self.means_weigh:
            divisor = self.divisor_of(self.block.targets_of(batches, step, size))
        for first in range(0, size, self.rows_at_once):
            stop = min(first + self.rows_at_once, size)
            for dropout, masks in zip(self.dropouts, batches.masks, strict=True):
                dropout.mask = masks[step, first:stop]
            x, y = self.block.gather(batches, step, first, stop)
            loss += self._forward_and_backward(x, y, divisor, add=first > 0)
        clipping = self.task.clipping
        if clipping is not None and clipping.includes_penalty is False:
            self.clipper.clip()
            return loss + self.penalties.add(size)
        loss += self.penalties.add(size)
        self.clipper.clip()
        return loss

    def _forward_and_backward(self, x: Array, y: Array, batch_size: float, add: bool) -> float:
        """Fill the gradients, or add to them. Return the share of these rows in the loss."""
        values = [x]
        for layer in self.layers:
            values.append(layer.forward(values[-1]))
        # the loss overwrites the outputs, which a last layer that is not linear needs in backward
        gradient = values[-1] if self.ends_linear else values[-1].copy()
        loss = self.loss(gradient, y, batch_size)
        for layer, x_of_layer in zip(reversed(self.layers), reversed(values[:-1]), strict=True):
            gradient = layer.backward(x_of_layer, gradient, add)
        return loss

    def parameters(self) -> Parameters:
        """Return copies out of the flat buffer."""
        return [
            (layer.W.copy(), None if layer.b is None else layer.b.copy())
            if isinstance(layer, Dense | Conv)
            else ()
            for layer in self.layers
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the three products of `Dense`, into buffers that are made once."""
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
        """Train all starts side by side, in every protocol of full batches without images."""
        if batches.rows is not None or self.task.network.takes_images:
            return None
        return many_seeds.train(self.task, starts, batches)

    def predict(self, inputs: Array) -> Array:
        """Return raw outputs, computed block by block in the buffers that training uses."""
        for dropout in self.dropouts:
            dropout.mask = None
        outputs = np.empty((len(inputs), self.task.network.outputs), self.task.dtype)
        with np.errstate(over="ignore"):
            for first in range(0, len(inputs), self.rows_at_once):
                a = inputs[first : first + self.rows_at_once]
                for layer in self.layers:
                    a = layer.forward(a)
                outputs[first : first + len(a)] = a
        return outputs


class _Block:
    """Buffers for the rows of a block. A block of a full batch is a view of the data instead."""

    def __init__(self, inputs: Array, targets: Array, rows: int) -> None:
        self.inputs, self.targets = inputs, targets
        self.x = np.empty((rows, *inputs.shape[1:]), inputs.dtype)
        self.y = np.empty((rows, *targets.shape[1:]), targets.dtype)

    def targets_of(self, batches: Batches, step: int, size: int) -> Array:
        """Return the targets of one step's batch."""
        return self.targets if batches.rows is None else self.targets[batches.rows[step, :size]]

    def gather(self, batches: Batches, step: int, first: int, stop: int) -> tuple[Array, Array]:
        """Return (x, y) of the rows from `first` to `stop` of one step's batch."""
        if batches.rows is None:
            return self.inputs[first:stop], self.targets[first:stop]
        rows = batches.rows[step, first:stop]
        x, y = self.x[: stop - first], self.y[: stop - first]
        # with mode="clip" NumPy writes straight into `out`, without a buffer in between
        self.inputs.take(rows, axis=0, out=x, mode="clip")
        self.targets.take(rows, axis=0, out=y, mode="clip")
        return x, y


def _rows_at_once(network: Network) -> int:
    """Return how many rows go through the network at once: of images fewer."""
    if not network.takes_images:
        return ROWS_AT_ONCE
    widest = max(width for _, width in network.shapes)
    return max(1, min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // widest))


def _network(task: Task) -> tuple[list[Layer], Array, Array]:
    """Return the layers, and the flat parameter buffer and flat gradient buffer below them."""
    w = np.empty(task.network.parameter_count, task.dtype)
    g = np.empty_like(w)
    used = 0

    def views(values: Array) -> tuple[Array, Array]:
        """Put the values into the next piece of w. Return this piece and that of g, shaped."""
        nonlocal used
        piece = slice(used, used + values.size)
        used += values.size
        w[piece] = values.ravel()
        return w[piece].reshape(values.shape), g[piece].reshape(values.shape)

    layers: list[Layer] = []
    is_first = True  # until there is a layer with weights
    network, rows = task.network, _rows_at_once(task.network)
    for specification, shape, entry in zip(
        network.layers, network.row_shapes[:-1], task.parameters, strict=True
    ):
        match specification:
            case specifications.Dropout():
                width = math.prod(shape)
                layers.append(Dropout(specification, width, rows, task.dtype, is_first))
            case specifications.MaxPool() | specifications.AveragePool():
                layers.append(Pool(specification, shape, rows, task.dtype, is_first))
            case specifications.Flatten():
                layers.append(Flattened(specification, shape, rows, task.dtype))
            case specifications.Dense() | specifications.Conv():
                weights, biases = entry
                W, dW = views(weights)
                b, db = (None, None) if biases is None else views(biases)
                width = math.prod(specification.output_shape(shape))
                activation = activations.make(specification, width, rows, task.dtype)
                arrays = (W, b, dW, db, activation)
                if isinstance(specification, specifications.Conv):
                    layers.append(Conv(specification, shape, *arrays, rows, is_first))
                else:
                    in_blocks = task.batch_size > rows
                    layers.append(Dense(*arrays, rows, is_first, batch_has_blocks=in_blocks))
                is_first = False
    return layers, w, g
