"""The oracle with mistakes: one switch per known mistake, or convention of another library.

`Mistaken` overrides the methods of the plain network where a mistake enters, so that a diagnosis
can recognise it. With every switch off it computes the same bits as the plain network.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.network import Layer
from harness.experiment.optimizers import Adam
from harness.experiment.training import L2, Loss
from harness.parity.functions import Floats, log_softmax, sigmoid, softmax
from harness.parity.reference import Pairs, Reference, map_pairs
from harness.trainer import Array, Batches, Parameters

Scale = float | Literal["rows", "1/rows", "outputs", "1/outputs"]


@dataclass(frozen=True)
class Switches:
    """What the network does differently from the protocol; every default is the protocol.

    Args:
        transposed: the kernel of this layer, or of all, is read as (outputs, inputs), the layout
            of torch.
        biases: as given, absent, never updated, or started at zero.
        frozen: this layer is never updated.
        gradient_scale: the gradient of the loss is multiplied by this number, or by a count of
            the batch; the gradient of a penalty is not.
        loss_scale: the returned loss is multiplied likewise.
        penalty: an L2 penalty added to the protocol's, as c * sum of squares.
        softmax_twice, clipped: the loss takes softmax probabilities for logits, or probabilities
            clipped to [1e-7, 1 - 1e-7].
        input_scale: inputs are multiplied by this.
        activation: hidden layers have this one instead.
        own_rate: this learning rate replaces the given ones.
        rate_scale, rate_decay: the learning rate is multiplied by this, once or in every step.
        weight_decay, decay_biases: decoupled weight decay, w <- w - rate * decay * w.
        dampening: momentum takes (1 - momentum) of each gradient.
        nesterov: whether momentum is Nesterov's; None means as in the protocol.
        rate_inside_velocity, form, epsilon: replace those of the optimizer.
        bias_correction: whether Adam has it.
        reset_at: the optimizer's memory is emptied before these steps, counted from 0.
        rows: the rows of a step are others than the given ones.
        last_dropped: short batches are left out.
        padding: padded rows count like real ones.
        predicts: raw outputs, probabilities, or the classes in reversed order.
        climbs: updates go up the gradient.
    """

    transposed: int | Literal["all"] | None = None
    biases: Literal["given", "missing", "frozen", "zero"] = "given"
    frozen: int | None = None
    gradient_scale: Scale = 1.0
    loss_scale: Scale = 1.0
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
    climbs: bool = False


PROTOCOL = Switches()


class Mistaken(Reference):
    """The plain network, with the mistakes of its switches.

    Args:
        experiment, parameters, inputs, targets, dtype: as in `Reference`.
        switches: the mistakes.
    """

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        switches: Switches = PROTOCOL,
        dtype: str = "float64",
    ) -> None:
        self.switches = switches
        self.steps_done = 0
        super().__init__(experiment, _misread(parameters, switches), inputs, targets, dtype)
        if switches.activation is not None:
            hidden = [switches.activation] * (len(self.layers) - 1)
            self.layers = (*hidden, self.layers[-1])
        if switches.penalty is not None:
            self.penalties.append(switches.penalty)
        self.rule = _other_rule(self.rule, switches)

    # ------------------------------------------------------------ forward

    def predict(self, inputs: Array) -> Floats:
        """Return the outputs (rows, outputs), in the way that the switch `predicts` says."""
        outputs = super().predict(inputs)
        if self.switches.predicts == "reversed":
            return outputs[:, ::-1]
        if self.switches.predicts == "probabilities":
            loss = self.experiment.loss
            classes = loss is not None and loss.name == "softmax_cross_entropy"
            return softmax(outputs) if classes else sigmoid(outputs)
        return outputs

    def _forward(self, X: Floats) -> tuple[list[Floats], list[Floats]]:
        return super()._forward(X * np.asarray(self.switches.input_scale, self.dtype))

    # ------------------------------------------------------------ loss and gradients

    def loss_and_gradients(self, X: Floats, y: Array, counted: int) -> tuple[float, Pairs]:
        """The loss and its gradients; padded rows may count, and the sign may be wrong."""
        counted = len(X) if self.switches.padding else counted
        loss, gradients = super().loss_and_gradients(X, y, counted)
        return loss, map_pairs(np.negative, gradients) if self.switches.climbs else gradients

    def _output_loss(self, outputs: Floats, y: Array, counted: int) -> tuple[float, Floats]:
        loss, slopes = super()._output_loss(outputs, y, counted)
        scale = np.asarray(self._factor(self.switches.gradient_scale, counted), self.dtype)
        return loss * self._factor(self.switches.loss_scale, counted), slopes * scale

    def _factor(self, scale: Scale, rows: int) -> float:
        outputs = self.experiment.network.outputs
        named = {"rows": rows, "1/rows": 1 / rows, "outputs": outputs, "1/outputs": 1 / outputs}
        return named[scale] if isinstance(scale, str) else scale

    def _losses(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        classes = loss.name == "softmax_cross_entropy"
        if classes and self.switches.softmax_twice:
            return self._softmax_twice(z, y)
        if not self.switches.clipped or loss.name == "mean_squared_error":
            return super()._losses(loss, z, y)
        if classes:
            onehot = np.eye(z.shape[1], dtype=self.dtype)[np.asarray(y)]
            p = softmax(z)
            return -(onehot * np.log(np.clip(p, 1e-7, 1 - 1e-7))), p - onehot
        targets: Floats = np.asarray(y, self.dtype)
        p = sigmoid(z)
        inside = (p > 1e-7) & (p < 1 - 1e-7)
        q = np.clip(p, 1e-7, 1 - 1e-7)
        losses = -targets * np.log(q) - (1 - targets) * np.log(1 - q)
        return losses, np.where(inside, p - targets, 0)

    def _softmax_twice(self, z: Floats, y: Array) -> tuple[Floats, Floats]:
        onehot = np.eye(z.shape[1], dtype=self.dtype)[np.asarray(y)]
        p = softmax(z)
        inner = softmax(p) - onehot
        return -(onehot * log_softmax(p)), p * (inner - (inner * p).sum(axis=1, keepdims=True))

    # ------------------------------------------------------------ training

    def advance(self, batches: Batches) -> Floats:
        """Train, perhaps on other rows than the given ones."""
        return super().advance(self._chosen(batches))

    def _chosen(self, batches: Batches) -> Batches:
        """The batches under the switch `rows`."""
        rows, sizes = batches.rows, batches.sizes
        if rows is None:
            return batches
        match self.switches.rows:
            case "given":
                return batches
            case "next":
                rows, sizes = np.roll(rows, -1, axis=0), np.roll(sizes, -1)
            case "previous":
                rows, sizes = np.roll(rows, 1, axis=0), np.roll(sizes, 1)
            case "first batch":
                first = np.zeros(len(rows), int)
                rows, sizes = rows[first], sizes[first]
            case "reversed":
                rows = len(self.inputs) - 1 - rows
            case "in order":
                size = rows.shape[1]
                steps = self.steps_done + np.arange(len(rows))
                first = steps % self.experiment.steps_per_epoch * size
                rows = (first[:, np.newaxis] + np.arange(size)) % len(self.inputs)
        return Batches(rows, sizes, batches.learning_rates)

    def _step(self, X: Floats, y: Array, counted: int, rate: float) -> float:
        short = counted < self.experiment.batch_size and not self.switches.padding
        if self.switches.last_dropped and short:
            return math.nan
        return super()._step(X, y, counted, rate)

    def _update(self, gradients: Pairs, rate: float) -> None:
        switches = self.switches
        if self.steps_done in switches.reset_at:
            self._empty_memory()
        rate = rate if switches.own_rate is None else switches.own_rate
        rate = rate * switches.rate_scale * switches.rate_decay**self.steps_done
        self.steps_done += 1
        if switches.weight_decay:
            factor = 1 - rate * switches.weight_decay
            self.pairs = _decayed(self.pairs, factor, switches.decay_biases)
        before = self.pairs
        super()._update(gradients, rate)
        if switches.biases == "frozen":
            self.pairs = [(W, b) for (W, _), (_, b) in zip(self.pairs, before, strict=True)]
        if switches.frozen is not None:
            self.pairs[switches.frozen] = before[switches.frozen]

    def _velocity(self, mu: float, v: Floats, g: Floats) -> Floats:
        return mu * v + (1 - mu) * g if self.switches.dampening else super()._velocity(mu, v, g)

    def _bias_corrections(self, rule: Adam) -> tuple[float, float]:
        return super()._bias_corrections(rule) if self.switches.bias_correction else (1.0, 1.0)


def _misread(parameters: Parameters, switches: Switches) -> Parameters:
    """The start as a network with these mistakes takes it."""
    pairs = []
    for index, (W, b) in enumerate(parameters):
        if switches.transposed in (index, "all"):
            W = W.reshape(W.shape[::-1]).T
        if b is not None and switches.biases == "zero":
            b = np.zeros_like(b)
        pairs.append((W, None if switches.biases == "missing" else b))
    return pairs


def _decayed(pairs: Pairs, factor: float, with_biases: bool) -> Pairs:
    return [(W * factor, b * factor if with_biases and b is not None else b) for W, b in pairs]


def _other_rule(rule: Any, switches: Switches) -> Any:
    """The optimizer with what the switches put in its place."""
    changes = {
        name: value
        for name in ("form", "epsilon", "rate_inside_velocity")
        if (value := getattr(switches, name)) is not None and hasattr(rule, name)
    }
    if switches.nesterov is not None and hasattr(rule, "momentum"):
        changes["name"] = "nesterov" if switches.nesterov else "momentum"
    return rule.model_copy(update=changes) if changes else rule
