"""Protocols for an adapter that supports few: parts of the ladder's, put together anew.

An adapter may accept a part (an activation, a penalty) only beside other parts than those with
which the ladder has it. Such a part is grafted onto a protocol that the adapter does accept.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from harness.experiment.model import Experiment
from harness.experiment.network import ActivationName, Layer
from harness.parity.kinds import Kind, all_kinds, kinds_in, kinds_of
from harness.parity.protocols import LEAKY_SLOPE, every

Supports = Callable[[Experiment], str | None]
"""What an adapter's `supports` is: None, or why not."""
PLAINEST_FIRST = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
ALL_KINDS_OF_DATA = ("classes", "binary", "values")
GRAFTED = {
    "hidden activations": (("hidden",),),
    "losses": (("loss", "output"), ("data", "loss", "output", "initializers")),
    "update rules": (("optimizer",),),
    "schedules": (("schedule",), ("optimizer", "schedule")),
    "L2 penalties": (("l2",),),
    "batches": (("batches",),),
    "starts": (("initializers",), ("hidden", "initializers")),
    "numbers": (
        ("initializers",),
        ("initializers", "loss"),
        ("hidden", "initializers"),
        ("data", "hidden", "output", "loss", "initializers"),
    ),
}
"""Group of a kind to the sets of parts that may bring the kind along."""


class _Parts(NamedTuple):
    """A protocol, taken apart."""

    data: Experiment
    hidden: tuple[Layer, ...]
    output: str
    loss: Any
    optimizer: Any
    schedule: Any
    l2: Any
    batches: Any
    initializers: Any

    @classmethod
    def of(cls, experiment: Experiment) -> "_Parts":
        training = experiment.training
        if training is None:
            raise ValueError(f"{experiment.name} does not train")
        *hidden, output = experiment.network.layers
        return cls(
            data=experiment,
            hidden=tuple(hidden),
            output=output.activation,
            loss=training.loss,
            optimizer=training.optimizer,
            schedule=training.schedule,
            l2=training.l2,
            batches=training.batches,
            initializers=experiment.initializers,
        )

    def together(self, name: str) -> Experiment | None:
        """Return the protocol of these parts, or None where they do not fit together."""
        training, network = self.data.training, self.data.network
        if training is None or not self._may_fit():
            return None
        output = {"activation": self.output, "slope": LEAKY_SLOPE if self._is_leaky() else None}
        last = network.layers[-1].model_copy(update=output)
        kept = ("loss", "optimizer", "schedule", "l2", "batches")
        changes = {part: getattr(self, part) for part in kept}
        return self.data.model_copy(
            update={
                "name": name,
                "network": network.model_copy(update={"layers": (*self.hidden, last)}),
                "initializers": self.initializers,
                "training": training.model_copy(update=changes),
            }
        )

    def _is_leaky(self) -> bool:
        return self.output == "leaky_relu"

    def _may_fit(self) -> bool:
        """Whether loss, output, data and start belong together, at a glance."""
        kind = self.data.data.facts.kind
        kinds = {"softmax_cross_entropy": ("classes",), "mean_squared_error": ALL_KINDS_OF_DATA}
        logits = "cross_entropy" not in self.loss.name or self.output == "identity"
        lists = [self.initializers.weights, self.initializers.biases]
        lengths = {len(each) for each in lists if isinstance(each, tuple)}
        return (
            logits
            and kind in kinds.get(self.loss.name, ("classes", "binary"))
            and lengths <= {len(self.hidden) + 1}
        )


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
    found = _homes(supports, supported)
    seen = set(kinds_in([*supported.values(), *found.values()]))
    for start in sorted([*found.values(), *supported.values()], key=_is_extreme):
        if start.training is not None and set(all_kinds()) - seen:
            grown = _grow(start, supports, seen, len(found))
            found |= {each.name: each for each in grown}
            seen |= set(kinds_in(grown))
    return found


def _grow(
    start: Experiment, supports: Supports, seen: Iterable[Kind], count: int
) -> list[Experiment]:
    """Graft missing parts onto a protocol, each onto the last one that was accepted, if it can."""
    seen, latest = set(seen), start
    grown: list[Experiment] = []
    missing = set(all_kinds()) - seen
    for name, change in _grafts(missing):
        for base in (latest,) if latest is start else (latest, start):
            variant = change(_Parts.of(base)).together(f"{name}-{count + len(grown) + 1}-derived")
            if variant is None or supports(variant) is not None or not _is_valid(variant):
                continue
            if set(kinds_of(variant)) & missing - seen:
                grown.append(variant)
                seen |= set(kinds_of(variant))
                latest = latest if _is_extreme(variant) else variant
                break
    return grown


def _is_extreme(experiment: Experiment) -> bool:
    """Whether a start of zeros, a kink or saturation leaves little of the protocol to be seen."""
    return any(
        kind.group == "numbers" or kind.name == "weights of zeros" for kind in kinds_of(experiment)
    )


def _grafts(missing: set[Kind]) -> Iterator[tuple[str, Callable[[_Parts], _Parts]]]:
    """Changes that may bring missing kinds along, with a name."""
    if any(kind.group == "networks" for kind in missing):
        yield from _NETWORKS.items()
    for donor in every().values():
        groups = sorted({kind.group for kind in kinds_of(donor) if kind in missing})
        if donor.training is None:
            continue
        given = _Parts.of(donor)
        parts = dict.fromkeys(part for group in groups for part in GRAFTED.get(group, ()))
        for grafted in parts:
            yield donor.name, partial(_Parts._replace, **{p: getattr(given, p) for p in grafted})


def _without_bias(parts: _Parts) -> _Parts:
    """The first part of a network without biases: the hidden layers, or a new one."""
    hidden = parts.hidden or (Layer(units=9, activation="identity"),)
    bare = tuple(layer.model_copy(update={"bias": False}) for layer in hidden)
    return parts._replace(hidden=bare)


def _with_another(activation: ActivationName) -> Callable[[_Parts], _Parts]:
    """A change that puts a hidden layer of another activation on top."""
    added = Layer(units=9, activation=activation)
    return lambda parts: parts._replace(hidden=(*parts.hidden[:1], added))


_NETWORKS: dict[str, Callable[[_Parts], _Parts]] = {
    "no-hidden-layer": lambda parts: parts._replace(hidden=()),
    "one-hidden-layer": lambda parts: parts._replace(hidden=parts.hidden[:1]),
    "two-hidden-layers": lambda parts: parts._replace(hidden=parts.hidden[:1] * 2),
    "no-bias": _without_bias,
    "with-tanh": _with_another("tanh"),
    "with-sigmoid": _with_another("sigmoid"),
    "with-relu": _with_another("relu"),
    "with-elu": _with_another("elu"),
    "with-softplus": _with_another("softplus"),
}


# ---------------------------------------------------------------- a protocol to begin with


def _homes(supports: Supports, supported: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """For every loss a protocol with the plainest update rule that the adapter has for it."""
    found: dict[str, Experiment] = {}
    for loss in ("mean_squared_error", "binary_cross_entropy", "softmax_cross_entropy"):
        known = [each for each in supported.values() if each.loss and each.loss.name == loss]
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


def _plainer(loss: str, place: int, accepted: Iterable[Experiment]) -> Iterator[_Parts]:
    """All that the parts of the ladder make with this loss, the plainest update rule first.

    Where the adapter accepts other protocols, only parts of these are tried.
    """
    donors = [_Parts.of(each) for each in every().values() if each.training]
    known = [_Parts.of(each) for each in accepted if each.training] or donors
    of_loss = [parts for parts in donors if parts.loss.name == loss]
    losses = list({parts.loss.model_dump_json(): parts.loss for parts in of_loss}.values())
    places = {(p.data.data.dataset, p.output): p for p in of_loss}.values()
    rules = [p.optimizer for p in known if PLAINEST_FIRST.index(p.optimizer.name) < place]
    hiddens = dict.fromkeys(p.hidden for p in known)
    batches = dict.fromkeys(p.batches for p in known)
    plain = {"schedule": None, "l2": None}
    for optimizer in sorted(dict.fromkeys(rules), key=lambda r: PLAINEST_FIRST.index(r.name)):
        for order, each, given, hidden in itertools.product(batches, losses, places, hiddens):
            yield given._replace(
                loss=each, hidden=hidden, optimizer=optimizer, batches=order, **plain
            )
