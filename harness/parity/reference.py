"""The oracle: a slow, plain network in NumPy that judges every adapter, the NumPy one included.

Every line is the textbook's formula on whole arrays; nothing is done in place, nothing is fast.
It is proven by finite differences and by a step worked by hand (`tests/parity`). With all
switches off it computes the protocol; each switch in `Switches` turns it into a network that
makes one particular mistake, or follows another library's convention, so that a diagnosis can
recognise it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.network import Layer
from harness.experiment.training import L2, SGD, Adagrad, Adam, RMSprop
from harness.parity.functions import Floats, activate, log_softmax, sigmoid, slope, softmax
from harness.start import rounded, rounded_network
from harness.trainer import Array, Batches, Parameters

Pairs = list[tuple[Floats, Floats | None]]


@dataclass(frozen=True)
class Switches:
    """What the oracle does otherwise than the protocol says; all defaults are the protocol.

    Args:
        transposed: this layer's kernel, or all, read as (outputs, inputs), like torch keeps it.
        biases: taken as given, not there, never updated, or started at zero.
        frozen: this layer is never updated.
        gradient_scale: the loss's gradient is multiplied by this, or by a count of the batch; a
            penalty is not.
        loss_scale: the returned loss likewise.
        penalty: added to the protocol's own L2, as c * sum of squares.
        softmax_twice, clipped: the loss gets softmax probabilities for logits, or probabilities
            clipped to [1e-7, 1 - 1e-7].
        input_scale: inputs are multiplied by this.
        activation: hidden layers have this one instead.
        own_rate: this learning rate instead of the given ones.
        rate_scale, rate_decay: the learning rate is multiplied by this, once or every step.
        weight_decay, decay_biases: decoupled weight decay, w <- w - rate * decay * w.
        dampening: momentum takes (1 - momentum) of each gradient.
        nesterov: momentum becomes Nesterov's, or Nesterov's plain momentum.
        rate_inside_velocity: overrides the protocol's.
        form, epsilon: override the optimizer's.
        bias_correction: Adam's, or none.
        reset_at: the optimizer's memory is emptied before these steps, counted from 0.
        rows: other rows than the given ones.
        last_dropped: short batches are left out.
        padding: padded rows count like real ones.
        predicts: raw outputs, probabilities, or the classes in reversed order.
        sign: -1 climbs.
        dtype: of every number.
    """

    transposed: int | Literal["all"] | None = None
    biases: Literal["given", "missing", "frozen", "zero"] = "given"
    frozen: int | None = None
    gradient_scale: float | Literal["rows", "1/rows", "outputs", "1/outputs"] = 1.0
    loss_scale: float | Literal["rows", "1/rows", "outputs", "1/outputs"] = 1.0
    penalty: L2 | None = None
    softmax_twice: bool = False
    clipped: bool = False
    input_scale: float = 1.0
    activation: Layer | None = None
    own_rate: float | None = None
    rate_scale: float = 1.0
    rate_decay: float = 1.0
    weight_decay: float = 0.0
    decay_biases: bool = True
    dampening: bool = False
    nesterov: bool | None = None
    rate_inside_velocity: bool | None = None
    form: str | None = None
    epsilon: float | None = None
    bias_correction: bool = True
    reset_at: frozenset[int] = frozenset()
    rows: Literal["given", "next", "previous", "in order", "first batch", "reversed"] = "given"
    last_dropped: bool = False
    padding: bool = False
    predicts: Literal["raw", "probabilities", "reversed"] = "raw"
    sign: float = 1.0
    dtype: str = "float64"


PROTOCOL = Switches()


class Reference:
    """A network that trains as the protocol says, but for its switches.

    Args:
        experiment: the protocol.
        parameters: the start.
        inputs, targets: as in `harness.trainer.Task`.
        switches: what is done otherwise.
    """

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        switches: Switches = PROTOCOL,
    ) -> None:
        self.experiment = experiment
        self.switches = switches
        self.dtype = switches.dtype
        self.inputs, self.targets = inputs, targets
        self.layers = rounded_network(experiment.network).layers
        self.pairs = self._started(parameters)
        self.t = self.steps_since_reset = 0
        self.memory = self._empty_memory()

    # ------------------------------------------------------------ start

    def _started(self, parameters: Parameters) -> Pairs:
        pairs: Pairs = []
        for index, (W, b) in enumerate(parameters):
            kernel = np.array(W, self.dtype)
            if self.switches.transposed in (index, "all"):
                kernel = kernel.reshape(kernel.shape[::-1]).T
            biases = None if b is None else np.array(b, self.dtype)
            if biases is not None and self.switches.biases == "zero":
                biases = np.zeros_like(biases)
            if self.switches.biases == "missing":
                biases = None
            pairs.append((kernel, biases))
        return pairs

    def _empty_memory(self) -> list[Pairs]:
        """Two slots of the optimizer: velocity or accumulator, and Adam's second moment."""
        training = self.experiment.training
        start = 0.0
        if training is not None and isinstance(training.optimizer, Adagrad):
            start = rounded(training.optimizer).initial_accumulator
        return [_map(lambda w: np.full_like(w, start), self.pairs) for _ in range(2)]

    # ------------------------------------------------------------ forward

    def predict(self, inputs: Array) -> Floats:
        """Raw outputs (rows, outputs)."""
        outputs = self._forward(np.asarray(inputs, self.dtype) * self._input_scale)[1][-1]
        if self.switches.predicts == "reversed":
            return outputs[:, ::-1]
        if self.switches.predicts == "probabilities":
            loss = self.experiment.loss
            classes = loss is not None and loss.name == "softmax_cross_entropy"
            return softmax(outputs) if classes else sigmoid(outputs)
        return outputs

    @property
    def _input_scale(self) -> Any:
        return np.asarray(self.switches.input_scale, self.dtype)

    def _forward(self, x: Floats) -> tuple[list[Floats], list[Floats]]:
        """(every layer's z, the inputs and every layer's output)."""
        zs: list[Floats] = []
        values: list[Floats] = [x]
        for index, (W, b) in enumerate(self.pairs):
            z = values[-1] @ W
            z = z if b is None else z + b
            zs.append(z)
            values.append(activate(self._layer(index), z))
        return zs, values

    def _layer(self, index: int) -> Layer:
        other = self.switches.activation
        return other if other is not None and index < len(self.pairs) - 1 else self.layers[index]

    # ------------------------------------------------------------ loss and gradients

    def loss_and_gradients(self, x: Floats, y: Array, counted: int) -> tuple[float, Pairs]:
        """The loss over the first `counted` rows, its penalty included, and its gradients."""
        zs, values = self._forward(x * self._input_scale)
        loss, delta = self._output_loss(values[-1], y, counted)
        loss *= self._factor(self.switches.loss_scale, counted)
        delta = delta * np.asarray(self._factor(self.switches.gradient_scale, counted), self.dtype)
        gradients: Pairs = []
        for index in range(len(self.pairs) - 1, -1, -1):
            W, b = self.pairs[index]
            delta = delta * slope(self._layer(index), zs[index])
            gradients.insert(0, (values[index].T @ delta, None if b is None else delta.sum(axis=0)))
            delta = delta @ W.T
        training = self.experiment.training
        for l2 in (rounded(training.l2) if training else None, self.switches.penalty):
            if l2 is not None:
                c = l2.coefficient(counted)
                loss += c * _sum_of_squares(self.pairs, l2.on == "all")
                gradients = _add_penalty(gradients, self.pairs, 2 * c, l2.on == "all")
        return loss, _map(lambda g: g * np.asarray(self.switches.sign, self.dtype), gradients)

    def _output_loss(self, z: Floats, y: Array, counted: int) -> tuple[float, Floats]:
        """(loss, dL/dz of the outputs); rows from `counted` on weigh nothing."""
        loss = self.experiment.loss
        if loss is None:
            raise ValueError(f"{self.experiment.name} has no loss")
        weight = (np.arange(len(z)) < counted).astype(self.dtype)[:, np.newaxis]
        if loss.batch == "mean":
            weight = weight / np.asarray(counted, self.dtype)
        if loss.name == "softmax_cross_entropy":
            onehot = np.eye(z.shape[1], dtype=self.dtype)[np.asarray(y)]
            if self.switches.softmax_twice:
                p = softmax(z)
                q = softmax(p)
                each = -(onehot * log_softmax(p))
                inner = q - onehot
                slope_ = p * (inner - (inner * p).sum(axis=1, keepdims=True))
            elif self.switches.clipped:
                p = np.clip(softmax(z), 1e-7, 1 - 1e-7)
                each, slope_ = -(onehot * np.log(p)), softmax(z) - onehot
            else:
                each, slope_ = -(onehot * log_softmax(z)), softmax(z) - onehot
            return float((weight * each).sum()), weight * slope_
        wanted = np.asarray(y, self.dtype)
        if loss.outputs == "mean":
            weight = weight / np.asarray(z.shape[1], self.dtype)
        if loss.name == "mean_squared_error":
            half = 0.5 if loss.half else 1.0
            each, slope_ = half * (z - wanted) ** 2, 2 * half * (z - wanted)
        elif self.switches.clipped:
            p = sigmoid(z)
            inside = (p > 1e-7) & (p < 1 - 1e-7)
            q = np.clip(p, 1e-7, 1 - 1e-7)
            each = -wanted * np.log(q) - (1 - wanted) * np.log(1 - q)
            slope_ = np.where(inside, p - wanted, 0)
        else:
            each, slope_ = np.logaddexp(0, z) - wanted * z, sigmoid(z) - wanted
        return float((weight * each).sum()), weight * slope_

    def _factor(self, scale: float | str, rows: int) -> float:
        outputs = self.experiment.network.outputs
        named = {"rows": rows, "1/rows": 1 / rows, "outputs": outputs, "1/outputs": 1 / outputs}
        return named[scale] if isinstance(scale, str) else scale

    # ------------------------------------------------------------ training

    def advance(self, batches: Batches) -> Floats:
        """Train; the loss of every step, before its update."""
        losses = []
        rows, sizes = self._chosen(batches)
        for step, rate in enumerate(batches.learning_rates.tolist()):
            x, y = np.asarray(self.inputs, self.dtype), self.targets
            counted = int(sizes[step])
            if y is None:
                raise ValueError(f"{self.experiment.name} has no targets")
            if rows is not None:
                x, y = x[rows[step]], np.asarray(y)[rows[step]]
            if self.switches.padding:
                counted = len(x)
            if self.switches.last_dropped and counted < self.experiment.batch_size:
                losses.append(math.nan)
                continue
            loss, gradients = self.loss_and_gradients(x, y, counted)
            losses.append(loss)
            self._update(gradients, rate)
        return np.array(losses)

    def _chosen(self, batches: Batches) -> tuple[Array | None, Array]:
        """Rows and sizes of the steps, under the switch for other rows."""
        rows, sizes = batches.rows, batches.sizes
        if rows is None or self.switches.rows == "given":
            return rows, sizes
        match self.switches.rows:
            case "next":
                return np.roll(rows, -1, axis=0), np.roll(sizes, -1)
            case "previous":
                return np.roll(rows, 1, axis=0), np.roll(sizes, 1)
            case "first batch":
                return np.repeat(rows[:1], len(rows), axis=0), np.repeat(sizes[:1], len(rows))
            case "reversed":
                return len(self.inputs) - 1 - rows, sizes
        per_epoch, size = self.experiment.steps_per_epoch, rows.shape[1]
        first = (self.t + np.arange(len(rows))) % per_epoch * size
        return (first[:, np.newaxis] + np.arange(size)) % len(self.inputs), sizes

    def _update(self, gradients: Pairs, rate: float) -> None:
        """One step of the optimizer."""
        training = self.experiment.training
        if training is None:
            raise ValueError(f"{self.experiment.name} does not train")
        if self.t in self.switches.reset_at:
            self.memory = self._empty_memory()
            self.steps_since_reset = 0
        rate = rate if self.switches.own_rate is None else self.switches.own_rate
        rate = rate * self.switches.rate_scale * self.switches.rate_decay**self.t
        self.t += 1
        self.steps_since_reset += 1
        if self.switches.weight_decay:
            self.pairs = _decayed(
                self.pairs, 1 - rate * self.switches.weight_decay, self.switches.decay_biases
            )
        rule = _overridden(rounded(training.optimizer), self.switches)
        steps = self._steps(rule, gradients, rate)
        self.pairs = [
            pair if index == self.switches.frozen else self._moved(pair, step)
            for index, (pair, step) in enumerate(zip(self.pairs, steps, strict=True))
        ]

    def _moved(
        self, pair: tuple[Floats, Floats | None], step: tuple[Floats, Floats | None]
    ) -> tuple[Floats, Floats | None]:
        (W, b), (dW, db) = pair, step
        if b is None or db is None or self.switches.biases == "frozen":
            return W - dW, b
        return W - dW, b - db

    def _steps(self, rule: Any, g: Pairs, rate: float) -> Pairs:
        """What is subtracted from the parameters."""
        if isinstance(rule, SGD):
            return _map(lambda g: rate * g, g)
        if isinstance(rule, Adam):
            return self._adam(rule, g, rate)
        if isinstance(rule, RMSprop | Adagrad):
            keep, take = (rule.rho, 1 - rule.rho) if isinstance(rule, RMSprop) else (1.0, 1.0)
            v = _map(lambda v, g: keep * v + take * g**2, self.memory[0], g)
            self.memory[0] = v
            inside = rule.form == "epsilon_inside_root"
            root = _map(
                lambda v: np.sqrt(v + rule.epsilon) if inside else np.sqrt(v) + rule.epsilon, v
            )
            return _map(lambda g, root: rate * g / root, g, root)
        inside, mu = bool(rule.rate_inside_velocity), rule.momentum
        nesterov = rule.name == "nesterov"
        if self.switches.nesterov is not None:
            nesterov = self.switches.nesterov
        taken = 1 - mu if self.switches.dampening else 1.0
        given = _map(lambda g: rate * g if inside else g, g)
        v = _map(lambda v, g: mu * v + taken * g, self.memory[0], given)
        self.memory[0] = v
        step = _map(lambda g, v: g + mu * v, given, v) if nesterov else v
        return _map(lambda s: s if inside else rate * s, step)

    def _adam(self, rule: Adam, g: Pairs, rate: float) -> Pairs:
        """Kingma and Ba, algorithm 1, line by line; or its epsilon-hat form."""
        m = _map(lambda m, g: rule.beta1 * m + (1 - rule.beta1) * g, self.memory[0], g)
        v = _map(lambda v, g: rule.beta2 * v + (1 - rule.beta2) * g**2, self.memory[1], g)
        self.memory = [m, v]
        t = self.steps_since_reset
        c1, c2 = 1 - rule.beta1**t, 1 - rule.beta2**t
        if not self.switches.bias_correction:
            c1 = c2 = 1.0
        if rule.form == "algorithm_1":
            return _map(lambda m, v: rate * (m / c1) / (np.sqrt(v / c2) + rule.epsilon), m, v)
        scale = rate * math.sqrt(c2) / c1
        return _map(lambda m, v: scale * m / (np.sqrt(v) + rule.epsilon), m, v)

    def parameters(self) -> Parameters:
        """The parameters, in the contract's layout."""
        return [(W.copy(), None if b is None else b.copy()) for W, b in self.pairs]


# ---------------------------------------------------------------- parameters, pair by pair


def _map(function: Callable[..., Floats], *several: Sequence[tuple[Any, Any]]) -> Pairs:
    """Apply a function to every array of parallel lists of (weights, biases)."""
    return [
        tuple(None if part[0] is None else function(*part) for part in zip(*pairs, strict=True))  # type: ignore[misc]
        for pairs in zip(*several, strict=True)
    ]


def _sum_of_squares(pairs: Pairs, with_biases: bool) -> float:
    total = sum(float((W**2).sum()) for W, _ in pairs)
    if with_biases:
        total += sum(float((b**2).sum()) for _, b in pairs if b is not None)
    return total


def _add_penalty(gradients: Pairs, pairs: Pairs, factor: float, with_biases: bool) -> Pairs:
    added: Pairs = []
    for (dW, db), (W, b) in zip(gradients, pairs, strict=True):
        if with_biases and b is not None and db is not None:
            db = db + factor * b
        added.append((dW + factor * W, db))
    return added


def _decayed(pairs: Pairs, factor: float, with_biases: bool) -> Pairs:
    return [(W * factor, b * factor if with_biases and b is not None else b) for W, b in pairs]


def _overridden(rule: Any, switches: Switches) -> Any:
    """The optimizer with what the switches put in its place."""
    stated = {
        name: value
        for name in ("form", "epsilon", "rate_inside_velocity")
        if (value := getattr(switches, name)) is not None and hasattr(rule, name)
    }
    return rule.model_copy(update=stated)
