"""The losses of the Flax adapter, row by row: Optax's where it has them."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from harness.trainer import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    LossOfValues,
    MeanAbsoluteError,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)


def losses_of_rows(loss: Loss, z: jax.Array, y: jax.Array) -> jax.Array:
    """Return the loss of every row (rows,), from logits or values."""
    if isinstance(loss, SoftmaxCrossEntropy):
        if loss.label_smoothing is None:
            return optax.softmax_cross_entropy_with_integer_labels(z, y)
        share = loss.label_smoothing.share(z.shape[1])
        targets = optax.smooth_labels(jax.nn.one_hot(y, z.shape[1], dtype=z.dtype), share)
        return optax.softmax_cross_entropy(z, targets)
    per_output = _losses_of_outputs(loss, z, y)
    return per_output.mean(axis=1) if loss.outputs == "mean" else per_output.sum(axis=1)


def weights_of_rows(loss: Loss, z: jax.Array, y: jax.Array) -> jax.Array | None:
    """Return the weight of every row (rows,) by its class, or None where all weigh the same."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    if weights is None:
        return None
    return jnp.asarray(weights.values, z.dtype)[y.reshape(-1).astype(jnp.int32)]


def weighted(loss: Loss, rows: jax.Array, weights: jax.Array, size: jax.Array) -> jax.Array:
    """Return the loss of a batch of rows that weigh. Those beyond `size` weigh nothing."""
    weights = jnp.where(jnp.arange(len(rows)) < size, weights, 0)
    total = (weights * rows).sum()
    if loss.batch == "sum":
        return total
    stated = loss.class_weights if isinstance(loss, CrossEntropy) else None
    over_weights = stated is not None and stated.mean_over == "weights"
    return total / (weights.sum() if over_weights else size)


def _losses_of_outputs(
    loss: LossOfValues | BinaryCrossEntropy, z: jax.Array, y: jax.Array
) -> jax.Array:
    """Return the loss of every output (rows, outputs)."""
    match loss:
        case MeanSquaredError():
            return optax.l2_loss(z, y) if loss.half else optax.squared_error(z, y)
        case BinaryCrossEntropy():
            if loss.label_smoothing is not None:
                share = loss.label_smoothing.share(2)
                y = (1 - share) * y + share / 2
            # with optax.sigmoid_binary_cross_entropy a fused step on XOR is 2.4 us, not 0.4
            return jnp.logaddexp(z, 0.0) - y * z
        case MeanAbsoluteError():
            # the slope of jnp.abs at 0 is 1, where the contract's is 0
            return (z - y) * jax.lax.stop_gradient(jnp.sign(z - y))
        case Huber():
            value = optax.huber_loss(z, y, delta=loss.delta)
            return value / loss.delta if loss.over_delta else value
        case LogCosh():
            return optax.log_cosh(z, y)
        case Hinge():
            # optax.hinge_loss is a maximum, whose slope at the kink is -y / 2
            return nnx.relu(1 - y * z)
    return nnx.relu(1 - y * z) ** 2
