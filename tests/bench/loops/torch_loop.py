"""Plain PyTorch: tensors, autograd, the library's optimizer."""

import torch
from torch.nn import functional


def make(parameters, inputs, targets, hidden, adam):
    W = [torch.tensor(w.T.copy(), requires_grad=True) for w, _ in parameters]
    b = [torch.tensor(v, requires_grad=True) for _, v in parameters]
    labels = targets.dtype.kind == "i"
    x_all, y_all = torch.tensor(inputs), torch.tensor(targets)
    y_all = y_all.long() if labels else y_all
    if adam:
        optimizer = torch.optim.Adam([*W, *b], lr=1e-4, fused=True)
    else:
        optimizer = torch.optim.SGD([*W, *b], lr=0.1, fused=True)
    activation = torch.relu if hidden == "relu" else torch.sigmoid
    loss_of = functional.cross_entropy if labels else functional.binary_cross_entropy_with_logits

    def train(rows, steps):
        rows = None if rows is None else torch.from_numpy(rows)
        losses = []
        for step in range(steps):
            a, y = x_all, y_all
            if rows is not None:
                a, y = x_all.index_select(0, rows[step]), y_all.index_select(0, rows[step])
            for w, v in zip(W[:-1], b[:-1], strict=True):
                a = activation(functional.linear(a, w, v))
            loss = loss_of(functional.linear(a, W[-1], b[-1]), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()

    return train
