"""A small adapter, right but for one planted mistake; written on torch's autograd, so that it
shares no line with the oracle that has to recognise the mistake. A mistake is a name, and perhaps
a number: `clip norm 0.5`."""

import itertools
import math

import numpy as np
import pytest

from harness.registry import installed
from harness.trainer import StepTrainer
from tests.parity.mutant_images import convolved, misread_images, of_images

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
    "elu": lambda z, layer: functional.elu(z, layer.alpha),
    "selu": lambda z, layer: functional.selu(z),
    "softsign": lambda z, layer: functional.softsign(z),
    "log_sigmoid": lambda z, layer: functional.logsigmoid(z),
    "mish": lambda z, layer: functional.mish(z),
    "relu6": lambda z, layer: functional.relu6(z),
    "hard_tanh": lambda z, layer: functional.hardtanh(z),
    "hard_sigmoid": lambda z, layer: functional.hardtanh(z / 6 + 0.5, 0.0, 1.0),
    "hard_sigmoid_fifth": lambda z, layer: functional.hardtanh(0.2 * z + 0.5, 0.0, 1.0),
    "hard_swish": lambda z, layer: functional.hardswish(z),
    "swish": lambda z, layer: functional.silu(z),
    "softplus": lambda z, layer: torch.logaddexp(z, torch.zeros_like(z)),
    "gelu": lambda z, layer: functional.gelu(z),
    "gelu_tanh": lambda z, layer: functional.gelu(z, approximate="tanh"),
}
CLAMPED = {
    "relu6": lambda z: z.clamp(0, 6),
    "hard_tanh": lambda z: z.clamp(-1, 1),
    "hard_sigmoid": lambda z: (z / 6 + 0.5).clamp(0, 1),
}
"""The same with torch.clamp, whose derivative at its bounds is 1."""
NO_DECAY_BEFORE = (
    *("decay after the step", "decay coupled", "decay coupled, in the gradient", "no decay"),
)
"""Mistakes with which AdamW's parameters do not decay before the step."""
INPUT_FACTORS = {"inputs scaled twice": 1 / 255, "inputs not scaled": 16.0}


class Mutant(StepTrainer):
    loops = ("stepwise",)
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")
    rates = None
    """Learning rates of its own, in place of those of the batches."""

    def __init__(self, task, mistake=""):
        self.task, self.mistake = task, mistake
        self.dtype = torch.float32 if mistake == "float32" else torch.float64
        self.x = torch.tensor(task.inputs, dtype=self.dtype)
        self.training = False
        self.y = self._targets(task)
        trained = [entry for entry in task.parameters if entry]
        self.pairs = [self._given(i, W, b) for i, (W, b) in enumerate(trained)]
        self.masks = []
        self.memory = self._empty()
        self.averages = [[v.detach().clone() for v in pair] for pair in self.pairs]
        self.sums = self._zeros()
        self.t = self.since = self.total = 0
        self.generator = torch.Generator().manual_seed(7)

    def number(self, name):
        """The number of the mistake of this name; None if it is another mistake."""
        if not self.mistake.startswith(name + " "):
            return None
        try:
            return float(self.mistake.removeprefix(name + " "))
        except ValueError:
            return None

    # ------------------------------------------------------------ start and targets

    def _targets(self, task):
        floats = task.loss.name != "softmax_cross_entropy"
        y = torch.tensor(task.targets, dtype=self.dtype if floats else torch.int64)
        shift = {"labels next": 1, "labels previous": -1}.get(self.mistake)
        if shift and not floats:
            y = (y + shift) % task.network.output_layer.units
        elif shift:
            y = torch.roll(y, shift, dims=1)
        if self.mistake == "targets of 0 and 1":
            y = (y + 1) / 2
        if self.mistake == "targets flipped":
            y = 1 - y
        if self.mistake == "targets of the next row":
            y = torch.roll(y, -1, dims=0)
        return y

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
        if self.mistake in ("biases zero", "biases missing", "biases missing, None"):
            b = torch.zeros_like(b)
        return W.clone().requires_grad_(), b.clone().requires_grad_()

    def _zeros(self):
        return [[torch.zeros_like(v) for v in pair] for pair in self.pairs]

    def _empty(self):
        rule = self.task.optimizer
        start = getattr(rule, "initial_accumulator", 0.0)
        if self.mistake == "accumulator of zero":
            start = 0.0
        v = [(torch.full_like(W, start), torch.full_like(b, start)) for W, b in self.pairs]
        return [v, self._zeros(), self._zeros()]

    # ------------------------------------------------------------ forward and loss

    def _forward(self, x):
        if self.mistake == "batch in pieces" and len(x) > 37:  # and no mistake
            return torch.cat([self._forward(piece) for piece in x.split(37)])
        x = self._inputs(x)
        last = len(self.pairs) - 1
        pairs, dropouts = iter(enumerate(self.pairs)), itertools.count()
        network = self.task.network
        if network.image and self.mistake in ("images transposed", "images channels first"):
            x = misread_images(x, network.image, self.mistake)
        for layer, shape in zip(network.layers, network.row_shapes, strict=False):
            if layer.kind == "dropout":
                x = self._dropped(x, layer, next(dropouts))
                continue
            if layer.kind in ("max_pool", "average_pool", "flatten"):
                x = of_images(layer, shape, x, self.mistake)
                continue
            index, (W, b) = next(pairs)
            is_conv = layer.kind == "conv"
            z = convolved(layer, shape, x, W, b, self.mistake) if is_conv else self._affine(x, W, b)
            x = self._activated(z, layer, index == last)
            if index < last and self.training:
                x = self._disturbed(x)
        return x

    def _inputs(self, x):
        if self.mistake in INPUT_FACTORS:
            return x * INPUT_FACTORS[self.mistake]
        if self.training and self.number("inputs scaled in training by"):
            return x * self.number("inputs scaled in training by")
        if self.mistake == "inputs standardised":
            std, mean = torch.std_mean(self.x, dim=0, correction=0)
            return (x - mean) / torch.where(std > 0, std, torch.ones_like(std))
        if self.mistake == "noise on inputs" and self.training:
            return x + 0.01 * torch.randn(x.shape, dtype=x.dtype)
        return x

    def _disturbed(self, x):
        if self.mistake == "dropout":
            return functional.dropout(x, 0.2)
        if self.mistake == "dropout, seeded":
            kept = torch.rand(x.shape, generator=self.generator) > 0.2
            return x * kept / 0.8
        return x

    def _dropped(self, x, layer, number):
        """What a dropout layer makes of x."""
        mistake, rate = self.mistake, layer.rate
        inverted = (layer.form == "inverted") != (mistake == "dropout of the other form")
        if mistake == "dropout missing on the first" and number == 0:
            return x
        if not self.training:
            if mistake == "dropout on in predict":
                return functional.dropout(x, rate)
            scale = 1.0 if inverted else 1 - rate
            if mistake == "scaled in predict, or not":
                scale = 1 - rate if inverted else 1.0
            return x * scale
        if mistake == "nothing dropped":
            return x
        scale = 1 / (1 - rate) if inverted else 1.0
        scales = {"scaled twice": scale**2, "not scaled": 1.0, "divided by the rate": 1 / rate,
                  "multiplied by 1 - rate": 1 - rate}  # fmt: skip
        dropped = x * self.masks[number].to(x.dtype) * scales.get(mistake, scale)
        if mistake == "gradient past the masks":
            return x + (dropped - x).detach()
        return dropped

    def _masks(self, batches, step):
        """The masks of a step, a tensor for each dropout layer."""
        step = {"masks of the step before": step - 1, "masks of the first step": 0}.get(
            self.mistake, step
        )
        order = "big" if self.mistake == "bits the other way round" else "little"
        widths = self.task.network.dropout_widths
        masks = [
            torch.from_numpy(np.unpackbits(m[step], axis=1, count=width, bitorder=order))
            for m, width in zip(batches.masks, widths, strict=True)
        ]
        match self.mistake:
            case "dropped for kept":
                return [1 - mask for mask in masks]
            case "one mask for all rows":
                return [mask[:1].expand(mask.shape) for mask in masks]
            case "masks of each other":
                return masks[::-1]
        return masks

    def _affine(self, x, W, b):
        if self.mistake.startswith("biases missing"):
            return x @ W
        if self.mistake.startswith("products of "):
            _, _, format_, *where = self.mistake.split()
            if not where or self.training:
                return Rounded.apply(x, W, format_) + b
        if self.mistake == "biases added twice":
            return x @ W + b + b
        if self.mistake == "biases added twice, by hand":
            return x @ W + b + b.detach()
        return x @ W + b

    def _activated(self, z, layer, is_last):
        name = layer.activation
        if not is_last and self.number("slope") is not None:
            return functional.leaky_relu(z, self.number("slope"))
        if not is_last and self.mistake.startswith("activation "):
            name = self.mistake.removeprefix("activation ")
        if self.mistake == "clamped" and name in CLAMPED:
            return CLAMPED[name](z)
        if self.number("alpha") is not None and name in ("elu", "selu"):
            scale = 1.0507009873554805 if name == "selu" else 1.0
            return scale * functional.elu(z, self.number("alpha"))
        if self.mistake == "selu without scale" and name == "selu":
            return functional.elu(z, 1.6732632423543772)
        if is_last and self.mistake.startswith("output is "):
            name = self.mistake.removeprefix("output is ")
        if self.mistake == "relu slope 1 at 0" and name == "relu":
            return torch.where(z >= 0, z, torch.zeros_like(z))
        value = ACTIVATIONS[name](z, layer)
        straight = "output slope missing" if is_last else "hidden slopes missing"
        if self.mistake == straight and name != "identity":
            return z + (value - z).detach()
        return value

    def _loss(self, z, y, size, width):
        """The loss to be returned, and the one whose gradient is taken."""
        loss, mistake = self.task.loss, self.mistake
        counted = width if mistake == "padding counted" else size
        z, y = z[:counted], y[:counted]
        if mistake.startswith("first row dropped"):
            z, y = z[1:], y[1:]
        if mistake == "last row dropped":
            z, y = z[:-1], y[:-1]
        rows, by_hand = self._losses(z, y)
        mean = (loss.batch == "mean") != (mistake == "loss summed over the batch")
        weights = self._weights(y)
        over_weights = mistake == "class weights"
        stated = getattr(loss, "class_weights", None)
        if stated is not None:
            over_weights = (stated.mean_over == "weights") != (mistake == "mean over the others")
        divisor = (weights.sum() if over_weights else len(rows)) if mean else 1
        if mistake == "nominal divisor" and mean:
            divisor = self.task.batch_size
        if mistake == "first row dropped, all divide" and mean:
            divisor = counted
        factor = {"loss halved": 0.5, "loss doubled": 2}.get(mistake, 1)
        total = (weights * rows).sum() / divisor * factor
        trained = total if by_hand is None else (by_hand.detach() * z).sum() / divisor
        if mistake == "gradient halved":
            trained = trained / 2
        shown, penalty = self._penalties(counted)
        return total + shown, trained + penalty

    def _weights(self, y):
        stated = getattr(self.task.loss, "class_weights", None)
        if stated is not None and self.mistake != "all classes weigh the same":
            values = stated.values[:: -1 if self.mistake == "weights reversed" else 1]
            return torch.tensor(values, dtype=self.dtype)[y.ravel().to(torch.int64)]
        if not self.mistake.startswith("class weights"):
            return torch.ones(len(y), dtype=self.dtype)
        return 1 + (y == 1).to(self.dtype)

    def _losses(self, z, y):
        """(rows,) losses; and dL/dz where it is written by hand and is not theirs."""
        loss, mistake = self.task.loss, self.mistake
        epsilon = self.number("log epsilon")
        if loss.name == "softmax_cross_entropy":
            return self._cross_entropy(z, y, epsilon)
        if loss.name == "mean_squared_error":
            if mistake == "pairs of all":
                return ((z - y.ravel()[None, :]) ** 2).mean(1) * (0.5 if loss.half else 1), None
            half = loss.half or mistake == "always half"
            return self._over_outputs((z - y) ** 2 * (0.5 if half else 1)), None
        if loss.name != "binary_cross_entropy":
            return self._over_outputs(self._of_values(z, y)), None
        share = self._share(2)
        y = y * (1 - share) + share / 2
        p = torch.sigmoid(z)
        if mistake == "clipped":
            p = p.clamp(1e-7, 1 - 1e-7)
            return self._over_outputs(-y * p.log() - (1 - y) * (1 - p).log()), None
        if epsilon is not None:
            logs = -y * (p + epsilon).log() - (1 - y) * (1 - p + epsilon).log()
            return self._over_outputs(logs), None
        logits = functional.binary_cross_entropy_with_logits
        return self._over_outputs(logits(z, y, reduction="none")), None

    def _share(self, classes):
        """The part of every target that all classes share."""
        if self.number("smoothing") is not None:
            return self.number("smoothing")
        stated = self.task.loss.label_smoothing
        if stated is None or self.mistake == "no smoothing":
            return 0.0
        by_all = (stated.shared_by == "all_classes") != (self.mistake == "shared by the others")
        return stated.amount * (1 if by_all else classes / (classes - 1))

    def _of_values(self, z, y):
        """The absolute error, Huber's loss, log cosh and hinges, by the library's functions."""
        loss, mistake, given = self.task.loss, self.mistake, {"reduction": "none"}
        name = mistake.removeprefix("loss is ") if mistake.startswith("loss is ") else loss.name
        delta = self.number("delta of") or getattr(loss, "delta", 1.0)
        over = getattr(loss, "over_delta", False) != (mistake == "over delta, or not")
        match name:
            case "mean_squared_error":
                return functional.mse_loss(z, y, **given)
            case "mean_absolute_error" if mistake == "absolute error by where":
                return torch.where(z >= y, z - y, y - z)
            case "mean_absolute_error":
                return functional.l1_loss(z, y, **given)
            case "huber" if over:
                return functional.smooth_l1_loss(z, y, beta=delta, **given)
            case "huber":
                return functional.huber_loss(z, y, delta=delta, **given)
            case "log_cosh":
                return torch.logaddexp(z - y, y - z) - math.log(2)
        margin = 1 - y * z
        if mistake == "hinge by clamp":
            margin = margin.clamp(min=0)
        elif mistake == "hinge by maximum":
            margin = torch.maximum(margin, torch.zeros_like(margin))
        else:
            margin = torch.relu(margin)
        return margin if name == "hinge" else margin**2

    def _cross_entropy(self, z, y, epsilon):
        mistake, picked = self.mistake, (torch.arange(len(z)), y)
        onehot = functional.one_hot(y, z.shape[1]).to(z.dtype)
        if mistake == "softmax twice":
            z = torch.softmax(z, 1)
        if mistake.startswith("softmax over the batch"):
            log_p = z - torch.logsumexp(z.ravel(), 0)
            by_hand = log_p.exp() - onehot if mistake.endswith("by hand") else None
            return -log_p[picked], by_hand
        if mistake == "softmax over columns":
            return -torch.log_softmax(z, 0)[picked], None
        if epsilon is not None:
            return -(torch.softmax(z, 1)[picked] + epsilon).log(), None
        smoothing = self._share(z.shape[1])
        cross_entropy = functional.cross_entropy
        return cross_entropy(z, y, reduction="none", label_smoothing=smoothing), None

    def _over_outputs(self, each):
        mean = self.task.loss.outputs == "mean"
        if self.mistake == "loss summed over the outputs":
            mean = False
        return each.mean(1) if mean else each.sum(1)

    def _penalties(self, rows):
        """What penalties add to the loss returned, and to the one whose gradient is taken."""
        l2, mistake = self.task.l2, self.mistake
        weights, biases = [W for W, _ in self.pairs], [b for _, b in self.pairs]
        shown = trained = 0.0
        if l2 is not None and mistake not in ("penalty missing", "penalty decoupled"):
            on_all = l2.on == "all" or mistake == "penalty as torch"
            coefficient = l2.coefficient(rows)
            if mistake == "penalty as torch":
                coefficient = l2.strength / 2
            if mistake == "penalty as Keras":
                coefficient = l2.strength
            squares = sum((v * v).sum() for v in weights + (biases if on_all else []))
            trained = coefficient * squares
            shown = 0.0 if mistake in ("penalty as torch", "penalty not returned") else trained
        l1 = self.task.l1
        if l1 is not None and mistake != "no l1":
            on_all = (l1.on == "all") != (mistake == "l1 on the others")
            per_row = l1.per_row != (mistake == "l1 per row, or not")
            c = l1.strength / (rows if per_row else 1)
            penalty = c * sum(v.abs().sum() for v in weights + (biases if on_all else []))
            if mistake == "l1 is l2":
                penalty = c * sum((v * v).sum() for v in weights + (biases if on_all else []))
            trained = trained + penalty
            shown = shown + (0.0 if mistake == "l1 not returned" else penalty)
        rule = self.task.optimizer
        if mistake.startswith("decay coupled") and rule.name == "adamw":
            kept = weights + (biases if rule.decay_on == "all" else [])
            decay = rule.weight_decay / 2 * sum((v * v).sum() for v in kept)
            trained = trained + decay
            shown = shown + decay if mistake == "decay coupled" else shown
        if mistake.startswith("weight decay"):
            kept = weights + (biases if "on all" in mistake else [])
            decay = 0.005 * sum((v * v).sum() for v in kept)
            trained = trained + decay
            shown = shown if mistake.endswith("in the gradient") else shown + decay
        if self.number("l1") is not None:
            trained = trained + self.number("l1") * sum(W.abs().sum() for W in weights)
        return shown, trained

    # ------------------------------------------------------------ training

    def advance(self, batches):
        losses = []
        if self.mistake == "state reset":
            self.memory, self.since = self._empty(), 0
        if self.mistake == "no zero_grad within a call":
            self.sums = self._zeros()
        steps = zip(batches.sizes.tolist(), batches.learning_rates.tolist(), strict=True)
        for step, (size, rate) in enumerate(steps):
            x, y = self.x, self.y
            if batches.rows is not None:
                picked = self._picked(batches.rows[step])
                x, y = x[picked], y[picked]
            self.masks = self._masks(batches, step)
            if self.mistake == "short batch dropped" and size < len(x):
                losses.append(float("nan"))
                continue
            losses.append(self._step(x, y, size, rate))
        return self._returned(np.array(losses))

    def _picked(self, rows):
        rng = np.random.default_rng
        match self.mistake:
            case "rows of the start":
                return np.arange(len(rows)) % len(self.x)
            case "rows in order":
                first = self.t % (-(-len(self.x) // len(rows))) * len(rows)
                return (first + np.arange(len(rows))) % len(self.x)
            case "rows shuffled anew":
                return rng(self.t + 1).permutation(len(self.x))[: len(rows)]
            case "rows shuffled at random":
                return rng().permutation(len(self.x))[: len(rows)]
            case "rows drawn anew":
                return rng(self.t + 1).integers(0, len(self.x), len(rows))
        return rows

    def _step(self, x, y, size, rate):
        """One step of training; the loss that is returned for it."""
        if self.mistake == "memory emptied every epoch" and self.t % self._epoch() == 0:
            self.memory, self.since = self._empty(), 0
        every = self.number("batch skipped every")
        if every and (self.t + 1) % every == 0:
            self.t += 1
            return self._gradients(x, y, size, rate)[0]
        loss = self._trained(x, y, size, rate)
        every = self.number("batch twice every")
        if every and self.t % every == 0:
            self._trained(x, y, size, rate)
            self.t -= 1
        if self.mistake == "losses after":
            return self._gradients(x, y, size, rate)[0]
        return loss * (size if self.mistake == "loss returned as sum" else 1)

    def _epoch(self):
        return -(-len(self.x) // self.task.batch_size)

    def _trained(self, x, y, size, rate):
        loss, gradients = self._gradients(x, y, size, rate)
        self.t += 1
        self.since += 1
        self._update(gradients, self._rate(rate))
        return loss

    def _returned(self, losses):
        match self.mistake:
            case "mean loss":
                return np.full_like(losses, losses.mean())
            case "losses in running means":
                sums = self.total + np.cumsum(losses)
                self.total = sums[-1]
                return sums / np.arange(self.t - len(losses) + 1, self.t + 1)
        return losses

    def _gradients(self, x, y, size, rate):
        self.training = True
        shown, trained = self._loss(self._forward(x), y, size, len(x))
        flat = [v for pair in self.pairs for v in pair]
        if self.mistake == "kernel updated early":
            found = self._early(x, y, size, rate, trained)
        else:
            found = torch.autograd.grad(trained, flat, allow_unused=True)
        self.training = False
        found = [torch.zeros_like(v) if g is None else g for g, v in zip(found, flat, strict=True)]
        pairs = [list(pair) for pair in zip(found[::2], found[1::2], strict=True)]
        clipping = self.task.clipping
        if clipping is None:
            return float(shown.detach()), pairs
        apart = (clipping.includes_penalty is False) != (
            self.mistake == "penalty on the other side of the clipping"
        )
        penalty = self._penalties(len(x) if self.mistake == "padding counted" else size)[1]
        if not apart or not isinstance(penalty, torch.Tensor):
            return float(shown.detach()), self._clipped(pairs)
        of_penalty = torch.autograd.grad(penalty, flat, allow_unused=True)
        more = [
            torch.zeros_like(v) if g is None else g for g, v in zip(of_penalty, flat, strict=True)
        ]
        more = [list(pair) for pair in zip(more[::2], more[1::2], strict=True)]
        alone = [
            [g - m for g, m in zip(*both, strict=True)] for both in zip(pairs, more, strict=True)
        ]
        clipped = self._clipped(alone)
        return float(shown.detach()), [
            [g + m for g, m in zip(*both, strict=True)] for both in zip(clipped, more, strict=True)
        ]

    def _early(self, x, y, size, rate, trained):
        """Gradients of two layers, the error sent back through the second kernel after its step."""
        (W1, b1), (W2, b2) = self.pairs
        g2, gb2 = torch.autograd.grad(trained, (W2, b2), retain_graph=True)
        later = (W2 - rate * g2).detach()
        hidden = self._activated(x @ W1 + b1, self.task.network.layers[0], False)
        z = hidden @ later + (hidden @ W2 - hidden @ later + b2).detach()
        z = self._activated(z, self.task.network.layers[1], True)
        g1, gb1 = torch.autograd.grad(self._loss(z, y, size, len(x))[1], (W1, b1))
        return g1, gb1, g2, gb2

    # ------------------------------------------------------------ updates

    def _rate(self, rate):
        step = self.t - 1
        if self.rates is not None:
            rate = self.rates[step]
        if self.mistake == "own rate":
            rate = 0.01
        if self.mistake == "rate scaled":
            rate *= 3
        if self.mistake == "rate decays":
            rate *= 0.97**step
        if self.number("warm-up"):
            rate *= min(1.0, (step + 1) / self.number("warm-up"))
        if self.number("warm-up from zero"):
            rate *= min(1.0, step / self.number("warm-up from zero"))
        return rate

    def _treated(self, gradients):
        """Gradients after what is done to them before the optimizer."""
        if self.mistake.startswith("no zero_grad"):
            for kept, pair in zip(self.sums, gradients, strict=True):
                for part in (0, 1):
                    kept[part] += pair[part]
            gradients = [[v.clone() for v in pair] for pair in self.sums]
        if self.mistake == "gradients centralised":
            gradients = [[W - W.mean(0, keepdim=True), b] for W, b in gradients]
        if self.mistake == "noise on gradients":
            gradients = [
                [v + 1e-3 * torch.randn(v.shape, dtype=v.dtype) for v in pair] for pair in gradients
            ]
        if self.mistake == "bias gradient doubled":
            gradients = [[W, 2 * b] for W, b in gradients]
        if self.number("clip value"):
            bound = self.number("clip value")
            gradients = [[v.clamp(-bound, bound) for v in pair] for pair in gradients]
        if self.number("clip each"):
            bound = self.number("clip each")
            gradients = [[v * min(1, bound / float(v.norm())) for v in pair] for pair in gradients]
        if self.number("clip norm"):
            whole = math.sqrt(sum(float((v * v).sum()) for pair in gradients for v in pair))
            factor = min(1, self.number("clip norm") / whole)
            gradients = [[v * factor for v in pair] for pair in gradients]
        return gradients

    def _clipped(self, gradients):
        """Gradients clipped as the protocol says, or by the mistake's own way."""
        given, mistake = self.task.clipping, self.mistake
        kind, epsilon = given.name, getattr(given, "epsilon", 0.0)
        if mistake == "no clipping":
            return gradients
        if mistake == "norm of each array":
            kind = "array_norm"
        if mistake == "norm of all":
            kind = "global_norm"
        if mistake == "clipping of values":
            kind = "value"
        if mistake == "epsilon of torch":
            epsilon = 1e-6
        if mistake == "no epsilon in the norm":
            epsilon = 0.0
        bound = self.number("clipping bound of") or given.bound
        if kind == "value":
            return [[v.clamp(-bound, bound) for v in pair] for pair in gradients]
        whole = math.sqrt(sum(float((v * v).sum()) for pair in gradients for v in pair))
        return [
            [
                v
                * min(1, bound / ((whole if kind == "global_norm" else float(v.norm())) + epsilon))
                for v in pair
            ]
            for pair in gradients
        ]

    def _update(self, gradients, rate):
        mistake = self.mistake
        gradients = self._treated(gradients)
        before = [[v.detach().clone() for v in pair] for pair in self.pairs]
        for index, pair in enumerate(self.pairs):
            if mistake == f"layer {index + 1} frozen":
                continue
            for part, v in enumerate(pair):
                if part == 1 and mistake in ("biases frozen", "biases missing"):
                    continue
                if part == 0 and mistake == f"weights of layer {index + 1} frozen":
                    continue
                own = 2 if part == 1 and mistake == "biases at twice the rate" else 1
                own = 2 if index == 0 and mistake == "layer 1 at twice the rate" else own
                slots = [slots[index][part] for slots in self.memory]
                if mistake == "t of every tensor":
                    self.since = (self.t - 1) * 2 * len(self.pairs) + 2 * index + part + 1
                with torch.no_grad():
                    self.task_rate = rate
                    self._decayed(v, part, rate)
                    step = self._stepped(gradients[index][part], slots, rate * own)
                    v.add_(step) if mistake == "sign flipped" else v.sub_(step)
                    self._constrained(v, part)
        self._average(before)

    def _decayed(self, v, part, rate):
        if self.task.optimizer.name == "adamw" and self.mistake not in NO_DECAY_BEFORE:
            v.mul_(1 - self._decay_of_adamw(part, rate))
        if self.mistake == "decoupled decay":
            v.mul_(1 - rate * 0.05)
        if self.mistake == "decoupled decay on weights" and part == 0:
            v.mul_(1 - rate * 0.05)
        if self.mistake == "decay without the rate":
            v.mul_(1 - 0.001)
        if self.mistake == "penalty decoupled" and part == 0 and self.task.l2 is not None:
            l2 = self.task.l2
            v.mul_(1 - rate * l2.strength * (1 if l2.half else 2))

    def _decay_of_adamw(self, part, rate):
        rule, mistake = self.task.optimizer, self.mistake
        on_all = (rule.decay_on == "all") != (mistake == "decay on the others")
        if part == 1 and not on_all:
            return 0.0
        times = rule.decay_times_rate != (mistake == "decay times the rate, or not")
        decay = self.number("decay of") or rule.weight_decay
        return decay * (rate if times else 1.0)

    def _constrained(self, v, part):
        if self.mistake == "decay after the step" and self.task.optimizer.name == "adamw":
            v.mul_(1 - self._decay_of_adamw(part, self.task_rate))
        if self.task.max_norm is not None and part == 0:
            self._bounded(v)
        if self.number("max-norm") and part == 0:
            norms = v.norm(dim=0, keepdim=True)
            v.mul_((self.number("max-norm") / norms.clamp(min=1e-30)).clamp(max=1))
        if self.number("weights within"):
            v.clamp_(-self.number("weights within"), self.number("weights within"))

    def _bounded(self, W):
        given, mistake = self.task.max_norm, self.mistake
        of, form, epsilon = given.of, given.form, given.epsilon
        if mistake == "no max-norm":
            return
        if mistake == "norms of the others":
            of = "inputs" if of == "units" else "units"
        if mistake == "other form of max-norm":
            form = "beyond_bound" if form == "every_norm" else "every_norm"
        if mistake == "max-norm without epsilon":
            epsilon = 0.0
        bound = self.number("max-norm bound of") or given.bound
        norm = (W * W).sum(0 if of == "units" else 1, keepdim=True).sqrt()
        factor = norm.clamp(max=bound) / (norm + epsilon)
        W.mul_(factor if form == "every_norm" else torch.where(norm > bound, factor, 1.0))

    def _average(self, before):
        factor = self.number("average") or self.number("corrected average")
        for kept, pair, old in zip(self.averages, self.pairs, before, strict=True):
            for part in (0, 1):
                now = pair[part].detach()
                if factor:
                    if self.mistake.startswith("corrected") and self.t == 1:
                        kept[part].zero_()
                    kept[part].mul_(factor).add_((1 - factor) * now)
                if self.mistake == "mean of all parameters":
                    kept[part].add_((now - kept[part]) / self.t)
                if self.mistake == "parameters before":
                    kept[part].copy_(old[part])

    def _stepped(self, g, slots, rate):
        rule, t = self.task.optimizer, self.since
        if rule.name == "sgd":
            added = self.number("added momentum") or self.number("added nesterov") or 0.0
            slots[0].mul_(added).add_(g)
            step = slots[0]
            return rate * (g + added * step if self.number("added nesterov") else step)
        if rule.name in ("momentum", "nesterov"):
            return self._momentum(rule, g, slots, rate)
        epsilon = self.number("epsilon") or rule.epsilon
        if rule.name in ("rmsprop", "adagrad"):
            rho = self.number("rho") or getattr(rule, "rho", 1)
            keep, take = (rho, 1 - rho) if rule.name == "rmsprop" else (1, 1)
            slots[0].mul_(keep).add_(take * g * g)
            inside = (rule.form == "epsilon_inside_root") != (self.mistake == "other form")
            v = slots[0]
            return rate * g / ((v + epsilon).sqrt() if inside else v.sqrt() + epsilon)
        if rule.name == "adadelta":
            return self._adadelta(rule, g, slots, rate, epsilon)
        of_name = {"nadam": self._nadam, "adamax": self._adamax}
        return of_name.get(rule.name, self._adam)(rule, g, slots, rate, t, epsilon)

    def _momentum(self, rule, g, slots, rate):
        mistake, velocity = self.mistake, slots[0]
        mu = self.number("momentum of") or rule.momentum
        taken = 1 - rule.momentum if mistake == "momentum dampened" else 1
        dampening = self.number("momentum dampened as torch by")
        if dampening and self.since > 1:
            taken = 1 - dampening
        inside = bool(rule.rate_inside_velocity) != (mistake == "velocity the other way")
        g = rate * g if inside else g
        velocity.mul_(mu).add_(taken * g)
        nesterov = (rule.name == "nesterov") != (mistake == "nesterov swapped")
        step = g + mu * velocity if nesterov else velocity.clone()
        return step if inside else rate * step

    def _adam(self, rule, g, slots, rate, t, epsilon):
        mistake = self.mistake
        beta1, beta2 = rule.beta1, self.number("beta2") or rule.beta2
        if mistake == "betas swapped":
            beta1, beta2 = beta2, beta1
        t += mistake == "t starts at 2"
        v, m, largest = slots
        m.mul_(beta1).add_((1 - beta1) * g)
        v.mul_(beta2).add_((1 - beta2) * g * g)
        c1, c2 = 1 - beta1**t, 1 - beta2**t
        if mistake == "no bias correction":
            c1 = c2 = 1
        maximum = getattr(rule, "maximum", "none")
        if mistake == "maximum at the other place":
            before = maximum == "before_correction"
            maximum = "after_correction" if before else "before_correction"
        if mistake == "no maximum":
            maximum = "none"
        if mistake == "amsgrad" or maximum == "before_correction":
            v = torch.maximum(largest, v, out=largest)
        if mistake == "amsgrad, corrected" or maximum == "after_correction":
            v = c2 * torch.maximum(largest, v / c2, out=largest)
        if (rule.form == "algorithm_1") != (mistake == "other form"):
            return rate * (m / c1) / ((v / c2).sqrt() + epsilon)
        return rate * math.sqrt(c2) / c1 * m / (v.sqrt() + epsilon)

    def _nadam(self, rule, g, slots, rate, t, epsilon):
        mistake, scheduled = self.mistake, rule.form == "scheduled_momentum"
        psi = self.number("momentum decay of") or rule.momentum_decay
        scheduled = scheduled and mistake != "no schedule of the momentum"

        def mu(t):
            return rule.beta1 * (1 - 0.5 * 0.96 ** (t * psi)) if scheduled else rule.beta1

        t += mistake == "t starts at 2"
        v, m, _ = slots
        kept = mu(t) if mistake == "momentum of the schedule in m" else rule.beta1
        m.mul_(kept).add_((1 - kept) * g)
        v.mul_(rule.beta2).add_((1 - rule.beta2) * g * g)
        p = math.prod(mu(i) for i in range(1 + (mistake == "t starts at 2"), t + 1))
        p, next_p = p, p * mu(t + 1)
        if mistake == "powers of beta1":
            p, next_p = rule.beta1**t, rule.beta1 ** (t + 1)
        n = mu(t + 1) * m / (1 - next_p) + (1 - mu(t)) * g / (1 - p)
        if mistake == "no nesterov":
            n = m / (1 - rule.beta1**t)
        if mistake == "m corrected by this step":
            n = mu(t + 1) * m / (1 - p) + (1 - mu(t)) * g / (1 - p)
        c2 = 1 - rule.beta2**t
        return rate * n / ((v / c2).sqrt() + epsilon)

    def _adamax(self, rule, g, slots, rate, t, epsilon):
        mistake = self.mistake
        u, m, _ = slots
        beta2 = self.number("beta2") or rule.beta2
        m.mul_(rule.beta1).add_((1 - rule.beta1) * g)
        inside = (rule.form == "epsilon_inside_maximum") != (mistake == "other form")
        epsilon = 0.0 if mistake == "no epsilon" else epsilon
        torch.maximum(beta2 * u, g.abs() + (epsilon if inside else 0.0), out=u)
        c1 = 1 if mistake == "no bias correction" else 1 - rule.beta1**t
        return rate / c1 * m / (u if inside else u + epsilon)

    def _adadelta(self, rule, g, slots, rate, epsilon):
        mistake, (v, d, _) = self.mistake, slots
        rho = self.number("rho") or rule.rho
        v.mul_(rho).add_((1 - rho) * g * g)
        one, other = (v, d) if mistake == "averages swapped" else (d, v)
        if mistake == "epsilon outside the roots":
            s = (one.sqrt() + epsilon) / (other.sqrt() + epsilon) * g
        else:
            s = (one + epsilon).sqrt() / (other + epsilon).sqrt() * g
        taken = rate * s if mistake == "rate in the average" else s
        d.mul_(rho).add_((1 - rho) * taken * taken)
        return s if mistake == "no rate" else rate * s

    # ------------------------------------------------------------ what is returned

    def parameters(self):
        mistake, factor = self.mistake, 1.0
        pairs = self.pairs
        averaged = ("mean of all parameters", "parameters before")
        if self.t and (mistake in averaged or "average " in mistake):
            pairs = self.averages
        if self.t and self.number("corrected average"):
            factor = 1 - self.number("corrected average") ** self.t
        if mistake == "views":
            return [(W.detach().numpy(), b.detach().numpy()) for W, b in pairs]
        found = [
            ((W.detach() / factor).numpy().copy(), (b.detach() / factor).numpy().copy())
            for W, b in pairs
        ]
        if mistake == "kernel transposed":  # shown the same wrong way round
            W, b = found[1]
            found[1] = (W.T.reshape(W.shape), b)
        if mistake == "kernels shown as (outputs, inputs)":
            return [(W.T.copy(), b) for W, b in found]
        if mistake == "biases shown as (1, units)":
            return [(W, b[None, :]) for W, b in found]
        if mistake == "biases shown as a scalar":
            return [(W, b.sum()[None][0]) for W, b in found]
        if mistake in ("biases shown as None", "biases missing, None"):
            return [(W, None) for W, _ in found]
        dense = iter(found)
        layers = self.task.network.layers
        return [next(dense) if layer.kind in ("dense", "conv") else () for layer in layers]

    def predict(self, inputs):
        x = torch.tensor(inputs, dtype=self.dtype)
        z = self._forward(x).detach()
        classes = self.task.loss.name == "softmax_cross_entropy"
        match self.mistake:
            case "probabilities":
                z = torch.softmax(z, 1) if classes else torch.sigmoid(z)
            case "log probabilities":
                z = torch.log_softmax(z, 1)
            case "classes reversed":
                return z.numpy()[:, ::-1]
            case "rows reversed":
                return z.numpy()[::-1]
            case "predict scaled":
                return self._forward(x / 255).detach().numpy()
        return z.numpy()


class Rounded(torch.autograd.Function):
    """A matrix product of operands in another format, forward and backward."""

    @staticmethod
    def forward(ctx, a, b, format_):
        ctx.save_for_backward(a, b)
        ctx.format_ = format_
        return _in(a, format_) @ _in(b, format_)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        format_ = ctx.format_
        g = _in(g, format_)
        return g @ _in(b, format_).T, _in(a, format_).T @ g, None


def _in(values, format_):
    """The values in another format, and back."""
    if format_ == "tf32":  # float32 without its last 13 bits
        bits = values.to(torch.float32).view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32).to(values.dtype)
    return values.to(getattr(torch, format_)).to(values.dtype)
