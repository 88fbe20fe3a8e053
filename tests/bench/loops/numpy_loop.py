"""Plain NumPy."""

import numpy as np


def make(parameters, inputs, targets, hidden, adam):
    W = [w.copy() for w, _ in parameters]
    b = [v.copy() for _, v in parameters]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in (*W, *b)]
    t = 0

    def train(rows):
        nonlocal t
        losses = np.empty(len(rows))
        for step, picked in enumerate(rows):
            x, y = inputs[picked], targets[picked]
            n = np.arange(len(y))
            a = [x]
            for i in range(len(W)):
                z = a[-1] @ W[i]
                z += b[i]
                if i < len(W) - 1:
                    z = np.maximum(z, 0, out=z) if hidden == "relu" else 1 / (1 + np.exp(-z))
                a.append(z)
            z -= z.max(axis=1, keepdims=True)
            p = np.exp(z)
            p /= p.sum(axis=1, keepdims=True)
            losses[step] = -np.log(p[n, y]).mean()
            p[n, y] -= 1
            p /= np.float32(len(y))
            d = p
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
