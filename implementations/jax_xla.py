"""The JAX adapter.

Loops: `stepwise` is one call of a jitted step per batch. `fused` is a whole segment in one XLA
program, which takes the data, a plan of fixed size and the number of steps at run time: one
executable, compiled once, serves every segment.
"""

from collections.abc import Callable, Sequence
from functools import partial
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
    Dropout,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.jax_images import convolved, image_layer
from implementations.jax_losses import losses_of_rows, weighted, weights_of_rows
from implementations.jax_updates import (
    clipped,
    constrained,
    corrections,
    memory_of,
    penalty_of,
    updated,
)

PLANNED_STEPS, PLANNED_ROWS = 8_192, 65_536
"""The largest plan of the fused program, in steps and in rows, but at least 16 steps.

The plan is copied whole for every segment, so it must not be large. A longer segment is run in
pieces.
"""
UNROLLED_STEPS = 10
"""On a GPU a turn of a program's loop has so many steps: between turns the device is waited for."""

Pytree = Any
"""What JAX calls nested tuples and lists of arrays."""


class JaxTrainer(StepTrainer):
    """Pure functions of (parameters, optimizer state), differentiated and compiled by JAX."""

    loops = ("stepwise", "fused")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")

    def __init__(self, task: Task) -> None:
        jax.config.update("jax_enable_x64", task.dtype == "float64")
        jax.config.update("jax_default_matmul_precision", "highest")
        self.task = task
        self.steps_planned = min(PLANNED_STEPS, max(16, PLANNED_ROWS // task.batch_size))
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        self.on_cpu = self.target_device.platform == "cpu"
        self.unrolled = 1 if self.on_cpu else UNROLLED_STEPS
        self.blas = "Eigen (XLA)" if self.on_cpu else "cuBLAS (XLA)"
        self.inputs = self._on_device(task.inputs)
        self.state = self._start(task.parameters)
        self.predict_compiled = jax.jit(self._forward)
        if task.loss is None or task.optimizer is None or task.targets is None:
            return  # a network that only predicts
        self.loss, self.rule = task.loss, task.optimizer
        self.targets = self._on_device(task.targets)
        self.step_compiled = jax.jit(self._gathered_step, donate_argnums=0)
        self.segment_compiled = jax.jit(self._segment, donate_argnums=0)

    # ------------------------------------------------------------ start

    def _start(self, start: Parameters) -> Pytree:
        """Return (parameters, optimizer state, steps done)."""
        parameters = [
            tuple(self._on_device(values) for values in pair if values is not None)
            for pair in start
        ]
        memory: Pytree = ()
        if self.task.optimizer is not None:
            memory = jax.tree.map(partial(memory_of, self.task.optimizer), parameters)
        return self._on_device((parameters, memory, np.zeros((), self.task.dtype)))

    def _on_device(self, values: Pytree) -> Pytree:
        return jax.device_put(values, self.target_device)

    # ------------------------------------------------------------ loss and update

    def _forward(self, parameters: Pytree, x: jax.Array, masks: Pytree = None) -> jax.Array:
        """Return logits or values; masks are those of a step, None in prediction."""
        of_layers = iter(masks or ())
        network = self.task.network
        for layer, shape, values in zip(
            network.layers, network.row_shapes, parameters, strict=False
        ):
            match layer:
                case Dropout():
                    x = _drop(layer, x, None if masks is None else next(of_layers))
                case Dense() | Conv():
                    weights, *biases = values
                    if isinstance(layer, Conv):
                        z = convolved(layer, x, shape, weights, self.on_cpu)
                    else:
                        z = x @ weights
                    z = _activate(layer, z + biases[0] if biases else z)
                    x = z.reshape(len(x), -1)
                case _:
                    x = image_layer(layer, x, shape)
        return x

    def _loss(self, z: jax.Array, y: jax.Array, size: jax.Array) -> jax.Array:
        """Return the protocol's loss from logits. Rows beyond `size` weigh nothing."""
        loss = self.loss
        rows, weights = losses_of_rows(loss, z, y), weights_of_rows(loss, z, y)
        if weights is not None:
            return weighted(loss, rows, weights, size)
        if self.task.has_short_batch:
            rows = jnp.where(jnp.arange(len(rows)) < size, rows, 0)
            return rows.sum() / size if loss.batch == "mean" else rows.sum()
        return rows.mean() if loss.batch == "mean" else rows.sum()

    def _penalty(self, parameters: Pytree, size: jax.Array) -> jax.Array:
        task, dtype = self.task, self.task.dtype
        return penalty_of(task.l2, task.l1, jax.tree.leaves(parameters), size.astype(dtype))

    def _clipped(self, gradients: Pytree) -> Pytree:
        if self.task.clipping is None:
            return gradients
        leaves, tree = jax.tree.flatten(gradients)
        return tree.unflatten(clipped(self.task.clipping, leaves))

    def _update(
        self, parameters: Pytree, memory: Pytree, gradients: Pytree, t: jax.Array, rate: jax.Array
    ) -> tuple[Pytree, Pytree]:
        """Return (parameters, optimizer state) after step t, counted from 1."""
        tree = jax.tree.structure(parameters)
        lists = [tree.flatten_up_to(each) for each in (parameters, gradients, memory)]
        corrected = corrections(self.rule, t)
        steps = [
            updated(self.rule, w, g, remembered, rate, t, corrected)
            for w, g, remembered in zip(*lists, strict=True)
        ]
        return tree.unflatten([w for w, *_ in steps]), tree.unflatten([tuple(m) for _, *m in steps])

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
        parameters, memory, t = state

        def loss_of(parameters: Pytree) -> jax.Array:
            return self._loss(self._forward(parameters, x, masks), y, size)

        def whole_loss_of(parameters: Pytree) -> jax.Array:
            if self.task.l2 is None and self.task.l1 is None:
                return loss_of(parameters)
            return loss_of(parameters) + self._penalty(parameters, size)

        clipping = self.task.clipping
        if clipping is not None and clipping.includes_penalty is False:
            loss, gradients = jax.value_and_grad(loss_of)(parameters)
            penalty, more = jax.value_and_grad(self._penalty)(parameters, size)
            loss, gradients = loss + penalty, jax.tree.map(jnp.add, self._clipped(gradients), more)
        else:
            loss, gradients = jax.value_and_grad(whole_loss_of)(parameters)
            gradients = self._clipped(gradients)
        parameters, memory = self._update(parameters, memory, gradients, t + 1, rate)
        if self.task.max_norm is not None:
            parameters = jax.tree.map(partial(constrained, self.task.max_norm), parameters)
        return (parameters, memory, t + 1), loss

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

    def advance(self, batches: Batches) -> Array:
        """Train. Return when losses and parameters are computed."""
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

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        return _copies(self.state[0])

    def many_seeds(
        self, starts: Sequence[Parameters], batches: Batches
    ) -> Sequence[Parameters] | None:
        """Run the fused program, mapped over a leading axis of starts; full batches only."""
        if batches.rows is not None:
            return None
        axes = (0, 0, None)  # of parameters and optimizer state; the steps done are the same
        run = jax.jit(
            jax.vmap(self._segment, (axes, None, None, None, None), (axes, 0)), donate_argnums=0
        )
        stacked = jax.tree.map(lambda *values: np.stack(values), *starts)
        state = jax.vmap(self._start, out_axes=axes)(stacked)
        for first in range(0, len(batches), self.steps_planned):
            plan, steps = self._padded(batches, first)
            state, _ = run(state, self.inputs, self.targets, plan, steps)
        ends = [[np.asarray(values) for values in layer] for layer in state[0]]
        return [
            _copies([[v[seed] for v in layer] for layer in ends]) for seed in range(len(starts))
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products in one XLA program.

        Every round needs a number of the round before. Otherwise XLA would see that all rounds
        are the same and compute one.
        """
        layers = self._on_device([tuple(layer) for layer in operands])

        @jax.jit
        def run(layers: Pytree, products: Pytree, times: jax.Array) -> Pytree:
            def body(_: jax.Array, carried: Pytree) -> Pytree:
                layers, products = carried
                changed = jax.tree.map(lambda v: v.at[0, 0].set(products[0][0, 0]), layers)
                return changed, _products(changed)

            return self._repeated(times, body, (layers, products))

        start = jax.jit(_products)(layers)

        def multiply(times: int) -> None:
            jax.block_until_ready(run(layers, start, times))

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        return np.asarray(self.predict_compiled(self.state[0], self._on_device(inputs)))


def _copies(parameters: Pytree) -> Parameters:
    """Return the parameters as NumPy arrays, in the contract's layout."""
    return [
        (np.array(values[0]), np.array(values[1]) if len(values) > 1 else None) if values else ()
        for values in parameters
    ]


def _gathered(
    inputs: jax.Array, targets: jax.Array, rows: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return (x, y). The plan's row numbers are in bounds, so they need no check."""
    return (
        inputs.at[rows].get(mode="promise_in_bounds"),
        targets.at[rows].get(mode="promise_in_bounds"),
    )


def _products(layers: Pytree) -> Pytree:
    """Return x W and x^T d of every layer, and d W^T of all except the first."""
    products = []
    for index, (x, weights, d) in enumerate(layers):
        products += [x @ weights, x.T @ d]
        if index > 0:
            products.append(d @ weights.T)
    return products


def _drop(layer: Dropout, x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Return what a dropout layer makes of x, with the bits of a mask or in prediction."""
    if mask is None:
        return x if layer.prediction_scale == 1 else x * layer.prediction_scale
    bits = (mask[:, :, None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
    kept = bits.reshape(len(mask), -1)[:, : x.shape[1]]
    return x * (kept.astype(x.dtype) * layer.training_scale)


def _activate(layer: Dense | Conv, z: jax.Array) -> jax.Array:
    match layer.activation:
        case "identity":
            return z
        case "sigmoid":
            return jax.nn.sigmoid(z)
        case "tanh":
            return jnp.tanh(z)
        case "relu":
            return jax.nn.relu(z)
        case "leaky_relu":
            # the gradient of jax.nn.leaky_relu is 1 at 0, where the contract's is `slope`
            assert layer.slope is not None
            return jnp.where(z > 0, z, layer.slope * z)
        case "elu":
            return jax.nn.elu(z, layer.alpha)
        case "swish":
            return jax.nn.swish(z)
        case "softplus":
            return jax.nn.softplus(z)
        case "gelu" | "gelu_tanh":
            return jax.nn.gelu(z, approximate=layer.activation == "gelu_tanh")
        case "step":
            return (z > 0).astype(z.dtype)
        case "selu":
            return jax.nn.selu(z)
        case "softsign":
            return jax.nn.soft_sign(z)
        case "log_sigmoid":
            return jax.nn.log_sigmoid(z)
        case "mish":
            return jax.nn.mish(z)
        case "relu6":
            return jax.nn.relu6(z)
        case "hard_tanh":
            # the gradient of jax.nn.hard_tanh is 1 at -1 and 1, where the contract's is 0
            return _clipped(z, -1, 1)
        case "hard_sigmoid":
            return jax.nn.hard_sigmoid(z)
        case "hard_sigmoid_fifth":
            return _clipped(0.2 * z + 0.5, 0, 1)
        case "hard_swish":
            return jax.nn.hard_swish(z)
    raise ValueError(f"activation {layer.activation!r} is not known here")


def _clipped(z: jax.Array, low: float, high: float) -> jax.Array:
    """Return z between low and high, with a gradient of 0 at both."""
    return jnp.where((z > low) & (z < high), z, jnp.clip(jax.lax.stop_gradient(z), low, high))


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
