"""A network in plain Python, without NumPy: lists of numbers, `csv` and `math`.

    samestep export xor-mlp d && python plain_python.py d && samestep check d

Sigmoid units in one hidden layer, one sigmoid at the end, full batches. It reads the `.csv` files
of the folder, and hands back `.csv` files: `repr` writes all digits of a number.
"""

import csv
import math
import sys
from pathlib import Path


def read(file):
    """A list of rows, each a list of numbers."""
    with file.open(newline="") as lines:
        return [[float(cell) for cell in row] for row in csv.reader(lines)]


def write(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(",".join(map(repr, row)) + "\n" for row in rows))


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def affine(x, W, b):
    return [sum(x[i] * W[i][j] for i in range(len(x))) + b[j] for j in range(len(b))]


def forward(x, W1, b1, W2, b2):
    hidden = [sigmoid(z) for z in affine(x, W1, b1)]
    return hidden, affine(hidden, W2, b2)[0]


def gradients(X, targets, W1, b1, W2, b2):
    """The mean loss of all rows, and its gradients."""
    loss = 0.0
    dW1 = [[0.0] * len(b1) for _ in W1]
    db1 = [0.0] * len(b1)
    dW2 = [[0.0] for _ in W2]
    db2 = [0.0]
    for x, (y,) in zip(X, targets):
        hidden, z = forward(x, W1, b1, W2, b2)
        p = sigmoid(z)
        loss += (-y * math.log(p) - (1 - y) * math.log(1 - p)) / len(X)
        delta = (p - y) / len(X)
        db2[0] += delta
        for j, a in enumerate(hidden):
            dW2[j][0] += a * delta
            below = delta * W2[j][0] * a * (1 - a)
            db1[j] += below
            for i, value in enumerate(x):
                dW1[i][j] += value * below
    return loss, dW1, db1, dW2, db2


def updated(W, dW, rate):
    return [[w - rate * g for w, g in zip(row, drow)] for row, drow in zip(W, dW)]


def main(folder):
    X, targets = read(folder / "inputs.csv"), read(folder / "targets.csv")
    W1, W2 = (read(folder / "start" / f"weights_{layer}.csv") for layer in (1, 2))
    b1, b2 = ([b for (b,) in read(folder / "start" / f"biases_{layer}.csv")] for layer in (1, 2))
    rates = [rate for (rate,) in read(folder / "learning_rates.csv")]

    answer = folder / "answer"
    outputs = [[forward(x, W1, b1, W2, b2)[1]] for x in read(folder / "inputs_to_predict.csv")]
    write(answer / "outputs_before.csv", outputs)
    losses = []
    for step, rate in enumerate(rates, start=1):
        loss, dW1, db1, dW2, db2 = gradients(X, targets, W1, b1, W2, b2)
        losses.append([loss])
        W1, W2 = updated(W1, dW1, rate), updated(W2, dW2, rate)
        (b1,), (b2,) = updated([b1], [db1], rate), updated([b2], [db2], rate)
        if step in (1, 2, len(rates)):
            after = answer / f"parameters_after_step_{step}"
            write(after / "weights_1.csv", W1)
            write(after / "biases_1.csv", [[b] for b in b1])
            write(after / "weights_2.csv", W2)
            write(after / "biases_2.csv", [[b] for b in b2])
    write(answer / "losses.csv", losses)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
