"""The NumPy loop of the study post on a network for MNIST: affine layers, and backpropagation.

    samestep export mnist-mlp d && python numpy_loop.py d && samestep check d

One hidden layer of sigmoid units. Its output is softmax over classes, or one sigmoid, so that it
does for `xor-mlp` too. What the harness gives, and what it gets back, is in `main` alone.
"""

import sys
import time
from pathlib import Path

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(x):
    return sigmoid(x) * (1 - sigmoid(x))


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def affine_forward(X, W, b):
    return X @ W + b


def affine_backward(dy, X, W):
    return dy @ W.T, X.T @ dy, dy.sum(axis=0)


def forward(X, W1, b1, W2, b2):
    a1 = affine_forward(X, W1, b1)
    z1 = sigmoid(a1)
    return a1, z1, affine_forward(z1, W2, b2)


def loss_and_slope(logits, t):
    """Cross-entropy, averaged over the batch, and its slope by the logits: (p - t) / rows."""
    rows = len(logits)
    if logits.shape[1] == 1:
        p = sigmoid(logits)
        return -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum() / rows, (p - t) / rows
    p = softmax(logits)
    onehot = np.eye(logits.shape[1])[t]
    return -np.log(p[np.arange(rows), t]).sum() / rows, (p - onehot) / rows


def train_step(X, t, W1, b1, W2, b2, learning_rate):
    a1, z1, logits = forward(X, W1, b1, W2, b2)
    loss, dy = loss_and_slope(logits, t)
    dz1, dW2, db2 = affine_backward(dy, z1, W2)
    da1 = sigmoid_grad(a1) * dz1
    _, dW1, db1 = affine_backward(da1, X, W1)
    W1 = W1 - learning_rate * dW1
    b1 = b1 - learning_rate * db1
    W2 = W2 - learning_rate * dW2
    b2 = b2 - learning_rate * db2
    return W1, b1, W2, b2, loss


def batches_of(folder, steps):
    """The rows of every step: all of them, or a line of `batch_rows` up to the batch's size."""
    if not (folder / "batch_rows.npy").exists():
        return [slice(None)] * steps
    rows, sizes = np.load(folder / "batch_rows.npy"), np.load(folder / "batch_sizes.npy")
    return [line[:size] for line, size in zip(rows, sizes)]


def main(folder):
    X, t = np.load(folder / "inputs.npy"), np.load(folder / "targets.npy")
    rates = np.load(folder / "learning_rates.npy")
    steps = len(rates)
    batches = batches_of(folder, steps)
    names = ("weights_1", "biases_1", "weights_2", "biases_2")
    parameters = [np.load(folder / "start" / f"{name}.npy") for name in names]

    answer = {"outputs_before": forward(np.load(folder / "inputs_to_predict.npy"), *parameters)[-1]}
    losses = []
    began = time.perf_counter()
    for step in range(steps):
        rows = batches[step]
        *parameters, loss = train_step(X[rows], t[rows], *parameters, rates[step])
        losses.append(loss)
        if step + 1 in (1, 2, steps):
            for name, values in zip(names, parameters):
                answer[f"parameters_after_step_{step + 1}/{name}"] = values
    answer["train_s"] = time.perf_counter() - began
    np.savez(folder / "answer.npz", losses=losses, **answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
