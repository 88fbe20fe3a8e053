"""The Flax adapter: modules of Flax NNX, losses and update rules of Optax.

Loops: `stepwise` is one call of a jitted step per batch. `fused` is a whole segment in one XLA
program, which takes the data, a plan of fixed size and the number of steps at run time: one
executable, compiled once, serves every segment.

Both are `jax.jit` of a function that puts model and optimizer together, trains them and takes
them apart again, as Flax's guide on performance advises. `nnx.jit` does this in Python in every
call, which on XOR takes 25 times as long as a call that passes the arrays alone.

The losses are in `flax_losses.py`, the update rules, chains of Optax, in `flax_updates.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from harness.trainer import (
    Array,
    Batches,
    Conv,
    Dense,
    DeviceUnavailableError,
    Dropout,
    Flatten,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.flax_images import Convolution, Flattened, Pool
from implementations.flax_losses import losses_of_rows, weighted, weights_of_rows
from implementations.flax_updates import clipped, constrained, penalty_of, update_of

PLANNED_STEPS, PLANNED_ROWS = 8_192, 65_536
"""The largest plan of the fused program, in steps and in rows, but at least 16 steps.

The plan is copied whole for every segment, so it must not be large. A longer segment is run in
pieces.
"""
UNROLLED_STEPS = 10
"""On a GPU a turn of a program's loop has so many steps: between turns the device is waited for."""

Pytree = Any
"""What JAX calls nested tuples and lists of arrays."""


class FlaxTrainer(StepTrainer):
    """`nnx.Linear` layers in `nnx.Sequential`, and `nnx.Optimizer`."""

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
        model = self._network()
        optimizer = task.optimizer and nnx.Optimizer(
            model, update_of(task.optimizer), wrt=nnx.Param
        )
        self.graph, state = nnx.split((model, optimizer))
        arrays, self.tree = jax.tree.flatten(state)
        self.state = self._on_device(arrays)
        self.predict_compiled = jax.jit(lambda state, x: _forward(self._put_together(state)[0], x))
        if task.loss is None or task.optimizer is None or task.targets is None:
            return  # a network that only predicts
        self.loss = task.loss
        self.targets = self._on_device(task.targets)
        self.step_compiled = jax.jit(self._gathered_step, donate_argnums=0)
        self.segment_compiled = jax.jit(self._segment, donate_argnums=0)

    # ------------------------------------------------------------ start

    def _network(self) -> nnx.Sequential:
        """Return layers with the given parameters. None are drawn, only their shapes are made."""
        model = nnx.eval_shape(self._layers)
        linears = [found for module in model.layers if (found := _linear(module)) is not None]
        trained = [entry for entry in self.task.parameters if entry]
        for linear, (weights, biases) in zip(linears, trained, strict=True):
            linear.kernel.set_value(self._on_device(weights))
            if biases is not None:
                linear.bias.set_value(self._on_device(biases))
        return model

    def _layers(self) -> nnx.Sequential:
        modules: list[Any] = []
        network, dtype, rngs = self.task.network, self.task.dtype, nnx.Rngs(0)
        for layer, shape in zip(network.layers, network.row_shapes, strict=False):
            match layer:
                case Dropout():
                    modules.append(GivenDropout(layer))
                case Dense():
                    (inputs,), bias = shape, layer.bias
                    modules.append(
                        nnx.Linear(inputs, layer.units, use_bias=bias, param_dtype=dtype, rngs=rngs)
                    )
                case Conv():
                    modules.append(Convolution(layer, shape, dtype, rngs, self.on_cpu))
                case Flatten():
                    modules.append(Flattened(layer, shape))
                case _:
                    modules.append(Pool(layer, shape))
            if isinstance(layer, Dense | Conv) and layer.activation != "identity":
                modules.append(_activation(layer))
        return nnx.Sequential(*modules)

    def _put_together(self, state: list[jax.Array]) -> Any:
        """Return (model, optimizer) with these arrays."""
        return nnx.merge(self.graph, jax.tree.unflatten(self.tree, state))

    def _on_device(self, values: Pytree) -> Pytree:
        return jax.device_put(values, self.target_device)

    # ------------------------------------------------------------ loss and update

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

    def _penalty(self, model: nnx.Sequential, size: jax.Array) -> jax.Array:
        task, dtype = self.task, self.task.dtype
        parameters = jax.tree.leaves(nnx.state(model, nnx.Param))
        return penalty_of(task.l2, task.l1, parameters, size.astype(dtype))

    def _clipped(self, gradients: Pytree) -> Pytree:
        clipping = self.task.clipping
        return gradients if clipping is None else clipped(clipping, gradients)

    def _step(
        self,
        state: list[jax.Array],
        x: jax.Array,
        y: jax.Array,
        size: jax.Array,
        rate: jax.Array,
        masks: Pytree,
    ) -> tuple[list[jax.Array], jax.Array]:
        """Update once. Return (state, loss), the loss before the update."""
        model, optimizer = self._put_together(state)

        def loss_of(model: nnx.Sequential) -> jax.Array:
            return self._loss(_forward(model, x, masks), y, size)

        def whole_loss_of(model: nnx.Sequential) -> jax.Array:
            if self.task.l2 is None and self.task.l1 is None:
                return loss_of(model)
            return loss_of(model) + self._penalty(model, size)

        clipping = self.task.clipping
        if clipping is not None and clipping.includes_penalty is False:
            loss, gradients = nnx.value_and_grad(loss_of)(model)
            penalty, more = nnx.value_and_grad(self._penalty)(model, size)
            loss, gradients = loss + penalty, jax.tree.map(jnp.add, self._clipped(gradients), more)
        else:
            loss, gradients = nnx.value_and_grad(whole_loss_of)(model)
            gradients = self._clipped(gradients)
        optimizer.update(model, gradients, learning_rate=rate)
        if self.task.max_norm is not None:
            for module in model.layers:
                if isinstance(module, nnx.Linear):
                    bounded = constrained(self.task.max_norm, module.kernel.get_value())
                    module.kernel.set_value(bounded)
        return jax.tree.leaves(nnx.state((model, optimizer))), loss

    def _gathered_step(
        self,
        state: list[jax.Array],
        inputs: jax.Array,
        targets: jax.Array,
        rows: jax.Array | None,
        size: jax.Array,
        rate: jax.Array,
        masks: Pytree,
    ) -> tuple[list[jax.Array], jax.Array]:
        """Do the same on the rows of a batch, or on all rows if `rows` is None."""
        x, y = (inputs, targets) if rows is None else _gathered(inputs, targets, rows)
        return self._step(state, x, y, size, rate, masks)

    def _segment(
        self,
        state: list[jax.Array],
        inputs: jax.Array,
        targets: jax.Array,
        plan: Pytree,
        steps: jax.Array,
    ) -> tuple[list[jax.Array], jax.Array]:
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
        """Return copies in the contract's layout, which is that of `nnx.Linear` and `nnx.Conv`."""
        model, _ = self._put_together(self.state)
        return [
            ()
            if (linear := _linear(module)) is None
            else (np.array(linear.kernel), None if linear.bias is None else np.array(linear.bias))
            for module in model.layers
            if isinstance(module, nnx.Linear | GivenDropout | Convolution | Pool | Flattened)
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
        return np.asarray(self.predict_compiled(self.state, self._on_device(inputs)))


# ---------------------------------------------------------------- dropout


class GivenDropout(nnx.Module):
    """Dropout by a mask that is given; `nnx.Dropout` draws its own.

    Args:
        layer: with rate and form.
    """

    def __init__(self, layer: Dropout) -> None:
        self.training_scale, self.prediction_scale = layer.training_scale, layer.prediction_scale

    def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Return x with the bits of a mask, or in prediction."""
        if mask is None:
            return x if self.prediction_scale == 1 else x * self.prediction_scale
        bits = (mask[:, :, None] >> jnp.arange(8, dtype=jnp.uint8)) & 1
        kept = bits.reshape(len(mask), -1)[:, : x.shape[1]]
        return x * (kept.astype(x.dtype) * self.training_scale)


def _forward(model: nnx.Sequential, x: jax.Array, masks: Pytree = ()) -> jax.Array:
    """Return logits or values; masks are those of a step, none in prediction."""
    of_layers = iter(masks)
    for module in model.layers:
        is_masked = isinstance(module, GivenDropout) and masks
        x = module(x, next(of_layers)) if is_masked else module(x)
    return x


# ---------------------------------------------------------------- helpers


def _linear(module: Any) -> nnx.Linear | nnx.Conv | None:
    """Return what has the kernel and bias of a module of the network, or None."""
    if isinstance(module, Convolution):
        return module.conv
    return module if isinstance(module, nnx.Linear) else None


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


def _activation(layer: Dense | Conv) -> Any:
    match layer.activation:
        case "sigmoid":
            return nnx.sigmoid
        case "tanh":
            return nnx.tanh
        case "relu":
            return nnx.relu
        case "leaky_relu":
            # the gradient of nnx.leaky_relu is 1 at 0, where the contract's is `slope`
            return lambda z: jnp.where(z > 0, z, layer.slope * z)
        case "elu":
            return partial(nnx.elu, alpha=layer.alpha)
        case "swish":
            return nnx.swish
        case "softplus":
            return nnx.softplus
        case "gelu" | "gelu_tanh":
            return partial(nnx.gelu, approximate=layer.activation == "gelu_tanh")
        case "step":
            return lambda z: (z > 0).astype(z.dtype)
        case "selu":
            return nnx.selu
        case "softsign":
            return nnx.soft_sign
        case "log_sigmoid":
            return nnx.log_sigmoid
        case "mish":
            return jax.nn.mish  # Flax has none
        case "relu6":
            return nnx.relu6
        case "hard_tanh":
            # the gradient of nnx.hard_tanh is 1 at -1 and 1, where the contract's is 0
            return lambda z: _clipped(z, -1, 1)
        case "hard_sigmoid":
            return nnx.hard_sigmoid
        case "hard_sigmoid_fifth":
            return lambda z: _clipped(0.2 * z + 0.5, 0, 1)
        case "hard_swish":
            return nnx.hard_swish
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
