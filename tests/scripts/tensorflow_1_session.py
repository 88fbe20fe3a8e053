"""A TensorFlow 1 session, as the study posts have it: placeholders, a graph, `sess.run`.

    samestep export mnist-mlp d && python tensorflow_1_session.py d && samestep check d

Sigmoid units in every hidden layer; softmax over classes at the end, or one sigmoid. In
TensorFlow 2 the same API is `tf.compat.v1`. float64, because the folder was exported so.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


def batches_of(folder, steps):
    """The rows of every step: all of them, or a line of `batch_rows` up to the batch's size."""
    if not (folder / "batch_rows.npy").exists():
        return [slice(None)] * steps
    rows, sizes = np.load(folder / "batch_rows.npy"), np.load(folder / "batch_sizes.npy")
    return [line[:size] for line, size in zip(rows, sizes)]


def main(folder):
    inputs, targets = np.load(folder / "inputs.npy"), np.load(folder / "targets.npy")
    rates = np.load(folder / "learning_rates.npy")
    steps = len(rates)
    batches = batches_of(folder, steps)
    layers = len(list((folder / "start").glob("weights_*.npy")))

    # placeholders
    X = tf.placeholder(shape=[None, inputs.shape[1]], dtype=tf.float64)
    T = tf.placeholder(shape=[None, *targets.shape[1:]], dtype=targets.dtype)
    rate = tf.placeholder(shape=[], dtype=tf.float64)

    # Weight & bias
    variables = {}
    logit = X
    for layer in range(1, layers + 1):
        W, b = (
            tf.Variable(np.load(folder / "start" / f"{part}_{layer}.npy"))
            for part in ("weights", "biases")
        )
        variables[f"weights_{layer}"], variables[f"biases_{layer}"] = W, b
        logit = tf.matmul(tf.sigmoid(logit) if layer > 1 else logit, W) + b

    # loss
    if T.shape.rank == 1:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logit, labels=T)
    else:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(logits=logit, labels=T)
    loss = tf.reduce_mean(losses)
    train = tf.train.GradientDescentOptimizer(learning_rate=rate).minimize(loss)

    answer = {}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        rows_to_predict = np.load(folder / "inputs_to_predict.npy")
        answer["outputs_before"] = sess.run(logit, feed_dict={X: rows_to_predict})
        answer["losses"] = []
        for step in range(steps):
            rows = batches[step]
            feed = {
                X: inputs[rows],
                T: targets[rows],
                rate: rates[step],
            }
            _, loss_val = sess.run([train, loss], feed_dict=feed)
            answer["losses"].append(loss_val)
            if step + 1 in (1, 2, steps):
                for name, value in sess.run(variables).items():
                    answer[f"parameters_after_step_{step + 1}/{name}"] = value
    np.savez(folder / "answer.npz", **answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
