"""Protocols for an adapter that supports few: parts of the ladder's, put together anew.

An adapter may accept a part (an activation, a penalty) only beside other parts than those with
which the ladder has it. Such a part is grafted onto a protocol that the adapter does accept.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, Literal, NamedTuple, get_args

from harness.experiment.activation_name import ActivationName
from harness.experiment.initializers import Initializers
from harness.experiment.losses import (
    BinaryCrossEntropy,
    HingeLoss,
    LossOfValues,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from harness.experiment.model import Experiment
from harness.experiment.network import Dense
from harness.experiment.training import L2, FullBatches
from harness.parity.kinds import LATER_LOSSES, Kind, all_kinds, kinds_in, kinds_of, stated_kinds
from harness.parity.protocols import LEAKY_SLOPE, WIDTHS, every, forward

Supports = Callable[[Experiment], str | None]
"""What an adapter's `supports` is: None, or why not."""
ACTIVATIONS = tuple(name for name in get_args(ActivationName) if name != "step")
FULL = FullBatches(order="full")
PLAIN_START = Initializers.model_validate(
    {"weights": {"name": "glorot_uniform"}, "biases": {"name": "zeros"}}
)
PLAINEST_FIRST = (
    *("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam"),
    *("adadelta", "adamax", "amsgrad", "nadam", "adamw"),
)
EARLIER_LOSSES = ("mean_squared_error", "binary_cross_entropy", "softmax_cross_entropy")
GRAFTED = (
    ("initializers",),
    ("initializers", "loss"),
    ("hidden", "initializers"),
    ("data", "initializers"),
    ("data", "output", "loss", "initializers"),
    ("data", "hidden", "output", "loss", "initializers"),
)
"""Parts of a protocol with saturated outputs, large gradients or a kink that may bring these."""
BASES_AT_MOST = 24
Change = Callable[["_Parts"], "_Parts"]


class _Parts(NamedTuple):
    """A protocol, taken apart."""

    data: Experiment
    hidden: tuple[Dense, ...]
    output: str
    output_bias: bool
    loss: Any
    optimizer: Any
    schedule: Any
    l2: Any
    batches: Any
    initializers: Any
    l1: Any
    clipping: Any
    max_norm: Any

    @classmethod
    def of(cls, experiment: Experiment) -> "_Parts":
        training = experiment.training
        if training is None:
            raise ValueError(f"{experiment.name} does not train")
        *hidden, output = experiment.network.dense_layers
        if experiment.network.takes_images:  # its data as rows of numbers
            changes: dict[str, Any] = {"image": None, "layers": (output,)}
            network, hidden = experiment.network.model_copy(update=changes), []
            experiment = experiment.model_copy(update={"network": network})
        return cls(
            data=experiment,
            hidden=tuple(hidden),
            output=output.activation,
            output_bias=output.bias,
            loss=training.loss,
            optimizer=training.optimizer,
            schedule=training.schedule,
            l2=training.l2,
            batches=training.batches,
            initializers=experiment.initializers,
            l1=training.l1,
            clipping=training.clipping,
            max_norm=training.max_norm,
        )

    def together(self, name: str) -> Experiment | None:
        """Return the protocol of these parts, or None where they do not fit together."""
        training, network = self.data.training, self.data.network
        if training is None or not self._may_fit():
            return None
        slope = LEAKY_SLOPE if self.output == "leaky_relu" else None
        output = {
            "activation": self.output,
            "slope": slope,
            "alpha": 1.0,
            "bias": self.output_bias,
        }
        last = network.output_layer.model_copy(update=output)
        kept = ("loss", "optimizer", "schedule", "l2", "batches", "l1", "clipping", "max_norm")
        changes = {part: getattr(self, part) for part in kept}
        return self.data.model_copy(
            update={
                "name": name,
                "network": network.model_copy(update={"layers": (*self.hidden, last)}),
                "initializers": self.initializers if self._start_fits() else PLAIN_START,
                "training": training.model_copy(update=changes),
            }
        )

    def _may_fit(self) -> bool:
        """Whether loss, output and data belong together, at a glance."""
        kind = self.data.data.facts.kind
        if isinstance(self.loss, LossOfValues):
            hinges = isinstance(self.loss, HingeLoss)
            return not hinges or self.data.data.target_values == (-1, 1)
        if self.data.data.target_values is not None:
            return False
        logits = self.loss.behind_activation == (self.output != "identity")
        takes_bits = isinstance(self.loss, BinaryCrossEntropy)
        return logits and (kind == "classes" or (takes_bits and kind == "binary"))

    def _start_fits(self) -> bool:
        """Whether initializers that are listed layer by layer are as many as there are layers."""
        lists = [self.initializers.weights, self.initializers.biases]
        lengths = {len(each) for each in lists if isinstance(each, tuple)}
        return lengths <= {len(self.hidden) + 1}


def _is_valid(experiment: Experiment) -> bool:
    """Whether all the rules of protocols hold."""
    try:
        Experiment.model_validate(experiment.model_dump(mode="json", exclude_none=True))
    except ValueError:
        return False
    return True


def derive(supports: Supports, supported: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Return protocols with what an adapter accepts and no supported protocol of the ladder has.

    Args:
        supports: of the adapter.
        supported: the protocols of the ladder that it supports, by name.
    """
    seen = set(kinds_in(supported.values()))
    found = _homes(supports, supported)
    seen |= set(kinds_in(found.values()))
    seen |= _add_forward(supports, seen, found)
    before = -1
    while len(found) > before and set(all_kinds()) - seen:
        before = len(found)
        for base in _bases([*found.values(), *supported.values()]):
            for variant in _grow(base, supports, seen, len(found)):
                found[variant.name] = variant
                seen |= set(kinds_of(variant))
    return found


def _add_forward(supports: Supports, seen: set[Kind], found: dict[str, Experiment]) -> set[Kind]:
    """Add a network that only predicts, if the adapter takes one, and return its kinds."""
    if any(kind.name == "a network that only predicts" for kind in seen):
        return set()
    for activation in ACTIVATIONS:
        experiment = forward(activation)
        if supports(experiment) is None:
            found[experiment.name] = experiment
            return set(kinds_of(experiment))
    return set()


def _bases(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Those that train and differ most, the ones with the least extreme numbers first."""
    chosen: dict[tuple[Any, ...], Experiment] = {}
    for experiment in sorted(experiments, key=_is_extreme):
        training = experiment.training
        if training is not None:
            key = (training.loss, training.optimizer.name, experiment.network.outputs)
            chosen.setdefault(key, experiment)
    return list(chosen.values())[:BASES_AT_MOST]


def _grow(base: Experiment, supports: Supports, seen: set[Kind], count: int) -> list[Experiment]:
    """Change one part after the other where that brings a kind that was not seen yet.

    Each change is made to the latest protocol that was accepted, or else to the first.
    """
    seen, expected, latest = set(seen), set(all_kinds()), base
    grown: list[Experiment] = []
    for group, name, change in _changes():
        if not any(kind.group == group for kind in expected - seen):
            continue
        for start in (latest,) if latest is base else (latest, base):
            number = count + len(grown) + 1
            variant = change(_Parts.of(start)).together(f"{name}-{number}-derived")
            if variant is None or not _may_add(variant, group, expected - seen):
                continue
            if supports(variant) is not None or not _is_valid(variant):
                continue
            if set(kinds_of(variant)) & expected - seen:
                grown.append(variant)
                seen |= set(kinds_of(variant))
                latest = latest if _is_extreme(variant) else variant
                break
    return grown


def _may_add(variant: Experiment, group: str, missing: set[Kind]) -> bool:
    """Whether a protocol may have a missing kind, as far as it says without a look at numbers."""
    return group in ("numbers", "starts") or bool(stated_kinds(variant) & missing)


def _is_extreme(experiment: Experiment) -> bool:
    """Whether a start of zeros, a kink or saturation leaves little of the protocol to be seen."""
    return any(
        kind.group == "numbers" or kind.name == "weights of zeros" for kind in kinds_of(experiment)
    )


# ---------------------------------------------------------------- changes


@cache
def _changes() -> list[tuple[str, str, Change]]:
    """Group of kinds, name and change, of all parts that a protocol may have otherwise."""
    donors = _donors()
    return [
        *(("hidden activations", a.replace("_", "-"), _hidden(a)) for a in ACTIVATIONS),
        *_changes_of_networks(),
        *_changes_of_losses(donors),
        *(("update rules", r.name, _with(optimizer=r)) for r in _distinct(donors, "optimizer")),
        *_changes_of_schedules(donors),
        *_changes_of_penalties(donors),
        *_changes_around_updates(donors),
        *(("batches", b.order, _with(batches=b)) for b in _distinct(donors, "batches")),
        *_changes_of_starts(donors),
    ]


def _donors() -> list[_Parts]:
    """The parts of all protocols of the ladder that train."""
    return [_Parts.of(each) for each in every().values() if each.training]


def _with(**changes: Any) -> Change:
    return partial(_Parts._replace, **changes)


def _distinct(donors: Iterable[_Parts], part: str) -> list[Any]:
    return list(dict.fromkeys(getattr(each, part) for each in donors))


def _of_activation(name: str, units: int = 9) -> Dense:
    slope = LEAKY_SLOPE if name == "leaky_relu" else None
    return Dense.model_validate({"units": units, "activation": name, "slope": slope})


def _hidden(*activations: str) -> Change:
    """A change to hidden layers of these activations."""
    layers = [_of_activation(a, u) for a, u in zip(activations, WIDTHS, strict=False)]
    return _with(hidden=tuple(layers))


def _changes_of_networks() -> Iterator[tuple[str, str, Change]]:
    yield "networks", "no-hidden-layer", _with(hidden=())
    for first in ACTIVATIONS:
        yield "networks", "one-hidden-layer", _hidden(first)
        yield "networks", "two-hidden-layers", _hidden(first, first)
    for first, second in itertools.combinations(ACTIVATIONS, 2):
        yield "networks", "two-activations", _hidden(first, second)
    yield "networks", "no-bias", _without_bias


def _without_bias(parts: _Parts) -> _Parts:
    bare = tuple(layer.model_copy(update={"bias": False}) for layer in parts.hidden)
    return parts._replace(hidden=bare, output_bias=bool(bare) and parts.output_bias)


def _changes_of_losses(donors: Sequence[_Parts]) -> Iterator[tuple[str, str, Change]]:
    """Every loss in every reduction, every output activation, and data of another width."""
    losses = _every_loss()
    for output in ACTIVATIONS:
        yield "losses", f"behind-{output.replace('_', '-')}", partial(_behind, output)
    for loss in losses:
        yield "losses", loss.name.replace("_", "-"), _with(loss=loss)
        yield "losses", loss.name.replace("_", "-"), _with(loss=loss, output="identity")
    for loss in _distinct(donors, "loss"):
        if getattr(loss, "label_smoothing", None) or getattr(loss, "class_weights", None):
            yield "losses", "of-classes", _with(loss=loss, output="identity")
    for batches in _distinct(donors, "batches"):
        yield "losses", "batches", _with(batches=batches)
    places = {each.data.data.dataset: each for each in donors}.values()
    for place, loss in itertools.product(places, losses):
        given = {"data": place.data, "initializers": PLAIN_START}
        name = f"{place.data.data.dataset}-{loss.name.replace('_', '-')}"
        yield "losses", name, _with(loss=loss, **given)
        yield "losses", name, _with(loss=loss, batches=FULL, **given)


def _behind(output: str, parts: _Parts) -> _Parts:
    """Another output activation, which a cross-entropy has to say is meant."""
    loss = parts.loss
    if not isinstance(loss, LossOfValues):
        loss = loss.model_copy(update={"behind_activation": output != "identity"})
    return parts._replace(output=output, loss=loss)


def _every_loss() -> list[Any]:
    """All that the older losses may state, and of the others those of the ladder."""
    both: tuple[Literal["mean", "sum"], ...] = ("mean", "sum")
    return [
        *(SoftmaxCrossEntropy(name="softmax_cross_entropy", batch=b) for b in both),
        *(
            BinaryCrossEntropy(name="binary_cross_entropy", batch=b, outputs=o)
            for b, o in itertools.product(both, both)
        ),
        *(
            MeanSquaredError(name="mean_squared_error", half=h, batch=b, outputs=o)
            for h, b, o in itertools.product((False, True), both, both)
        ),
        *(loss for loss in _distinct(_donors(), "loss") if loss.name in LATER_LOSSES),
    ]


def _changes_of_schedules(donors: Sequence[_Parts]) -> Iterator[tuple[str, str, Change]]:
    for schedule in filter(None, _distinct(donors, "schedule")):
        yield "schedules", "step-decay", _with(schedule=schedule)
        for rule in _distinct(donors, "optimizer"):
            yield "schedules", f"{rule.name}-decay", _with(schedule=schedule, optimizer=rule)


def _changes_of_penalties(donors: Sequence[_Parts]) -> Iterator[tuple[str, str, Change]]:
    both = (False, True)
    places: tuple[Literal["weights", "all"], ...] = ("weights", "all")
    for half, per_row, on in itertools.product(both, both, places):
        l2 = L2(strength=0.1, half=half, per_row=per_row, on=on)
        yield "L2 penalties", f"l2-{on}", _with(l2=l2)
        for rule in _distinct(donors, "optimizer"):
            yield "L2 penalties", f"l2-{on}-{rule.name}", _with(l2=l2, optimizer=rule)


def _changes_around_updates(donors: Sequence[_Parts]) -> Iterator[tuple[str, str, Change]]:
    """What the ladder's protocols have of L1, clipping and bounded norms, alone and together."""
    for parts in donors:
        penalties = {"l2": parts.l2, "l1": parts.l1}
        if parts.l1:
            yield "L1 penalties", "l1", _with(l1=parts.l1)
            yield "L1 penalties", "l1", _with(optimizer=parts.optimizer, **penalties)
        if parts.clipping:
            yield "clipped gradients", "clipping", _with(clipping=parts.clipping, **penalties)
        if parts.max_norm:
            yield "bounded norms", "max-norm", _with(max_norm=parts.max_norm)


def _changes_of_starts(donors: Sequence[_Parts]) -> Iterator[tuple[str, str, Change]]:
    for start in _distinct(donors, "initializers"):
        yield "starts", "start", _with(initializers=start)
        yield "starts", "start", _with(initializers=start, hidden=())
    for given, grafted in itertools.product(donors, GRAFTED):
        if any(kind.group == "numbers" for kind in kinds_of(given.data)):
            parts = {part: getattr(given, part) for part in grafted}
            yield "numbers", given.data.name, _with(**parts)


# ---------------------------------------------------------------- a protocol to begin with


def _homes(supports: Supports, supported: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """For every loss a protocol with the plainest update rule that the adapter has for it."""
    found: dict[str, Experiment] = {}
    for loss in (*EARLIER_LOSSES, *LATER_LOSSES):
        known = [each for each in supported.values() if each.loss and each.loss.name == loss]
        if loss in LATER_LOSSES and not known:
            continue  # whoever has it has it somewhere in the ladder
        plainest = min((_place(each) for each in known), default=len(PLAINEST_FIRST))
        if plainest == 0:
            continue
        for mixed in _plainer(loss, plainest, [*supported.values(), *found.values()]):
            home = mixed.together(f"{loss.replace('_', '-')}-derived")
            if home is not None and supports(home) is None and _is_valid(home):
                found[home.name] = home
                break
    return found


def _place(experiment: Experiment) -> int:
    training = experiment.training
    return PLAINEST_FIRST.index(training.optimizer.name) if training else len(PLAINEST_FIRST)


def _form(rule: Any) -> tuple[Any, ...]:
    """What an adapter may refuse a rule for: all that it states but numbers."""
    return tuple(value for _, value in rule if not isinstance(value, float))


def _plainer(loss: str, place: int, accepted: Iterable[Experiment]) -> Iterator[_Parts]:
    """All that the parts of the ladder make with this loss, the plainest update rule first.

    Where the adapter accepts other protocols, only parts of these are tried.
    """
    donors = _donors()
    known = [_Parts.of(each) for each in accepted if each.training] or donors
    of_loss = [parts for parts in donors if parts.loss.name == loss]
    losses = [each for each in _every_loss() if each.name == loss]
    places = {(p.data.data.dataset, p.output): p for p in of_loss}.values()
    rules = [p.optimizer for p in known if PLAINEST_FIRST.index(p.optimizer.name) < place]
    forms = {_form(rule): rule for rule in reversed(rules)}.values()
    if known is donors:  # nothing is accepted: one form is tried of the relatives of Adam
        forms = {_form(r) if r.name in PLAINEST_FIRST[:6] else r.name: r for r in forms}.values()
    batches = {
        (p.batches.order, getattr(p.batches, "size", 0) == 1): p.batches for p in known
    }.values()
    hiddens = dict.fromkeys(p.hidden for p in known if len(p.hidden) < 2 or known is not donors)
    networks = [
        (given, hidden)
        for given, hidden in itertools.product(places, hiddens)
        if known is not donors or _go_together(given.output, hidden)
    ]
    plain = dict.fromkeys(("schedule", "l2", "l1", "clipping", "max_norm"))
    for optimizer in sorted(forms, key=lambda r: PLAINEST_FIRST.index(r.name)):
        for order, each, (given, hidden) in itertools.product(batches, losses, networks):
            yield given._replace(
                loss=each, hidden=hidden, optimizer=optimizer, batches=order, **plain
            )


def _go_together(output: str, hidden: tuple[Dense, ...]) -> bool:
    """Whether a network has a usual output, or one activation in all of its layers."""
    return output in ("identity", "sigmoid") or {layer.activation for layer in hidden} <= {output}
