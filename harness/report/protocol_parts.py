"""A protocol in words, part by part: what a reader must know of what was computed.

Each part is a few words, or "" where the protocol has nothing of it. The words of one part never
depend on another experiment, so two protocols can be compared part by part.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.experiment.data import Data
from harness.experiment.fields import Interval
from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool
from harness.experiment.initializers import (
    Constant,
    Initializer,
    Initializers,
    Normal,
    Scaled,
    TruncatedNormal,
    Uniform,
)
from harness.experiment.losses import ClassWeights, CrossEntropy, Huber, LabelSmoothing, Loss
from harness.experiment.model import Experiment
from harness.experiment.network import Dropout, Network, WeightedLayer
from harness.experiment.optimizers import AdamW, Momentum, Nesterov, Optimizer
from harness.experiment.plateau import Plateau
from harness.experiment.splits import DrawnSplit, EdgeSplit, SklearnSplit
from harness.experiment.start_file import FromFile
from harness.experiment.stopping import NoImprovement, Stopping
from harness.experiment.training import L2, DrawnBatches, Training
from harness.report.schedule_text import schedule_text
from harness.report.text import count_text

OPTIMIZERS = {
    "sgd": "SGD",
    "momentum": "momentum",
    "nesterov": "Nesterov momentum",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamw": "AdamW",
    "amsgrad": "AMSGrad",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "adadelta": "Adadelta",
}
CLIPPINGS = {
    "value": "gradients clipped at",
    "array_norm": "gradients of each array clipped to norm",
    "global_norm": "gradients clipped to norm",
}
SCALES = {
    "divide_by_16": "divided by 16",
    "divide_by_255": "divided by 255",
    "divide_by_256": "divided by 256",
    "minus_one_to_one": "scaled to [-1, 1]",
    "hundredth_to_one": "scaled to [0.01, 1]",
    "min_max": "columns scaled to [0, 1]",
    "standardize": "standardised",
}
FITTED_ON = {"all": ", by all rows", "each_part": ", each part by its own rows"}
SPLITS = {"given": "as published", "all": "", "rows": "rows by number"}
ORDERS = {"sequential": "in order", "shuffled": "shuffled", "with_replacement": "with replacement"}
ACRONYMS = {"relu": "ReLU", "elu": "ELU", "gelu": "GELU", "selu": "SELU", "relu6": "ReLU6"}
INITIALIZERS = {
    "zeros": "0",
    "constants": "given numbers",
    "inverse_root_uniform": "uniform within 1/sqrt(inputs)",
}
MOST_WEIGHTS = 4
"""Weights of classes that are written out."""
AUTHORS = {"glorot": "Glorot", "he": "He", "lecun": "LeCun"}


@dataclass(frozen=True)
class Part:
    """One part of a protocol: its name, such as `loss`, and its words."""

    name: str
    text: str


def parts_of(experiment: Experiment) -> tuple[Part, ...]:
    """Return all parts of a protocol but its length, always with the same names."""
    training, data = experiment.training, experiment.data
    texts = {
        "data": _dataset(data),
        "rows": _rows(data),
        "scale": _scale(data),
        "split": _split(data),
        "network": f"network {experiment.network}",
        "activations": _activations(experiment.network),
        "images": _images(experiment.network),
        "dropout": _dropout(experiment.network),
        "loss": loss_text(training.loss, experiment.network.outputs) if training else "",
        "start": _start(experiment),
        "optimizer": _optimizer(training.optimizer) if training else "",
        "schedule": _rates(training) if training else "",
        "penalty": _penalties(training) if training else "",
        "limits of steps": _bounds(training) if training else "",
        "batches": _batches(experiment),
        "stopping": stopping_text(training.stopping) if training and training.stopping else "",
        "rounding": "" if experiment.constants == "float32" else "numbers as they are written",
    }
    return tuple(Part(name, text) for name, text in texts.items())


def as_line(parts: Iterable[Part]) -> str:
    """Return the parts as one line."""
    return "; ".join(part.text for part in parts if part.text)


# ---------------------------------------------------------------- rows


def _dataset(data: Data) -> str:
    drawn = ""
    if data.drawn is not None:
        drawn = f" (noise {data.drawn.noise:g}, seed {data.drawn.seed})"
    return f"data {data.name}{drawn}"


def _rows(data: Data) -> str:
    train, validation, test = data.rows
    rows = [f"{train:,} training"]
    if validation:
        rows.append(f"{validation:,} validation")
    if not data.keeps_test_rows:
        noun = "row" if (train, validation) == (1, 0) else "rows"
        return f"{' and '.join(rows)} {noun}, none kept for a test"
    return f"{', '.join(rows)} and {count_text(test, 'test row')}"


def _scale(data: Data) -> str:
    texts = []
    if data.features != "none":
        texts.append(f"features {data.features.replace('_', ' ')}")
    if data.scale != "none":
        texts.append(SCALES[data.scale] + FITTED_ON.get(data.scale_fitted_on, ""))
    if data.target_values is not None:
        no, yes = data.target_values
        texts.append(f"targets {no:g} and {yes:g}")
    return ", ".join(texts)


def _split(data: Data) -> str:
    split = data.split
    held_out = ""
    if data.validation:
        held_out = f"the last {data.validation:g} of the training rows validate"
    match split:
        case EdgeSplit():
            text = f"the {split.name} {split.train:,} rows train"
        case DrawnSplit():
            text = f"{split.name} split, seed {split.seed}"
        case SklearnSplit():
            kind = "stratified " if split.stratified else ""
            text = f"{kind}train_test_split, random_state {split.seed}"
        case _:
            text = SPLITS[split.name]
    return ", ".join(filter(None, [text, held_out]))


def _batches(experiment: Experiment) -> str:
    if experiment.training is None:
        return ""
    batches = experiment.training.batches
    if not isinstance(batches, DrawnBatches):
        return "full batch"
    is_short_left_out = batches.last == "drop" and experiment.data.rows[0] % batches.size
    left_out = ", a short last one left out" if is_short_left_out else ""
    return f"batches of {batches.size:,}, {ORDERS[batches.order]}{left_out}"


# ---------------------------------------------------------------- network and start


def _activations(network: Network) -> str:
    """`sigmoid in hidden layers`, `ReLU in every layer`; "" where no layer has an activation."""
    *hidden, last = [_activation(layer) for layer in network.weighted_layers]
    if last == "identity" and len(set(hidden)) == 1 and hidden[0] != last:
        text = f"{hidden[0]} in hidden layers"
    elif set(hidden) <= {last}:
        every = " in every layer" if hidden else " output"
        text = "" if last == "identity" else f"{last}{every}"
    else:
        text = f"activations {_in_runs([*hidden, last])}"
    layers = enumerate(network.layers, 1)
    missing = [str(n) for n, layer in layers if isinstance(layer, WeightedLayer) and not layer.bias]
    if not missing:
        return text
    where = (
        "" if len(missing) == len(network.weighted_layers) else f" in layer {', '.join(missing)}"
    )
    return ", ".join(filter(None, [text, f"no biases{where}"]))


def _images(network: Network) -> str:
    """`padding same, stride 2 x 1 in layer 3, channels flattened last`."""
    paddings, texts = [], []
    for number, layer in enumerate(network.layers, 1):
        match layer:
            case Conv():
                paddings.append(layer.padding if isinstance(layer.padding, str) else "stated")
                usual = (1, 1)
                if not isinstance(layer.padding, str):
                    texts.append(f"zeros {_by(layer.padding)} around layer {number}")
            case MaxPool() | AveragePool():
                usual = layer.size
            case Flatten():
                texts.append(f"channels flattened {layer.order.removeprefix('channels_')}")
        if isinstance(layer, Conv | MaxPool | AveragePool) and layer.stride != usual:
            texts.append(f"stride {_by(layer.stride)} in layer {number}")
    if set(paddings) - {"stated"}:
        texts.insert(0, f"padding {_in_runs(paddings) if len(set(paddings)) > 1 else paddings[0]}")
    return ", ".join(texts)


def _by(lengths: tuple[int, int]) -> str:
    return f"{lengths[0]} x {lengths[1]}"


def _dropout(network: Network) -> str:
    """`dropout 0.2 of inputs, 0.5 after layer 2`; classic dropout is said to be that."""
    texts = []
    for below, layer in enumerate(network.layers):
        if isinstance(layer, Dropout):
            form = " (classic)" if layer.form == "classic" else ""
            place = f"after layer {below}" if below else "of inputs"
            texts.append(f"{layer.rate:g}{form} {place}")
    return f"dropout {', '.join(texts)}" if texts else ""


def _activation(layer: WeightedLayer) -> str:
    name = ACRONYMS.get(layer.activation, layer.activation.replace("_", " "))
    if layer.slope is not None:
        return f"{name} (slope {layer.slope:g})"
    return f"{name} (alpha {layer.alpha:g})" if layer.alpha != 1 else name


def _in_runs(names: Sequence[str]) -> str:
    """`ReLU, 3 times tanh, identity`."""
    runs = [(name, len(list(same))) for name, same in itertools.groupby(names)]
    return ", ".join(name if count == 1 else f"{count} times {name}" for name, count in runs)


def _start(experiment: Experiment) -> str:
    drawn = experiment.generator
    by = f", drawn by RandomState({drawn.seed})" if drawn else ""
    weights = _of_layers(experiment.initializers, experiment.network, "weights")
    if not any(layer.bias for layer in experiment.network.weighted_layers):
        return f"weights {weights}{by}"
    biases = _of_layers(experiment.initializers, experiment.network, "biases")
    if weights == biases:
        return f"weights and biases {weights}{by}"
    return f"weights {weights}, biases {biases}{by}"


def _of_layers(initializers: Initializers, network: Network, part: str) -> str:
    stated = initializers.weights if part == "weights" else initializers.biases
    if not isinstance(stated, tuple):
        return _initializer(stated)
    return _in_runs([_initializer(one) for one in stated])


def _initializer(one: Initializer) -> str:
    match one:
        case Constant():
            return f"{one.value:g}"
        case Normal() | TruncatedNormal():
            mean = f"mean {one.mean:g}, " if one.mean else ""
            std = one.std if isinstance(one.std, str) else f"{one.std:g}"
            return f"{one.name.replace('_', ' ')} ({mean}std {std})"
        case FromFile():
            array = f", {one.array}" if one.array else ""
            return f"from {one.label}{array}"
        case Uniform():
            return f"uniform from {one.low:g} to {one.high:g}"
        case Scaled():
            author, _, shape = one.name.partition("_")
            return f"{AUTHORS[author]} {shape.replace('_', ' ')}"
    return INITIALIZERS[one.name]


# ---------------------------------------------------------------- training


def loss_text(loss: Loss, outputs: int) -> str:
    """`softmax cross-entropy`, `half mean squared error, summed over the outputs`.

    The mean over the rows of a batch is not said, nor anything of outputs where there is one.
    """
    fields = loss.model_dump(exclude={"name"}, exclude_defaults=True)
    for field in ("half", "over_delta", "label_smoothing", "class_weights"):
        fields.pop(field, None)  # these are said in other words
    half, batch = getattr(loss, "half", False), fields.pop("batch", "mean")
    over_outputs, behind = fields.pop("outputs", ""), fields.pop("behind_activation", False)
    name = loss.name.replace("cross_entropy", "cross-entropy").replace("_", " ")
    if batch == "sum":
        name = name.removeprefix("mean ")
    qualifiers = [
        "summed over the rows" if batch == "sum" else "",
        "summed over the outputs" if over_outputs == "sum" and outputs > 1 else "",
        "behind the last activation" if behind else "",
        *(f"{field.replace('_', ' ')} {value}" for field, value in fields.items()),
        "divided by delta" if isinstance(loss, Huber) and loss.over_delta else "",
        *(_of_classes(loss) if isinstance(loss, CrossEntropy) else ()),
    ]
    return ", ".join(filter(None, [f"half {name}" if half else name, *qualifiers]))


def _of_classes(loss: CrossEntropy) -> Iterator[str]:
    """Smoothed labels and weights of classes."""
    if loss.label_smoothing is not None:
        yield _smoothing(loss.label_smoothing)
    if loss.class_weights is not None:
        yield _class_weights(loss.class_weights)


def _smoothing(smoothing: LabelSmoothing) -> str:
    others = " (shared by the other classes)" if smoothing.shared_by == "other_classes" else ""
    return f"labels smoothed by {smoothing.amount:g}{others}"


def _class_weights(weights: ClassWeights) -> str:
    shown = [f"{value:g}" for value in weights.values[:MOST_WEIGHTS]]
    if len(weights.values) > MOST_WEIGHTS:
        shown.append("...")
    over = f", a mean divides by the {weights.mean_over}" if weights.mean_over else ""
    return f"classes weigh {', '.join(shown)}{over}"


def _rates(training: Training) -> str:
    """How the learning rate changes."""
    if training.plateau is not None:
        return plateau_text(training.plateau)
    return schedule_text(training.schedule) if training.schedule is not None else ""


def plateau_text(rule: Plateau) -> str:
    """`rate times 0.5 after 5 validations without a better loss, one every epoch`."""
    count = count_text(rule.patience, "validation")
    least = f", at least {rule.min_rate:g}" if rule.min_rate else ""
    better = f"a better {rule.watched}"
    return f"rate times {rule.factor:g} after {count} without {better}, one {_every(rule)}{least}"


def _optimizer(optimizer: Optimizer) -> str:
    name = OPTIMIZERS.get(optimizer.name, optimizer.name)
    if isinstance(optimizer, Momentum | Nesterov):
        return f"{name} {optimizer.momentum:g} at rate {optimizer.learning_rate:g}"
    return f"{name} {optimizer.learning_rate:g}"


def _penalties(training: Training) -> str:
    texts = []
    for name, penalty, sign in (("L2", training.l2, "w²"), ("L1", training.l1, "|w|")):
        if penalty is not None:
            half = 0.5 if isinstance(penalty, L2) and penalty.half else 1.0
            per_row = " / rows of the batch" if penalty.per_row else ""
            on = ", of weights and biases" if penalty.on == "all" else ""
            texts.append(f"{name} penalty {penalty.strength * half:g} Σ{sign}{per_row}{on}")
    optimizer = training.optimizer
    if isinstance(optimizer, AdamW):
        times = " times the rate" if optimizer.decay_times_rate else ""
        texts.append(f"weight decay {optimizer.weight_decay:g}{times}")
    return ", ".join(texts)


def _bounds(training: Training) -> str:
    texts = []
    if training.clipping is not None:
        texts.append(f"{CLIPPINGS[training.clipping.name]} {training.clipping.bound:g}")
    if training.max_norm is not None:
        texts.append(f"max-norm {training.max_norm.bound:g}")
    return ", ".join(texts)


def stopping_text(rule: Stopping) -> str:
    """`stops after 10 validations without a better loss, one every epoch`."""
    if isinstance(rule, NoImprovement):
        count = count_text(rule.patience, "validation")
        return f"stops after {count} without a better {rule.watched}, one {_every(rule)}"
    return f"stops by patience, {rule.patience_steps:,} steps at first, validated {_every(rule)}"


def _every(interval: Interval) -> str:
    count, unit = interval.every_steps or interval.every_epochs or 1, "step"
    if interval.every_steps is None:
        unit = "epoch"
    return f"every {unit}" if count == 1 else f"every {count:,} {unit}s"
