"""The Keras adapter: Keras 3 on TensorFlow.

Loops: `idiomatic` is `model.fit` over rows laid out in the given order. `stepwise` is one call of
a compiled train step per batch. `fused` is a whole segment in one XLA program, which takes the
data, a plan of fixed size and the number of steps at run time: one executable, compiled once,
serves every segment.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from harness.trainer import (
    L2,
    SGD,
    Adagrad,
    Adam,
    Array,
    Batches,
    BinaryCrossEntropy,
    DeviceUnavailableError,
    Layer,
    Loss,
    MeanSquaredError,
    Momentum,
    Nesterov,
    Operands,
    Optimizer,
    Parameters,
    RMSprop,
    SoftmaxCrossEntropy,
    StepTrainer,
    Task,
)

PLANNED_STEPS, PLANNED_ROWS = 1_024, 65_536
"""The largest plan of the fused program, in steps and in rows, but at least 16 steps.

The plan is copied whole for every segment, so it must not be large. A longer segment is run in
pieces.
"""
REPEATED_BYTES = 256 * 2**20
"""Full batches are repeated up to this size, because an epoch of `fit` costs 22 ms by itself."""


class FitCall(NamedTuple):
    """The arguments of one call of `fit`, with the data on the device."""

    x: tf.Tensor
    y: tf.Tensor
    batch_size: int
    epochs: int
    rate: float


class KerasTrainer(StepTrainer):
    """A Keras model, Keras losses on logits and Keras optimizers."""

    loops = ("idiomatic", "stepwise", "fused")

    def __init__(self, task: Task) -> None:
        keras.config.set_floatx(task.dtype)
        keras.config.set_dtype_policy(task.dtype)  # else the policy stays at the first floatx
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.task = task
        self.steps_planned = min(PLANNED_STEPS, max(16, PLANNED_ROWS // task.batch_size))
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        on_cpu = self.target_device == "/CPU:0"
        self.blas = "Eigen, oneDNN (TensorFlow)" if on_cpu else "cuBLAS (TensorFlow)"
        with tf.device(self.target_device):
            self.model = self._network()
            self.predict_compiled = tf.function(self.model, jit_compile=True, autograph=False)
            self.inputs = tf.constant(task.inputs)
            if task.loss is None or task.optimizer is None or task.targets is None:
                return  # a network that only predicts
            self.targets = tf.constant(task.targets)
            self.loss = RowLoss(task.loss)
            self.optimizer = _optimizer(task.optimizer)
            self.optimizer.build(self.model.trainable_variables)
        if task.loop == "idiomatic":
            self.model.compile(optimizer=self.optimizer, loss=self.loss)
        self.step_compiled = tf.function(self._gathered_step, jit_compile=True, autograph=False)
        self.segment_compiled = tf.function(self._segment, jit_compile=True, autograph=False)

    # ------------------------------------------------------------ start

    def _network(self) -> keras.Sequential:
        """Return dense layers with the given parameters; a Keras kernel is (inputs, outputs)."""
        network = self.task.network
        penalties = self._regularizers()
        model = keras.Sequential([keras.Input((network.inputs,))])
        for layer, (weights, biases) in zip(network.layers, self.task.parameters, strict=True):
            dense = keras.layers.Dense(
                layer.units, activation=_activation(layer), use_bias=layer.bias, **penalties
            )
            model.add(dense)
            dense.set_weights([np.array(v) for v in (weights, biases) if v is not None])
        return model

    def _regularizers(self) -> dict[str, "L2Penalty"]:
        """Return the penalty of each kind of variable for `fit`. Other loops use `_penalty`."""
        l2 = self.task.l2
        if l2 is None or self.task.loop != "idiomatic":
            return {}
        self.penalty = L2Penalty(self.task.dtype)
        names = ["kernel_regularizer"] + (["bias_regularizer"] if l2.on == "all" else [])
        return dict.fromkeys(names, self.penalty)

    # ------------------------------------------------------------ loss and update

    def _loss(self, z: tf.Tensor, y: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the protocol's loss from logits. Rows beyond `size` weigh nothing."""
        rows, mean = self.loss.call(y, z), self.loss.protocol.batch == "mean"
        if self.task.has_short_batch:
            rows = tf.where(tf.range(tf.shape(rows)[0]) < size, rows, tf.zeros_like(rows))
            total = tf.reduce_sum(rows)
            return total / tf.cast(size, z.dtype) if mean else total
        return tf.reduce_mean(rows) if mean else tf.reduce_sum(rows)

    def _penalty(self, l2: L2, size: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Return c * sum of squares, of the weights or of all parameters."""
        variables = [v for v in self.model.trainable_variables if l2.on == "all" or v.ndim == 2]
        squares = tf.add_n([tf.reduce_sum(tf.square(v)) for v in variables])
        # coefficient(1), because `size` is known at run time only
        scaled = l2.coefficient(1) * squares
        return scaled / tf.cast(size, dtype) if l2.per_row else scaled

    def _step(self, x: tf.Tensor, y: tf.Tensor, size: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Update once. Return the loss before the update."""
        with tf.GradientTape() as tape:
            loss = self._loss(self.model(x, training=True), y, size)
            if self.task.l2 is not None:
                loss += self._penalty(self.task.l2, size, loss.dtype)
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.learning_rate.assign(tf.cast(rate, self.optimizer.learning_rate.dtype))
        self.optimizer.apply(gradients, variables)
        return loss

    def _gathered_step(
        self, x: tf.Tensor, y: tf.Tensor, rows: tf.Tensor, size: tf.Tensor, rate: tf.Tensor
    ) -> tf.Tensor:
        """Do the same on the rows of a batch, or on all rows if `rows` is empty."""
        if rows.shape[0]:
            x, y = tf.gather(x, rows), tf.gather(y, rows)
        return self._step(x, y, size, rate)

    def _segment(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        plan: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
        steps: tf.Tensor,
    ) -> tf.Tensor:
        """Run the plan's first `steps` steps. Return the losses."""
        rows, sizes, rates = plan

        def body(step: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss = self._gathered_step(x, y, rows[step], sizes[step], rates[step])
            return step + 1, tf.tensor_scatter_nd_update(losses, [[step]], [loss])

        _, losses = tf.while_loop(
            lambda step, losses: step < steps, body, (tf.constant(0), tf.zeros_like(rates))
        )
        return losses

    # ------------------------------------------------------------ loops

    def stage(self, batches: Batches) -> None:
        """Lay the rows out in their order, because `fit` takes no order of ours."""
        if self.task.loop == "idiomatic":
            self.staged: list[FitCall] = []  # frees the last segment's rows before the next come
            with tf.device(self.target_device):
                self.staged = self._fit_calls(batches)

    def advance(self, batches: Batches) -> Array | None:
        """Train. Reading the losses waits for the device."""
        with tf.device(self.target_device):
            if self.task.loop == "idiomatic":
                self._advance_idiomatic()
                return None
            run = self._advance_fused if self.task.loop == "fused" else self._advance_stepwise
            losses = run(batches)
            self.optimizer.iterations.numpy()
            return np.concatenate([np.atleast_1d(loss.numpy()) for loss in losses])[: len(batches)]

    def _advance_idiomatic(self) -> None:
        for x, y, batch_size, epochs, rate in self.staged:
            self.optimizer.learning_rate = rate
            if self.task.l2 is not None:
                self.penalty.c.assign(self.task.l2.coefficient(min(batch_size, len(x))))
            self.model.fit(x, y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
        self.optimizer.iterations.numpy()

    def _fit_calls(self, batches: Batches) -> list[FitCall]:
        """Return the fewest calls of `fit` that train on these batches.

        A call has one learning rate and one coefficient of the penalty, and only its last batch
        can be short. So a new rate begins a call, a short batch ends a call, and under a penalty
        per row a short batch has a call of its own.
        """
        task = self.task
        short = batches.sizes < task.batch_size
        alone = task.l2 is not None and task.l2.per_row
        cuts = [0]
        for step in range(1, len(batches)):
            new_rate = batches.learning_rates[step] != batches.learning_rates[step - 1]
            if new_rate or short[step - 1] or (alone and short[step]):
                cuts.append(step)
        calls = []
        for first, last in zip(cuts, [*cuts[1:], len(batches)], strict=True):
            rate, steps = float(batches.learning_rates[first]), last - first
            if batches.rows is not None:
                steps_rows = zip(batches.rows[first:last], batches.sizes[first:last], strict=True)
                rows = np.concatenate([numbers[:size] for numbers, size in steps_rows])
            elif steps * task.inputs.nbytes <= REPEATED_BYTES:
                rows = np.tile(np.arange(len(task.inputs)), steps)
            else:  # a full batch of much data: an epoch of `fit` is a step
                calls.append(FitCall(self.inputs, self.targets, task.batch_size, steps, rate))
                continue
            x, y = tf.gather(self.inputs, rows), tf.gather(self.targets, rows)
            calls.append(FitCall(x, y, task.batch_size, 1, rate))
        return calls

    def _advance_stepwise(self, batches: Batches) -> list[tf.Tensor]:
        rows, sizes, rates = self._planned(batches, 0, len(batches))
        return [
            self.step_compiled(self.inputs, self.targets, *step)
            for step in zip(rows, sizes, rates, strict=True)
        ]

    def _advance_fused(self, batches: Batches) -> list[tf.Tensor]:
        losses = []
        for first in range(0, len(batches), self.steps_planned):
            steps = min(self.steps_planned, len(batches) - first)
            values = self._planned(batches, first, steps)
            plan = tuple(tf.constant(_padded(each, self.steps_planned)) for each in values)
            losses.append(
                self.segment_compiled(self.inputs, self.targets, plan, tf.constant(steps))[:steps]
            )
        return losses

    def _planned(self, batches: Batches, first: int, steps: int) -> tuple[Array, Array, Array]:
        """Return (rows, sizes, rates) of `steps` steps; rows are empty where a step takes all."""
        stop = first + steps
        rows = np.zeros((len(batches), 0), np.int32) if batches.rows is None else batches.rows
        rates = batches.learning_rates.astype(self.task.dtype)
        return rows[first:stop], batches.sizes[first:stop], rates[first:stop]

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        return [
            (weights.copy(), biases[0].copy() if biases else None)
            for weights, *biases in (layer.get_weights() for layer in self.model.layers)
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products in one XLA program.

        Every round needs a number of the round before. Otherwise XLA would see that all rounds
        are the same and compute one.
        """
        with tf.device(self.target_device):
            values = [tf.constant(v) for layer in operands for v in layer]
            start = _products(values)

        @tf.function(jit_compile=True, autograph=False)
        def run(values: list[tf.Tensor], products: list[tf.Tensor], times: tf.Tensor) -> tf.Tensor:
            def body(step: tf.Tensor, *carried: tf.Tensor) -> tuple[tf.Tensor, ...]:
                number = carried[len(values)][0, 0]
                changed = [
                    tf.tensor_scatter_nd_update(v, [[0, 0]], [number])
                    for v in carried[: len(values)]
                ]
                return (step + 1, *changed, *_products(changed))

            first = (tf.constant(0), *values, *products)
            return tf.while_loop(lambda step, *_: step < times, body, first)

        def multiply(times: int) -> None:
            with tf.device(self.target_device):
                run(values, start, tf.constant(times))[-1].numpy()

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        with tf.device(self.target_device):
            outputs: Array = self.predict_compiled(tf.constant(inputs)).numpy()
            return outputs


def _products(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Return x W and x^T d of every layer, and d W^T of all except the first."""
    products = []
    for index in range(0, len(values), 3):
        x, weights, d = values[index : index + 3]
        products += [tf.matmul(x, weights), tf.matmul(x, d, transpose_a=True)]
        if index > 0:
            products.append(tf.matmul(d, weights, transpose_b=True))
    return products


def _padded(values: Array, steps: int) -> Array:
    """Return the values with zeros behind them, `steps` long."""
    padded = np.zeros((steps, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


class RowLoss(keras.losses.Loss):
    """The protocol's loss: that of each row by Keras's functions of logits, reduced as stated."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(reduction="sum_over_batch_size" if loss.batch == "mean" else "sum")
        self.protocol = loss

    def call(self, y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """Return the loss of every row (rows,)."""
        match self.protocol:
            case SoftmaxCrossEntropy():
                labels = keras.ops.reshape(y, (-1,))
                return keras.ops.sparse_categorical_crossentropy(labels, z, from_logits=True)
            case MeanSquaredError():
                per_output = keras.ops.square(z - y) * (0.5 if self.protocol.half else 1.0)
            case BinaryCrossEntropy():
                per_output = keras.ops.binary_crossentropy(y, z, from_logits=True)
        over_outputs = keras.ops.mean if self.protocol.outputs == "mean" else keras.ops.sum
        return over_outputs(per_output, axis=-1)


class L2Penalty(keras.regularizers.Regularizer):
    """c * sum of squares, with a c that may change between calls of `fit`."""

    def __init__(self, dtype: str) -> None:
        self.c = tf.Variable(0.0, trainable=False, dtype=dtype)

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        """Return the penalty of one variable."""
        return self.c * keras.ops.sum(keras.ops.square(w))


class StatedVelocity(keras.optimizers.SGD):
    """Momentum with the rate outside the velocity; Keras's SGD has the rate inside."""

    def update_step(self, g: tf.Tensor, w: keras.Variable, rate: tf.Tensor) -> None:
        """Update one variable."""
        rate, g = tf.cast(rate, w.dtype), tf.cast(g, w.dtype)
        v = self.momentums[self._get_variable_index(w)]
        v.assign(self.momentum * v + g)
        w.assign(w - rate * (g + self.momentum * v if self.nesterov else v))


class OutsideRootRMSprop(keras.optimizers.RMSprop):
    """RMSprop with epsilon outside the root; Keras's RMSprop has epsilon inside."""

    def update_step(self, g: tf.Tensor, w: keras.Variable, rate: tf.Tensor) -> None:
        """Update one variable."""
        rate, g = tf.cast(rate, w.dtype), tf.cast(g, w.dtype)
        v = self._velocities[self._get_variable_index(w)]
        v.assign(self.rho * v + (1 - self.rho) * g * g)
        w.assign(w - rate * g / (tf.sqrt(v) + self.epsilon))


class OutsideRootAdagrad(keras.optimizers.Adagrad):
    """Adagrad with epsilon outside the root; Keras's Adagrad has epsilon inside."""

    def update_step(self, g: tf.Tensor, w: keras.Variable, rate: tf.Tensor) -> None:
        """Update one variable."""
        rate, g = tf.cast(rate, w.dtype), tf.cast(g, w.dtype)
        a = self._accumulators[self._get_variable_index(w)]
        a.assign(a + g * g)
        w.assign(w - rate * g / (tf.sqrt(a) + self.epsilon))


class AlgorithmOneAdam(keras.optimizers.Adam):
    """Adam as in the paper's algorithm 1; Keras's Adam is the epsilon-hat variant.

    w <- w - rate * sqrt(c2) / c1 * m / (sqrt(v) + epsilon * sqrt(c2)), with
    c1 = 1 - beta1^t and c2 = 1 - beta2^t taken through expm1: 1 - beta^t written plainly loses
    four digits in float32 while t is small.
    """

    def update_step(self, g: tf.Tensor, w: keras.Variable, rate: tf.Tensor) -> None:
        """Update one variable."""
        rate, g = tf.cast(rate, w.dtype), tf.cast(g, w.dtype)
        t = tf.cast(self.iterations + 1, w.dtype)
        c1 = _one_minus_power(self.beta_1, t)
        root_c2 = tf.sqrt(_one_minus_power(self.beta_2, t))
        index = self._get_variable_index(w)
        m, v = self._momentums[index], self._velocities[index]
        m.assign(self.beta_1 * m + (1 - self.beta_1) * g)
        v.assign(self.beta_2 * v + (1 - self.beta_2) * g * g)
        step = rate * root_c2 / c1 * m / (tf.sqrt(v) + self.epsilon * root_c2)
        w.assign(w - step)


def _one_minus_power(beta: float, t: tf.Tensor) -> tf.Tensor:
    return -tf.math.expm1(t * math.log(beta)) if beta else tf.ones_like(t)


def _optimizer(rule: Optimizer) -> keras.optimizers.Optimizer:
    match rule:
        case SGD():
            return keras.optimizers.SGD(rule.learning_rate)
        case Momentum() | Nesterov():
            kind = keras.optimizers.SGD if rule.rate_inside_velocity else StatedVelocity
            nesterov = isinstance(rule, Nesterov)
            return kind(rule.learning_rate, momentum=rule.momentum, nesterov=nesterov)
        case RMSprop():
            inside = rule.form == "epsilon_inside_root"
            kind = keras.optimizers.RMSprop if inside else OutsideRootRMSprop
            return kind(rule.learning_rate, rho=rule.rho, epsilon=rule.epsilon)
        case Adagrad():
            inside = rule.form == "epsilon_inside_root"
            kind = keras.optimizers.Adagrad if inside else OutsideRootAdagrad
            return kind(rule.learning_rate, rule.initial_accumulator, epsilon=rule.epsilon)
        case Adam(form="algorithm_1"):
            kind = AlgorithmOneAdam
        case _:
            kind = keras.optimizers.Adam
    return kind(rule.learning_rate, beta_1=rule.beta1, beta_2=rule.beta2, epsilon=rule.epsilon)


def _activation(layer: Layer) -> Any:
    match layer.activation:
        case "identity":
            return None
        case "leaky_relu":
            return lambda z: keras.ops.leaky_relu(z, negative_slope=layer.slope)
        case "swish":
            return "silu"
        case "gelu":
            # Keras's gelu rounds sqrt(2) to float32, which is 5e-9 off in float64
            return lambda z: 0.5 * z * (1 + tf.math.erf(z * math.sqrt(0.5)))
        case "gelu_tanh":
            k = math.sqrt(2 / math.pi)
            return lambda z: 0.5 * z * (1 + tf.tanh(k * (z + 0.044715 * z * z * z)))
        case "step":
            return lambda z: keras.ops.cast(z > 0, z.dtype)
    return layer.activation


def _device(name: str) -> str:
    if name != "cpu":
        if tf.config.list_physical_devices("GPU"):
            return "/GPU:0"
        if name == "cuda":
            raise DeviceUnavailableError("TensorFlow sees no CUDA device")
    return "/CPU:0"


def _device_and_precision(device: str, dtype: str) -> tuple[str, str]:
    """Return both in words."""
    if device == "/CPU:0":
        return "cpu", dtype
    gpu = tf.config.list_physical_devices("GPU")[0]
    name = tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    return f"cuda:0 {name}", f"{dtype}, TF32 off"
