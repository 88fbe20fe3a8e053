"""Plain NumPy: the formulas, in place where that costs no line."""

import numpy as np


def make(parameters, inputs, targets, hidden, adam):
    W = [w.copy() for w, _ in parameters]
    b = [v.copy() for _, v in parameters]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (*W, *b)]
    labels = targets.dtype.kind == "i"
    t = 0

    def train(rows, steps):
        nonlocal t
        losses = np.empty(steps)
        for step in range(steps):
            x, y = inputs, targets
            if rows is not None:
                x, y = inputs[rows[step]], targets[rows[step]]
            a = [x]
            for i in range(len(W)):
                z = a[-1] @ W[i]
                z += b[i]
                if i < len(W) - 1:
                    z = np.maximum(z, 0, out=z) if hidden == "relu" else 1 / (1 + np.exp(-z))
                a.append(z)
            losses[step], d = (softmax if labels else sigmoid)(z, y)
            dW, db = [None] * len(W), [None] * len(W)
            for i in reversed(range(len(W))):
                dW[i], db[i] = a[i].T @ d, d.sum(axis=0)
                if i:
                    d = d @ W[i].T
                    d *= (a[i] > 0) if hidden == "relu" else a[i] * (1 - a[i])
            t += 1
            for w, g, (m, v) in zip((*W, *b), (*dW, *db), moments, strict=True):
                if adam:
                    m *= 0.9
                    m += 0.1 * g
                    v *= 0.999
                    v += 0.001 * g * g
                    w -= 1e-4 / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
                else:
                    g *= 0.1
                    w -= g
        return losses

    return train


def softmax(z, y):
    n = np.arange(len(y))
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[n, y]).mean()
    p[n, y] -= 1
    p /= len(y)
    return loss, p


def sigmoid(z, y):
    loss = (np.logaddexp(0, z) - y * z).mean()
    return loss, (1 / (1 + np.exp(-z)) - y) / z.size
