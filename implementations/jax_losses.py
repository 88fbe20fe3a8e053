"""The losses of the JAX adapter, row by row."""

import math

import jax
import jax.numpy as jnp

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
        z_of_label = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
        if loss.label_smoothing is not None:
            share = loss.label_smoothing.share(z.shape[1])
            z_of_label = (1 - share) * z_of_label + share * z.mean(axis=1)
        return jax.nn.logsumexp(z, axis=1) - z_of_label
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
    e = z - y
    match loss:
        case MeanSquaredError():
            return e**2 * (0.5 if loss.half else 1.0)
        case BinaryCrossEntropy():
            if loss.label_smoothing is not None:
                share = loss.label_smoothing.share(2)
                y = (1 - share) * y + share / 2
            return jnp.logaddexp(z, 0.0) - y * z
        case MeanAbsoluteError():
            # the slope of jnp.abs at 0 is 1, where the contract's is 0
            return e * jax.lax.stop_gradient(jnp.sign(e))
        case Huber():
            outside = loss.delta * (jnp.abs(e) - loss.delta / 2)
            value = jnp.where(jnp.abs(e) <= loss.delta, e**2 / 2, outside)
            return value / loss.delta if loss.over_delta else value
        case LogCosh():
            return jnp.logaddexp(e, -e) - math.log(2)
        case Hinge():
            # jax.nn.relu has a slope of 0 at 0, jnp.maximum one of 1/2
            return jax.nn.relu(1 - y * z)
    return jax.nn.relu(1 - y * z) ** 2
