"""The losses of the TensorFlow adapter, row by row."""

import math

import tensorflow as tf

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


def losses_of_rows(loss: Loss, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the loss of every row (rows,), from logits or values."""
    if isinstance(loss, SoftmaxCrossEntropy):
        if loss.label_smoothing is None:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, z)
        classes = z.shape[1]
        share = loss.label_smoothing.share(classes)
        targets = (1 - share) * tf.one_hot(y, classes, dtype=z.dtype) + share / classes
        return tf.nn.softmax_cross_entropy_with_logits(targets, z)
    over_outputs = tf.reduce_mean if loss.outputs == "mean" else tf.reduce_sum
    return over_outputs(_losses_of_outputs(loss, z, y), axis=1)


def weights_of_rows(loss: Loss, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor | None:
    """Return the weight of every row (rows,) by its class, or None where all weigh the same."""
    weights = loss.class_weights if isinstance(loss, CrossEntropy) else None
    if weights is None:
        return None
    labels = tf.cast(tf.reshape(y, (-1,)), tf.int32)
    return tf.gather(tf.constant(weights.values, z.dtype), labels)


def weighted(loss: Loss, rows: tf.Tensor, weights: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the loss of a batch of rows that weigh. Those beyond `size` weigh nothing."""
    weights = tf.where(tf.range(tf.shape(rows)[0]) < size, weights, tf.zeros_like(weights))
    total = tf.reduce_sum(weights * rows)
    if loss.batch == "sum":
        return total
    stated = loss.class_weights if isinstance(loss, CrossEntropy) else None
    over_weights = stated is not None and stated.mean_over == "weights"
    return total / (tf.reduce_sum(weights) if over_weights else tf.cast(size, rows.dtype))


def _losses_of_outputs(
    loss: LossOfValues | BinaryCrossEntropy, z: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Return the loss of every output (rows, outputs)."""
    e = z - y
    match loss:
        case MeanSquaredError():
            return tf.square(e) * (0.5 if loss.half else 1.0)
        case BinaryCrossEntropy():
            if loss.label_smoothing is not None:
                share = loss.label_smoothing.share(2)
                y = (1 - share) * y + share / 2
            return tf.nn.sigmoid_cross_entropy_with_logits(y, z)
        case MeanAbsoluteError():
            return tf.abs(e)
        case Huber():
            outside = loss.delta * (tf.abs(e) - loss.delta / 2)
            value = tf.where(tf.abs(e) <= loss.delta, tf.square(e) / 2, outside)
            return value / loss.delta if loss.over_delta else value
        case LogCosh():
            return e + tf.math.softplus(-2 * e) - math.log(2)
        case Hinge():
            # tf.nn.relu has a slope of 0 at 0, tf.maximum one of 1
            return tf.nn.relu(1 - y * z)
    return tf.square(tf.nn.relu(1 - y * z))
