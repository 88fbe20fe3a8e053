"""The Keras adapter: Keras 3 on TensorFlow.

Loops: `idiomatic` is `model.fit` over rows laid out in the given order. `stepwise` is one call of
a compiled train step per batch. `fused` is a whole segment in one XLA program, which takes the
data, a plan of fixed size and the number of steps at run time: one executable, compiled once,
serves every segment.
"""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from harness.trainer import (
    Array,
    Batches,
    DeviceUnavailableError,
    Experiment,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.keras_parts.backend import choose_backend

choose_backend("tensorflow")

import keras

from implementations.keras_parts import layers
from implementations.keras_parts.fit_calls import FitCall, fit, fit_calls
from implementations.keras_parts.losses import RowLoss, has_penalty, penalty
from implementations.keras_parts.optimizers import optimizer_of, supports

PLANNED_STEPS, PLANNED_ROWS = 8_192, 65_536
"""The largest plan of the fused program, in steps and in rows, but at least 16 steps.

The plan is copied whole for every segment, so it must not be large. A longer segment is run in
pieces.
"""


class KerasTrainer(StepTrainer):
    """A Keras model, Keras losses on logits and Keras optimizers."""

    loops = ("idiomatic", "stepwise", "fused")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return what Keras's optimizers cannot do around an update, or None."""
        return supports(experiment)

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
            self.model = layers.network(task, on_cpu and task.loop == "fused")
            self.predict_compiled = tf.function(self.model, jit_compile=True, autograph=False)
            self.inputs = tf.constant(task.inputs)
            if task.loss is None or task.optimizer is None or task.targets is None:
                return  # a network that only predicts
            self.targets = tf.constant(task.targets)
            self.loss = RowLoss(task.loss)
            self.optimizer = optimizer_of(task)
            self.optimizer.build(self.model.trainable_variables)
        if task.loop == "idiomatic":
            self.model.compile(optimizer=self.optimizer, loss=self.loss)
        self.step_compiled = tf.function(self._gathered_step, jit_compile=True, autograph=False)
        self.segment_compiled = tf.function(self._segment, jit_compile=True, autograph=False)
        self.segment: Callable[..., tf.Tensor] | None = None

    # ------------------------------------------------------------ loss and update

    def _step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        size: tf.Tensor,
        rate: tf.Tensor,
        masks: tuple[tf.Tensor, ...],
    ) -> tf.Tensor:
        """Update once. Return the loss before the update."""
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            z = self.model((x, *masks) if masks else x, training=True)
            loss = self.loss.of_batch(z, y, size if self.task.has_short_batch else None)
            if has_penalty(self.task):
                loss += penalty(self.task, variables, size)
        gradients = tape.gradient(loss, variables)
        self.optimizer.learning_rate.assign(tf.cast(rate, self.optimizer.learning_rate.dtype))
        self.optimizer.apply(gradients, variables)
        return loss

    def _gathered_step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        rows: tf.Tensor,
        size: tf.Tensor,
        rate: tf.Tensor,
        *masks: tf.Tensor,
    ) -> tf.Tensor:
        """Do the same on the rows of a batch, or on all rows if `rows` is empty."""
        if rows.shape[0]:
            x, y = tf.gather(x, rows), tf.gather(y, rows)
        return self._step(x, y, size, rate, masks)

    def _segment(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        plan: tuple[tf.Tensor, ...],
        steps: tf.Tensor,
    ) -> tf.Tensor:
        """Run the plan's first `steps` steps. Return the losses."""
        rows, sizes, rates, *masks = plan

        def body(step: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss = self._gathered_step(
                x, y, rows[step], sizes[step], rates[step], *(of_layer[step] for of_layer in masks)
            )
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
                self.staged = fit_calls(self.task, batches, self.inputs, self.targets, tf.gather)

    def advance(self, batches: Batches) -> Array | None:
        """Train. Reading the losses waits for the device."""
        with tf.device(self.target_device):
            if self.task.loop == "idiomatic":
                fit(self.model, self.staged, self.task)
                self.optimizer.iterations.numpy()
                return None
            run = self._advance_fused if self.task.loop == "fused" else self._advance_stepwise
            losses = list(run(batches))
            self.optimizer.iterations.numpy()
            return np.concatenate([loss.numpy() for loss in losses])[: len(batches)]

    def _advance_stepwise(self, batches: Batches) -> Iterator[tf.Tensor]:
        for first in range(0, len(batches), self.steps_planned):
            plan = [tf.unstack(tf.constant(v)) for v in self._planned(batches, first)]
            # the function for these shapes: `tf.function` would look for it in every call
            step = self.step_compiled.get_concrete_function(
                self.inputs, self.targets, *(values[0] for values in plan)
            )
            yield tf.stack([step(self.inputs, self.targets, *v) for v in zip(*plan, strict=True)])

    def _advance_fused(self, batches: Batches) -> Iterator[tf.Tensor]:
        for first in range(0, len(batches), self.steps_planned):
            values = self._planned(batches, first)
            steps = tf.constant(len(values[0]))
            plan = tuple(tf.constant(_padded(each, self.steps_planned)) for each in values)
            if self.segment is None:  # as in `_advance_stepwise`
                self.segment = self.segment_compiled.get_concrete_function(
                    self.inputs, self.targets, plan, steps
                )
            yield self.segment(self.inputs, self.targets, plan, steps)

    def _planned(self, batches: Batches, first: int) -> tuple[Array, ...]:
        """Return (rows, sizes, rates, *masks) of a piece; rows are empty where a step takes all."""
        stop = first + self.steps_planned
        rows = np.zeros((len(batches), 0), np.int32) if batches.rows is None else batches.rows
        rates = batches.learning_rates.astype(self.task.dtype)
        return tuple(each[first:stop] for each in (rows, batches.sizes, rates, *batches.masks))

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        return layers.parameters(self.model, self.task)

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
