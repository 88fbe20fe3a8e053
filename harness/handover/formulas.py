"""The formulas of one protocol, as text that a program can be written from.

They say what `harness.trainer` says in its table, for this network, this loss and this update
rule alone, with its numbers in them.
"""

import math
from collections.abc import Iterator

from harness.experiment.gradients import Clipping, MaxNorm, ValueClipping
from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool, Shape
from harness.experiment.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LabelSmoothing,
    LogCosh,
    Loss,
    LossOfOutputs,
    LossOfValues,
    MeanAbsoluteError,
    MeanSquaredError,
    SquaredHinge,
)
from harness.experiment.model import Experiment
from harness.experiment.network import Dropout, Layer, WeightedLayer
from harness.experiment.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
)
from harness.experiment.training import L2

FUNCTIONS = {
    "sigmoid": "sigmoid(z) = 1 / (1 + exp(-z))",
    "tanh": "tanh(z), the hyperbolic tangent",
    "relu": "relu(z) = z where z > 0, else 0; its derivative at exactly 0 is 0",
    "swish": "swish(z) = z sigmoid(z) = z / (1 + exp(-z))",
    "softplus": "softplus(z) = log(1 + exp(z))",
    "gelu": "gelu(z) = z (1 + erf(z / sqrt(2))) / 2, the exact one",
    "gelu_tanh": "gelu_tanh(z) = z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2",
    "step": "step(z) = 1 where z > 0, else 0",
    "selu": "selu(z) = 1.0507009873554805 z where z > 0, else 1.7580993408473766 (exp(z) - 1); "
    "its derivative at exactly 0 is 1.7580993408473766",
    "softsign": "softsign(z) = z / (1 + |z|)",
    "log_sigmoid": "log_sigmoid(z) = -log(1 + exp(-z))",
    "mish": "mish(z) = z tanh(log(1 + exp(z)))",
    "relu6": "relu6(z) = min(max(z, 0), 6); its derivative at exactly 0 and 6 is 0",
    "hard_tanh": "hard_tanh(z) = min(max(z, -1), 1); its derivative at exactly -1 and 1 is 0",
    "hard_sigmoid": "hard_sigmoid(z) = min(max(z + 3, 0), 6) / 6; its derivative at exactly -3 "
    "and 3 is 0",
    "hard_sigmoid_fifth": "hard_sigmoid_fifth(z) = min(max(0.2 z + 0.5, 0), 1); its derivative "
    "where 0.2 z + 0.5 is exactly 0 or 1 is 0",
    "hard_swish": "hard_swish(z) = z min(max(z + 3, 0), 6) / 6; its derivative at exactly -3 is "
    "0, at 3 it is 1",
}
"""What activations are; those with a number of the protocol are written out where they stand."""

WEIGHTS_A_LINE = 8
"""Weights of classes in a line of text."""


def network_lines(experiment: Experiment) -> list[str]:
    """Return `z1 = x W1 + b1` and `a1 = sigmoid(z1)`, layer by layer."""
    lines, below = [], "x"
    layers = experiment.network.layers
    for number, (layer, rows) in enumerate(
        zip(layers, experiment.network.row_shapes, strict=False), start=1
    ):
        if isinstance(layer, Dropout):
            lines += _dropout_lines(layer, number, below, math.prod(rows))
            below = f"a{number}"
            continue
        if not isinstance(layer, WeightedLayer):
            lines += _image_lines(layer, number, below, rows)
            below = f"a{number}"
            continue
        shape = layer.weights_shape(rows)
        biases = f" + b{number}" if layer.bias else ""
        shapes = f"W{number} {shape}" + (f", b{number} {shape[-1:]}" if layer.bias else "")
        if isinstance(layer, Conv):
            product = f"conv({below}, W{number})"
            lines += _convolution_lines(layer, number, below, rows)
        else:
            product = f"{below} W{number}"
        lines.append(f"{f'z{number} = {product}{biases}':<24}  {shapes}")
        below = f"z{number}"
        if layer.activation != "identity":
            below = f"a{number}"
            lines.append(f"a{number} = {layer.activation}(z{number})")
    lines.append(f"{f'outputs = {below}':<24}  {_meaning(experiment)}".rstrip())
    return lines


def _dropout_lines(layer: Dropout, number: int, below: str, width: int) -> list[str]:
    """Return what a dropout layer computes in training, and in prediction."""
    kept = "" if layer.form == "inverted" else f" * {1 - layer.rate!r}"
    scale = f" / {1 - layer.rate!r}" if layer.form == "inverted" else ""
    line = f"a{number} = {below} * m{number}{scale}"
    return [
        f"{line:<24}  m{number} ({width},), in training",
        f"{f'a{number} = {below}{kept}':<24}  in prediction",
    ]


def _convolution_lines(layer: Conv, number: int, below: str, shape: Shape) -> list[str]:
    """Return what conv(a, W) is."""
    top, bottom, left, right = layer.sides(shape)
    zeros = f"{top} above, {bottom} below, {left} left, {right} right"
    down, across = layer.stride
    return [
        f"conv({below}, W{number})[i, j, o] = the sum over u, v, c of",
        f"    {below}[{down} i + u - {top}, {across} j + v - {left}, c] W{number}[u, v, c, o],",
        f"    of images {shape} (height, width, channels), channels fastest; zeros around: {zeros}",
    ]


def _image_lines(layer: Layer, number: int, below: str, shape: Shape) -> list[str]:
    """Return what pooling or flatten computes."""
    if isinstance(layer, Flatten):
        height, width, channels = shape
        order = (channels, height, width) if layer.order == "channels_first" else shape
        return [f"{f'a{number} = {below}':<24}  images {shape} as a row, in the order {order}"]
    assert isinstance(layer, MaxPool | AveragePool)
    what = "largest number" if isinstance(layer, MaxPool) else "mean"
    ties = "; its gradient goes to the first of equals, row by row" if what[0] == "l" else ""
    return [
        f"a{number} = the {what} of each window {layer.size} of {below}, stride {layer.stride},",
        f"    channel by channel, of images {shape}{ties}",
    ]


def function_lines(experiment: Experiment) -> list[str]:
    """Return what each activation of the network is."""
    found = {}
    for layer in experiment.network.weighted_layers:
        if layer.activation == "leaky_relu":
            found[f"leaky_relu(z) = z where z > 0, else {layer.slope!r} z"] = True
        elif layer.activation == "elu":
            factor = "" if layer.alpha == 1 else f"{layer.alpha!r} "
            inside = "exp(z) - 1" if layer.alpha == 1 else "(exp(z) - 1)"
            found[f"elu(z) = z where z > 0, else {factor}{inside}"] = True
        elif layer.activation != "identity":
            found[FUNCTIONS[layer.activation]] = True
    return list(found)


def _meaning(experiment: Experiment) -> str:
    loss = experiment.loss
    if loss is None or isinstance(loss, LossOfValues):
        return ""
    own = "softmax" if loss.name == "softmax_cross_entropy" else "sigmoid"
    return f"without the {own} of the loss" if loss.behind_activation else f"raw: no {own}"


def loss_lines(experiment: Experiment) -> list[str]:
    """Return the loss of a batch of n rows, with its reductions, and its penalty."""
    loss, training = experiment.loss, experiment.training
    if loss is None or training is None:
        return []
    lines = list(_row_loss(loss, experiment.network.outputs))
    if training.l2 is not None:
        lines.append(_penalty(training.l2))
    if training.l1 is not None:
        c = f"{training.l1.strength!r}{' / n' if training.l1.per_row else ''}"
        which = "all weights" if training.l1.on == "weights" else "all weights and biases"
        lines.append(f"     + {c} times the sum of |w| of {which} (derivative at 0: 0)")
    return lines


def _row_loss(loss: Loss, outputs: int) -> Iterator[str]:
    over_rows = "mean over the n rows of the batch" if loss.batch == "mean" else "sum over the rows"
    if loss.name == "softmax_cross_entropy":
        yield "p = softmax(outputs) of every row: p_k = exp(o_k) / (exp(o_1) + ... + exp(o_K))"
        if loss.label_smoothing is None:
            yield f"loss = {over_rows} of -log p_t, t = the row's target, counted from 0"
            yield "       (-log p_t = log(exp(o_1) + ... + exp(o_K)) - o_t)"
        else:
            yield from _smoothed(loss.label_smoothing, outputs)
            yield f"loss = {over_rows} of -(y_1 log p_1 + ... + y_K log p_K)"
        yield from _weights(loss)
        return
    over_outputs = ""
    if outputs > 1:
        reduction = "mean" if loss.outputs == "mean" else "sum"
        over_outputs = f" of the {reduction} over the {outputs} outputs"
    yield from _output_loss(loss)
    yield f"loss = {over_rows}{over_outputs} of e"
    if loss.name == "binary_cross_entropy":
        yield from _weights(loss)


def _smoothed(smoothing: LabelSmoothing, classes: int) -> Iterator[str]:
    """Return y of every class."""
    e = repr(smoothing.amount)
    if smoothing.shared_by == "all_classes":
        yield f"y_k = 1 - {e} + {e} / {classes} where k = t, the row's target, counted from 0"
        yield f"      {e} / {classes} for every other k"
        return
    yield f"y_k = 1 - {e} where k = t, the row's target, counted from 0"
    yield f"      {e} / {classes - 1} for every other k"


def _weights(loss: CrossEntropy) -> Iterator[str]:
    """Return what each row's loss is multiplied by."""
    weights = loss.class_weights
    if weights is None:
        return
    numbers = [f"{value:g}" for value in weights.values]
    for first in range(0, len(numbers), WEIGHTS_A_LINE):
        some = ", ".join(numbers[first : first + WEIGHTS_A_LINE])
        yield f"{'     each row times w of its class: ' if not first else ' ' * 38}{some}"
    if weights.mean_over is not None:
        over = "n, the number of rows" if weights.mean_over == "rows" else "the sum of the rows' w"
        yield f"     the mean divides by {over}"


def _output_loss(loss: LossOfOutputs) -> Iterator[str]:
    """Return e, the loss of one output."""
    match loss:
        case BinaryCrossEntropy():
            yield "p = 1 / (1 + exp(-output)), y = the target"
            if loss.label_smoothing is not None:
                e, both = loss.label_smoothing.amount, loss.label_smoothing.shared_by[0] == "a"
                added = f"{e!r} / 2" if both else f"{e!r}"
                yield f"y = 1 - {added} where the target is 1, {added} where it is 0"
            yield "e = -y log p - (1 - y) log(1 - p) = log(1 + exp(output)) - y output"
        case MeanSquaredError():
            yield f"e = {'1/2 ' if loss.half else ''}(output - y)^2, y = the target"
        case MeanAbsoluteError():
            yield "e = |output - y|, y = the target; its derivative where output = y is 0"
        case Huber():
            yield f"d = |output - y|, y = the target; delta = {loss.delta!r}"
            inside, outside = ("d^2 / 2", "delta (d - delta / 2)")
            if loss.over_delta:
                inside, outside = ("d^2 / (2 delta)", "d - delta / 2")
            yield f"e = {inside} where d <= delta, else {outside}"
        case LogCosh():
            yield "e = log(cosh(output - y)), y = the target"
        case Hinge():
            yield "e = max(1 - y output, 0), y = the target; its derivative where y output = 1 is 0"
        case SquaredHinge():
            yield "e = max(1 - y output, 0)^2, y = the target"


def _penalty(l2: L2) -> str:
    c = repr(l2.strength)
    c += " / 2" if l2.half else ""
    c += " / n" if l2.per_row else ""
    which = "all weights" if l2.on == "weights" else "all weights and biases"
    return f"     + {c} times the sum of squares of {which}"


def update_lines(experiment: Experiment) -> list[str]:
    """Return the update of every weight and bias w, of which g is the gradient."""
    training = experiment.training
    if training is None:
        return []
    lines = [] if training.clipping is None else list(_clipping(training.clipping))
    lines += _update(training.optimizer)
    return lines if training.max_norm is None else [*lines, *_max_norm(training.max_norm)]


def _clipping(clipping: Clipping) -> Iterator[str]:
    bound = f"{clipping.bound!r}"
    if isinstance(clipping, ValueClipping):
        yield f"g = minimum(maximum(g, -{bound}), {bound})"
    else:
        epsilon = f" + {clipping.epsilon!r}" if clipping.epsilon else ""
        yield f"g = g minimum(1, {bound} / (norm{epsilon}))"
        of = "all gradients" if clipping.name == "global_norm" else "this array's gradient"
        yield f"# norm = the root of the sum of squares of {of}"
    if clipping.includes_penalty is not None:
        place = "is" if clipping.includes_penalty else "is not yet"
        added = "" if clipping.includes_penalty else ": it is added to g here"
        yield f"# the gradient of the penalty {place} part of this g{added}"


def _max_norm(max_norm: MaxNorm) -> Iterator[str]:
    bound, epsilon = f"{max_norm.bound!r}", f"{max_norm.epsilon!r}"
    each = "column" if max_norm.of == "units" else "row"
    if max_norm.form == "every_norm":
        yield f"W = W minimum(norm, {bound}) / (norm + {epsilon})"
        yield f"# norm: of each {each} of W; where it is 0, W stays 0; biases stay as they are"
        return
    yield f"W = W {bound} / (norm + {epsilon}), where norm is beyond {bound}"
    yield f"# norm: of each {each} of W; other weights and the biases stay as they are"


def _update(rule: Optimizer) -> Iterator[str]:
    match rule:
        case SGD():
            yield "w = w - rate g"
        case Momentum():
            yield from _momentum(rule.momentum, rule.rate_inside_velocity)
        case Nesterov():
            yield from _nesterov(rule.momentum, rule.rate_inside_velocity)
        case RMSprop():
            yield f"v = {rule.rho!r} v + (1 - {rule.rho!r}) g^2      v starts at 0"
            yield _divided(rule.epsilon, rule.form)
        case Adagrad():
            yield f"v = v + g^2      v starts at {rule.initial_accumulator!r}"
            yield _divided(rule.epsilon, rule.form)
        case Adam():
            yield from _adam(rule)
        case AdamW():
            yield from _adamw(rule)
        case AMSGrad():
            yield from _amsgrad(rule)
        case Nadam():
            yield from _nadam(rule)
        case Adamax():
            yield from _adamax(rule)
        case Adadelta():
            yield f"v = {rule.rho!r} v + (1 - {rule.rho!r}) g^2      v and d start at 0"
            yield f"s = sqrt(d + {rule.epsilon!r}) / sqrt(v + {rule.epsilon!r}) g"
            yield f"d = {rule.rho!r} d + (1 - {rule.rho!r}) s^2"
            yield "w = w - rate s"


def _momentum(momentum: float, inside: bool | None) -> Iterator[str]:
    if inside:
        yield f"v = {momentum!r} v + rate g      v starts at 0"
        yield "w = w - v"
        return
    yield f"v = {momentum!r} v + g      v starts at 0"
    yield "w = w - rate v"


def _nesterov(momentum: float, inside: bool | None) -> Iterator[str]:
    if inside:
        yield f"v = {momentum!r} v + rate g      v starts at 0"
        yield f"w = w - rate g - {momentum!r} v"
        return
    yield f"v = {momentum!r} v + g      v starts at 0"
    yield f"w = w - rate (g + {momentum!r} v)"


def _divided(epsilon: float, form: str) -> str:
    root = f"sqrt(v + {epsilon!r})" if form == "epsilon_inside_root" else f"(sqrt(v) + {epsilon!r})"
    return f"w = w - rate g / {root}"


def _adam(rule: Adam | AdamW) -> Iterator[str]:
    yield from _moments(rule)
    yield _divided_moment(rule, "v")


def _moments(rule: Adam | AdamW | AMSGrad | Nadam) -> Iterator[str]:
    yield f"m = {rule.beta1!r} m + (1 - {rule.beta1!r}) g      m and v start at 0"
    yield f"v = {rule.beta2!r} v + (1 - {rule.beta2!r}) g^2"
    yield f"c1 = 1 - {rule.beta1!r}^t,  c2 = 1 - {rule.beta2!r}^t      t = the step, from 1 on"


def _divided_moment(rule: Adam | AdamW | AMSGrad, v: str) -> str:
    if rule.form == "algorithm_1":
        return f"w = w - rate (m / c1) / (sqrt({v} / c2) + {rule.epsilon!r})"
    return f"w = w - rate sqrt(c2) / c1  m / (sqrt({v}) + {rule.epsilon!r})"


def _adamw(rule: AdamW) -> Iterator[str]:
    of_step = f"rate {rule.weight_decay!r}" if rule.decay_times_rate else f"{rule.weight_decay!r}"
    which = "all weights and biases" if rule.decay_on == "all" else "of weights alone, not biases"
    yield f"w = w - {of_step} w      {which}"
    yield from _adam(rule)


def _amsgrad(rule: AMSGrad) -> Iterator[str]:
    yield from _moments(rule)
    if rule.maximum == "before_correction":
        yield "u = maximum(u, v)      u starts at 0"
    else:
        yield "a = maximum(a, v / c2)      a starts at 0"
        yield "u = c2 a"
    yield _divided_moment(rule, "u")


def _nadam(rule: Nadam) -> Iterator[str]:
    beta1 = f"{rule.beta1!r}"
    yield from _moments(rule)
    if rule.momentum_decay is None:
        yield f"p = {beta1}^t"
        yield f"n = {beta1} m / (1 - p {beta1}) + (1 - {beta1}) g / (1 - p)"
    else:
        decay = f"{rule.momentum_decay!r}"
        yield f"mu = {beta1} (1 - 0.96^(t {decay}) / 2)      mu of this step"
        yield f"next = {beta1} (1 - 0.96^((t + 1) {decay}) / 2)      mu of the step after it"
        yield "p = p mu      p starts at 1: it is the product of mu of all steps up to this one"
        yield "n = next m / (1 - p next) + (1 - mu) g / (1 - p)"
    yield f"w = w - rate n / (sqrt(v / c2) + {rule.epsilon!r})"


def _adamax(rule: Adamax) -> Iterator[str]:
    inside = rule.form == "epsilon_inside_maximum"
    added = f" + {rule.epsilon!r}"
    yield f"m = {rule.beta1!r} m + (1 - {rule.beta1!r}) g      m and u start at 0"
    yield f"u = maximum({rule.beta2!r} u, abs(g){added if inside else ''})"
    yield f"c1 = 1 - {rule.beta1!r}^t      t = the step, from 1 on"
    yield f"w = w - rate / c1  m / {'u' if inside else f'(u{added})'}"
