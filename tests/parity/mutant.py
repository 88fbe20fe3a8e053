"""A small adapter, right but for one planted mistake; written on torch's autograd, so that it
shares no line with the oracle that has to recognise the mistake."""

import math

import numpy as np
import pytest

from harness.registry import installed
from harness.trainer import StepTrainer

torch = pytest.importorskip(
    "torch", reason=f"torch is not installed: {installed()['torch'].install_line}"
)
functional = torch.nn.functional

ACTIVATIONS = {
    "identity": lambda z, layer: z,
    "sigmoid": lambda z, layer: torch.sigmoid(z),
    "tanh": lambda z, layer: torch.tanh(z),
    "relu": lambda z, layer: torch.relu(z),
    "leaky_relu": lambda z, layer: functional.leaky_relu(z, layer.slope),
    "elu": lambda z, layer: functional.elu(z),
    "swish": lambda z, layer: functional.silu(z),
    "softplus": lambda z, layer: torch.logaddexp(z, torch.zeros_like(z)),
    "gelu": lambda z, layer: functional.gelu(z),
    "gelu_tanh": lambda z, layer: functional.gelu(z, approximate="tanh"),
}


class Mutant(StepTrainer):
    loops = ("stepwise",)

    def __init__(self, task, mistake=""):
        self.task, self.mistake = task, mistake
        dtype = torch.float32 if mistake == "float32" else torch.float64
        self.x = torch.tensor(task.inputs, dtype=dtype)
        if mistake == "inputs scaled twice":
            self.x = self.x / 255
        if mistake == "inputs not scaled":
            self.x = self.x * 16
        floats = task.loss.name != "softmax_cross_entropy"
        self.y = torch.tensor(task.targets, dtype=dtype if floats else torch.int64)
        self.dtype = dtype
        self.pairs = [self._given(i, W, b) for i, (W, b) in enumerate(task.parameters)]
        self.memory = self._empty()
        self.t = self.since = 0

    def _given(self, index, W, b):
        W, b = torch.tensor(W, dtype=self.dtype), torch.tensor(b, dtype=self.dtype)
        if self.mistake == "own start":
            W = torch.full_like(W, 0.1).cumsum(0) / W.shape[0]
        if self.mistake == "kernel transposed" and index == 1:
            W = W.reshape(W.shape[1], W.shape[0]).T.contiguous()
        if self.mistake == "all transposed":
            W = W.reshape(W.shape[1], W.shape[0]).T.contiguous()
        if self.mistake == "width wrong" and index == 0:
            W, b = W[:, :-1], b[:-1]
        if self.mistake == "width wrong" and index == 1:
            W = W[:-1]
        if self.mistake == "biases zero":
            b = torch.zeros_like(b)
        if self.mistake == "biases missing":
            b = torch.zeros_like(b)
        return W.clone().requires_grad_(), b.clone().requires_grad_()

    def _empty(self):
        rule = self.task.optimizer
        start = getattr(rule, "initial_accumulator", 0.0)
        return [
            [(torch.full_like(W, start), torch.full_like(b, start)) for W, b in self.pairs]
            for _ in range(2)
        ]

    def _forward(self, x):
        last = len(self.pairs) - 1
        for index, ((W, b), layer) in enumerate(
            zip(self.pairs, self.task.network.layers, strict=True)
        ):
            z = x @ W if self.mistake == "biases missing" else x @ W + b
            name = layer.activation
            if index < last and self.mistake.startswith("activation "):
                name = self.mistake.removeprefix("activation ")
            if index < last and self.mistake.startswith("slope "):
                x = functional.leaky_relu(z, float(self.mistake.removeprefix("slope ")))
            else:
                x = ACTIVATIONS[name](z, layer)
        return x

    def _loss(self, z, y, size, width):
        loss, mistake = self.task.loss, self.mistake
        counted = width if mistake == "padding counted" else size
        z, y = z[:counted], y[:counted]
        if loss.name == "softmax_cross_entropy":
            z = torch.softmax(z, 1) if mistake == "softmax twice" else z
            rows = functional.cross_entropy(z, y, reduction="none")
        elif loss.name == "binary_cross_entropy" and mistake == "clipped":
            p = torch.sigmoid(z).clamp(1e-7, 1 - 1e-7)
            rows = self._over_outputs(-y * p.log() - (1 - y) * (1 - p).log())
        elif loss.name == "binary_cross_entropy":
            rows = self._over_outputs(
                functional.binary_cross_entropy_with_logits(z, y, reduction="none")
            )
        else:
            rows = self._over_outputs((z - y) ** 2 * (0.5 if loss.half else 1))
        mean = (loss.batch == "mean") != (mistake == "loss summed over the batch")
        total = rows.mean() if mean else rows.sum()
        if mistake == "loss halved":
            total = total / 2
        if mistake == "loss doubled":
            total = total * 2
        return total + self._penalty(counted)

    def _over_outputs(self, each):
        mean = self.task.loss.outputs == "mean"
        if self.mistake == "loss summed over the outputs":
            mean = False
        return each.mean(1) if mean else each.sum(1)

    def _penalty(self, rows):
        total = 0.0
        if self.task.l2 is not None:
            kept = [W for W, _ in self.pairs]
            kept += [b for _, b in self.pairs] if self.task.l2.on == "all" else []
            total = self.task.l2.coefficient(rows) * sum((v * v).sum() for v in kept)
        if self.mistake in ("weight decay", "weight decay on all"):
            kept = [W for W, _ in self.pairs]
            kept += [b for _, b in self.pairs] if self.mistake.endswith("all") else []
            total = total + 0.005 * sum((v * v).sum() for v in kept)
        return total

    def advance(self, batches):
        losses = []
        if self.mistake == "state reset":
            self.memory, self.since = self._empty(), 0
        rows = batches.rows
        for step, (size, rate) in enumerate(
            zip(batches.sizes.tolist(), batches.learning_rates.tolist(), strict=True)
        ):
            x, y = self.x, self.y
            if rows is not None:
                picked = rows[step]
                if self.mistake == "rows of the start":
                    picked = np.arange(len(picked)) % len(self.x)
                if self.mistake == "rows in order":
                    first = self.t % (-(-len(self.x) // len(picked))) * len(picked)
                    picked = (first + np.arange(len(picked))) % len(self.x)
                if self.mistake == "rows shuffled anew":
                    generator = np.random.default_rng(self.t)
                    picked = generator.permutation(len(self.x))[: len(picked)]
                x, y = x[picked], y[picked]
            if self.mistake == "short batch dropped" and size < len(x):
                losses.append(float("nan"))
                continue
            loss = self._loss(self._forward(x), y, size, len(x))
            losses.append(
                float(loss.detach()) * (size if self.mistake == "loss returned as sum" else 1)
            )
            for pair in self.pairs:
                for v in pair:
                    v.grad = None
            loss.backward()
            self._update(rate)
        return np.array(losses)

    def _update(self, rate):
        mistake = self.mistake
        self.t += 1
        self.since += 1
        if mistake == "own rate":
            rate = 0.01
        if mistake == "rate scaled":
            rate *= 3
        if mistake == "rate decays":
            rate *= 0.97 ** (self.t - 1)
        for index, pair in enumerate(self.pairs):
            if mistake == f"layer {index + 1} frozen":
                continue
            for part, v in enumerate(pair):
                if part == 1 and mistake in ("biases frozen", "biases missing"):
                    continue
                g = torch.zeros_like(v) if v.grad is None else v.grad
                slots = [self.memory[0][index][part], self.memory[1][index][part]]
                with torch.no_grad():
                    if mistake == "decoupled decay":
                        v.mul_(1 - rate * 0.05)
                    step = self._step(g, slots, rate)
                    v.add_(step) if mistake == "sign flipped" else v.sub_(step)

    def _step(self, g, slots, rate):
        rule, mistake, t = self.task.optimizer, self.mistake, self.since
        if rule.name == "sgd":
            return rate * g
        if rule.name in ("momentum", "nesterov"):
            taken = 1 - rule.momentum if mistake == "momentum dampened" else 1
            inside = bool(rule.rate_inside_velocity) != (mistake == "velocity the other way")
            g = rate * g if inside else g
            slots[0].mul_(rule.momentum).add_(taken * g)
            nesterov = (rule.name == "nesterov") != (mistake == "nesterov swapped")
            step = g + rule.momentum * slots[0] if nesterov else slots[0].clone()
            return step if inside else rate * step
        epsilon = (
            float(mistake.removeprefix("epsilon "))
            if mistake.startswith("epsilon ")
            else (rule.epsilon)
        )
        if rule.name in ("rmsprop", "adagrad"):
            keep, take = (rule.rho, 1 - rule.rho) if rule.name == "rmsprop" else (1, 1)
            slots[0].mul_(keep).add_(take * g * g)
            inside = (rule.form == "epsilon_inside_root") != (mistake == "other form")
            v = slots[0]
            return rate * g / ((v + epsilon).sqrt() if inside else v.sqrt() + epsilon)
        slots[0].mul_(rule.beta1).add_((1 - rule.beta1) * g)
        slots[1].mul_(rule.beta2).add_((1 - rule.beta2) * g * g)
        c1, c2 = 1 - rule.beta1**t, 1 - rule.beta2**t
        if mistake == "no bias correction":
            c1 = c2 = 1
        if (rule.form == "algorithm_1") != (mistake == "other form"):
            return rate * (slots[0] / c1) / ((slots[1] / c2).sqrt() + epsilon)
        return rate * math.sqrt(c2) / c1 * slots[0] / (slots[1].sqrt() + epsilon)

    def parameters(self):
        found = [(W.detach().numpy().copy(), b.detach().numpy().copy()) for W, b in self.pairs]
        if self.mistake == "kernel transposed":  # shown the same wrong way round
            W, b = found[1]
            found[1] = (W.T.reshape(W.shape), b)
        return found

    def predict(self, inputs):
        x = torch.tensor(inputs, dtype=self.dtype)
        x = x / 255 if self.mistake == "inputs scaled twice" else x
        x = x * 16 if self.mistake == "inputs not scaled" else x
        z = self._forward(x).detach()
        if self.mistake == "probabilities":
            z = torch.softmax(z, 1)
        return z.numpy()[:, ::-1] if self.mistake == "classes reversed" else z.numpy()
