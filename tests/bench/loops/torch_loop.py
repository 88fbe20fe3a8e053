"""Plain PyTorch: tensors, autograd, the library's optimizer."""

import torch
from torch.nn import functional


def make(parameters, inputs, targets, hidden, adam):
    W = [torch.tensor(w.T.copy(), requires_grad=True) for w, _ in parameters]
    b = [torch.tensor(v, requires_grad=True) for _, v in parameters]
    x_all, y_all = torch.tensor(inputs), torch.tensor(targets, dtype=torch.int64)
    if adam:
        optimizer = torch.optim.Adam([*W, *b], lr=1e-4, fused=True)
    else:
        optimizer = torch.optim.SGD([*W, *b], lr=0.1, fused=True)
    activation = torch.relu if hidden == "relu" else torch.sigmoid

    def train(rows):
        losses = []
        for picked in torch.from_numpy(rows):
            a, y = x_all[picked], y_all[picked]
            for w, v in zip(W[:-1], b[:-1], strict=True):
                a = activation(functional.linear(a, w, v))
            loss = functional.cross_entropy(functional.linear(a, W[-1], b[-1]), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()

    return train
