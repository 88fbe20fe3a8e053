"""The training loop of a PyTorch tutorial: a module, a criterion, an optimizer; zero, back, step.

    samestep export mnist-mlp d && python pytorch_tutorial.py d && samestep check d

With the name of a mistake behind the folder it makes that mistake, as people do:
`python pytorch_tutorial.py d softmax-twice`. The check says which one it was.

Sigmoid units in every hidden layer, SGD, and softmax over classes or one sigmoid at the end.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

MISTAKES = {
    "softmax-twice": "CrossEntropyLoss takes logits, and the module ends with a Softmax",
    "loss-summed": "the criterion sums over the batch",
    "weight-decay": "the optimizer has a weight decay, left on from elsewhere",
    "learning-rate": "the learning rate is the optimizer's own, 0.01",
    "no-zero-grad": "gradients are never set to zero, and add up",
    "momentum": "the optimizer has momentum",
    "no-activation": "the activation between the layers is forgotten",
    "own-start": "the module keeps the weights that it draws itself",
    "no-biases": "the biases do not require gradients",
    "in-order": "the loader does not shuffle",
}


def network(folder, mistake):
    """A module with the start of the folder; `Linear` has its weight as (outputs, inputs)."""
    torch.manual_seed(0)
    layers = []
    for number in range(1, 1 + len(list((folder / "start").glob("weights_*.npy")))):
        W = np.load(folder / "start" / f"weights_{number}.npy")
        b = np.load(folder / "start" / f"biases_{number}.npy")
        linear = nn.Linear(*W.shape, dtype=torch.float64)
        if mistake != "own-start":
            linear.weight.data, linear.bias.data = torch.tensor(W.T), torch.tensor(b)
        linear.bias.requires_grad = mistake != "no-biases"
        if layers and mistake != "no-activation":
            layers.append(nn.Sigmoid())
        layers.append(linear)
    return nn.Sequential(*layers)


def tensors_of(model):
    """(name, array) of the folder's layout: weights are (inputs, outputs)."""
    linears = [module for module in model if isinstance(module, nn.Linear)]
    for number, linear in enumerate(linears, start=1):
        yield f"weights_{number}", linear.weight.detach().numpy().T.copy()
        yield f"biases_{number}", linear.bias.detach().numpy().copy()


def batches_of(folder, steps, mistake):
    """The rows of every step: all of them, or a line of `batch_rows` up to the batch's size."""
    if not (folder / "batch_rows.npy").exists():
        return [slice(None)] * steps
    rows, sizes = np.load(folder / "batch_rows.npy"), np.load(folder / "batch_sizes.npy")
    if mistake == "in-order":
        count = len(np.load(folder / "inputs.npy"))
        steps_per_epoch = -(-count // rows.shape[1])
        first = [step % steps_per_epoch * rows.shape[1] for step in range(steps)]
        return [slice(row, row + rows.shape[1]) for row in first]
    return [line[:size] for line, size in zip(rows, sizes)]


def main(folder, mistake=""):
    X, t = (torch.tensor(np.load(folder / f"{name}.npy")) for name in ("inputs", "targets"))
    rates = np.load(folder / "learning_rates.npy")
    batches = batches_of(folder, len(rates), mistake)

    model = network(folder, mistake)
    reduction = "sum" if mistake == "loss-summed" else "mean"
    criterion = nn.BCEWithLogitsLoss(reduction=reduction)
    if t.ndim == 1:
        criterion, t = nn.CrossEntropyLoss(reduction=reduction), t.long()
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad],
        lr=0.01 if mistake == "learning-rate" else float(rates[0]),
        momentum=0.9 if mistake == "momentum" else 0,
        weight_decay=1e-4 if mistake == "weight-decay" else 0,
    )

    with torch.no_grad():
        outputs = model(torch.tensor(np.load(folder / "inputs_to_predict.npy")))
    answer = {"outputs_before": outputs.numpy(), "losses": []}
    answer |= {f"parameters_after_step_0/{name}": values for name, values in tensors_of(model)}
    for step in range(len(rates)):
        if mistake != "no-zero-grad":
            optimizer.zero_grad()
        rows = batches[step]
        outputs = model(X[rows])
        if mistake == "softmax-twice":
            outputs = torch.softmax(outputs, dim=1)
        loss = criterion(outputs, t[rows])
        loss.backward()
        optimizer.step()
        answer["losses"].append(loss.item())
        if step + 1 in (1, 2, len(rates)):
            for name, values in tensors_of(model):
                answer[f"parameters_after_step_{step + 1}/{name}"] = values
    np.savez(folder / "answer.npz", **answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
