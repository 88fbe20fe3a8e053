"""The adapter of Keras 3 on JAX.

Loops: `idiomatic` is `model.fit` over rows laid out in the given order. `stepwise` is one call of
a jitted step per batch, made of the model's `stateless_call` and the optimizer's
`stateless_apply`. `fused` is a whole segment in one XLA program, which takes the data, a plan of
fixed size and the number of steps at run time: one executable, compiled once, serves every
segment.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from harness.trainer import (
    Array,
    Batches,
    Conv,
    Dense,
    DeviceUnavailableError,
    Experiment,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.keras_parts.backend import choose_backend

choose_backend("jax")

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
UNROLLED_STEPS = 10
"""On a GPU a turn of a program's loop has so many steps: between turns the device is waited for."""

Pytree = Any
"""What JAX calls nested tuples and lists of arrays."""


class KerasJaxTrainer(StepTrainer):
    """A Keras model, Keras losses on logits and Keras optimizers, differentiated by JAX."""

    loops = ("idiomatic", "stepwise", "fused")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return what Keras's optimizers cannot do around an update, or None."""
        return supports(experiment)

    def __init__(self, task: Task) -> None:
        jax.config.update("jax_enable_x64", task.dtype == "float64")
        jax.config.update("jax_default_matmul_precision", "highest")
        keras.config.set_floatx(task.dtype)
        keras.config.set_dtype_policy(task.dtype)  # else the policy stays at the first floatx
        self.task = task
        self.steps_planned = min(PLANNED_STEPS, max(16, PLANNED_ROWS // task.batch_size))
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        on_cpu = self.target_device.platform == "cpu"
        self.unrolled = 1 if on_cpu else UNROLLED_STEPS
        self.blas = "Eigen (XLA)" if on_cpu else "cuBLAS (XLA)"
        with jax.default_device(self.target_device):
            self.model = layers.network(task, on_cpu and task.loop == "fused")
            self.predict_compiled = jax.jit(self._forward)
            if task.loss is None or task.optimizer is None or task.targets is None:
                self.state = self._start([])
                return  # a network that only predicts
            self.loss = RowLoss(task.loss)
            self.optimizer = optimizer_of(task)
            self.optimizer.build(self.model.trainable_variables)
            self.state = self._start(self.optimizer.variables)
        if task.loop == "idiomatic":
            self.model.compile(optimizer=self.optimizer, loss=self.loss)
            return
        self.inputs = self._on_device(task.inputs)
        self.targets = self._on_device(task.targets)
        self.step_compiled = jax.jit(self._gathered_step, donate_argnums=0)
        self.segment_compiled = jax.jit(self._segment, donate_argnums=0)

    # ------------------------------------------------------------ start

    def _start(self, of_optimizer: list[keras.Variable]) -> Pytree:
        """Return (parameters, optimizer's variables): copies, because a step consumes them.

        They are bound to the device, as what a step returns is: else it would be compiled twice.
        """
        variables = (self.model.trainable_variables, of_optimizer)
        values = tuple([v.value for v in each] for each in variables)
        return self._on_device(jax.tree.map(jnp.copy, values))

    def _on_device(self, values: Pytree) -> Pytree:
        return jax.device_put(values, self.target_device)

    # ------------------------------------------------------------ loss and update

    def _forward(self, parameters: Pytree, x: jax.Array, masks: Pytree = ()) -> jax.Array:
        """Return logits or values; masks are those of a step, none in prediction."""
        fixed = [v.value for v in self.model.non_trainable_variables]
        return self.model.stateless_call(parameters, fixed, (x, *masks) if masks else x)[0]

    def _step(
        self,
        state: Pytree,
        x: jax.Array,
        y: jax.Array,
        size: jax.Array,
        rate: jax.Array,
        masks: Pytree,
    ) -> tuple[Pytree, jax.Array]:
        """Update once. Return (state, loss), the loss before the update."""
        parameters, of_optimizer = state

        def loss_of(parameters: Pytree) -> jax.Array:
            z = self._forward(parameters, x, masks)
            loss = self.loss.of_batch(z, y, size if self.task.has_short_batch else None)
            if not has_penalty(self.task):
                return loss
            return loss + penalty(self.task, parameters, size)

        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        of_optimizer = [
            rate if variable is self.optimizer.learning_rate else value
            for variable, value in zip(self.optimizer.variables, of_optimizer, strict=True)
        ]
        return self.optimizer.stateless_apply(of_optimizer, gradients, parameters), loss

    def _gathered_step(
        self,
        state: Pytree,
        inputs: jax.Array,
        targets: jax.Array,
        rows: jax.Array | None,
        size: jax.Array,
        rate: jax.Array,
        masks: Pytree,
    ) -> tuple[Pytree, jax.Array]:
        """Do the same on the rows of a batch, or on all rows if `rows` is None."""
        x, y = (inputs, targets) if rows is None else _gathered(inputs, targets, rows)
        return self._step(state, x, y, size, rate, masks)

    def _segment(
        self, state: Pytree, inputs: jax.Array, targets: jax.Array, plan: Pytree, steps: jax.Array
    ) -> tuple[Pytree, jax.Array]:
        """Run the plan's first `steps` steps. Return (state, losses)."""
        rows, sizes, rates, masks = plan

        def body(step: jax.Array, carried: Pytree) -> Pytree:
            state, losses = carried
            rows_of_step = None if rows is None else rows[step]
            masks_of_step = tuple(of_layer[step] for of_layer in masks)
            state, loss = self._gathered_step(
                state, inputs, targets, rows_of_step, sizes[step], rates[step], masks_of_step
            )
            return state, losses.at[step].set(loss)

        state, losses = self._repeated(steps, body, (state, jnp.zeros_like(rates)))
        return state, losses

    def _repeated(
        self, times: jax.Array, body: Callable[[jax.Array, Pytree], Pytree], carried: Pytree
    ) -> Pytree:
        """Return `carried` after `body` (0, carried), `body` (1, ...) and so on, in the program."""
        if self.unrolled == 1:
            return jax.lax.fori_loop(0, times, body, carried)

        def turn_of(turn: jax.Array, carried: Pytree) -> Pytree:
            for index in range(self.unrolled):
                carried = body(turn * self.unrolled + index, carried)
            return carried

        turns = times // self.unrolled
        carried = jax.lax.fori_loop(0, turns, turn_of, carried)
        return jax.lax.fori_loop(turns * self.unrolled, times, body, carried)

    # ------------------------------------------------------------ loops

    def stage(self, batches: Batches) -> None:
        """Lay the rows out in their order, because `fit` takes no order of ours."""
        if self.task.loop == "idiomatic":
            self.staged: list[FitCall] = []  # frees the last segment's rows before the next come
            self.staged = fit_calls(
                self.task, batches, self.task.inputs, self.task.targets, np.ndarray.__getitem__
            )

    def advance(self, batches: Batches) -> Array | None:
        """Train. Return when losses and parameters are computed."""
        if self.task.loop == "idiomatic":
            with jax.default_device(self.target_device):
                fit(self.model, self.staged, self.task)
            jax.block_until_ready([v.value for v in self.model.trainable_variables])
            return None
        run = self._advance_fused if self.task.loop == "fused" else self._advance_stepwise
        losses = run(batches)
        jax.block_until_ready((self.state, losses))
        return np.concatenate([np.atleast_1d(loss) for loss in losses])

    def _advance_stepwise(self, batches: Batches) -> list[jax.Array]:
        rates = batches.learning_rates.astype(self.task.dtype)
        losses = []
        for step in range(len(batches)):
            rows = None if batches.rows is None else batches.rows[step]
            masks = tuple(of_layer[step] for of_layer in batches.masks)
            self.state, loss = self.step_compiled(
                self.state, self.inputs, self.targets, rows, batches.sizes[step], rates[step], masks
            )
            losses.append(loss)
        return losses

    def _advance_fused(self, batches: Batches) -> list[Array]:
        losses = []
        for first in range(0, len(batches), self.steps_planned):
            plan, steps = self._padded(batches, first)
            self.state, padded = self.segment_compiled(
                self.state, self.inputs, self.targets, plan, steps
            )
            losses.append((padded, steps))
        return [np.asarray(padded)[:steps] for padded, steps in losses]

    def _padded(self, batches: Batches, first: int) -> tuple[Pytree, int]:
        """Return the plan from step `first` on, in its fixed size, and its number of steps.

        A compiled program takes NumPy arrays to the device faster than `device_put` does.
        """
        steps = min(self.steps_planned, len(batches) - first)

        def pad(values: Array | None, dtype: str) -> Array | None:
            if values is None:
                return None
            padded = np.zeros((self.steps_planned, *values.shape[1:]), dtype)
            padded[:steps] = values[first : first + steps]
            return padded

        plan = (
            pad(batches.rows, "int32"),
            pad(batches.sizes, "int32"),
            pad(batches.learning_rates, self.task.dtype),
            tuple(pad(masks, "uint8") for masks in batches.masks),
        )
        return plan, steps

    # ------------------------------------------------------------ out

    def _values(self) -> list[jax.Array]:
        """Return the parameters, weights and biases in turn: `fit` keeps them in the model."""
        if self.task.loop == "idiomatic":
            return [v.value for v in self.model.trainable_variables]
        values: list[jax.Array] = self.state[0]
        return values

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        values = iter(self._values())
        return [
            (np.array(next(values)), np.array(next(values)) if layer.bias else None)
            if isinstance(layer, Dense | Conv)
            else ()
            for layer in self.task.network.layers
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products in one XLA program.

        Every round needs a number of the round before. Otherwise XLA would see that all rounds
        are the same and compute one.
        """
        operands_on_device = self._on_device([tuple(layer) for layer in operands])

        @jax.jit
        def run(operands: Pytree, products: Pytree, times: jax.Array) -> Pytree:
            def body(_: jax.Array, carried: Pytree) -> Pytree:
                operands, products = carried
                changed = jax.tree.map(lambda v: v.at[0, 0].set(products[0][0, 0]), operands)
                return changed, _products(changed)

            return self._repeated(times, body, (operands, products))

        start = jax.jit(_products)(operands_on_device)

        def multiply(times: int) -> None:
            jax.block_until_ready(run(operands_on_device, start, times))

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        return np.asarray(self.predict_compiled(self._values(), self._on_device(inputs)))


def _gathered(
    inputs: jax.Array, targets: jax.Array, rows: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return (x, y). The plan's row numbers are in bounds, so they need no check."""
    return (
        inputs.at[rows].get(mode="promise_in_bounds"),
        targets.at[rows].get(mode="promise_in_bounds"),
    )


def _products(operands: Pytree) -> Pytree:
    """Return x W and x^T d of every layer, and d W^T of all except the first."""
    products = []
    for index, (x, weights, d) in enumerate(operands):
        products += [x @ weights, x.T @ d]
        if index > 0:
            products.append(d @ weights.T)
    return products


def _device(name: str) -> jax.Device:
    if name != "cpu":
        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        if gpus:
            return gpus[0]
        if name == "cuda":
            raise DeviceUnavailableError("JAX sees no CUDA device")
    return jax.devices("cpu")[0]


def _device_and_precision(device: jax.Device, dtype: str) -> tuple[str, str]:
    """Return both in words."""
    if device.platform == "cpu":
        return "cpu", dtype
    return f"cuda:{device.id} {device.device_kind}", f"{dtype}, TF32 off"
