"""Which small protocols check an adapter: as few as cover all that its `supports` accepts.

A kind is something that a protocol may ask of an adapter: an activation, a loss behind an output
activation, an update rule, an order of batches, and so on. What `supports` accepts in any protocol
is covered by one of the chosen protocols. Where no protocol of the ladder has a kind in a form
that the adapter accepts, one is derived from a protocol that it does accept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from harness.experiment.model import Experiment
from harness.parity.derived import PLAINEST_FIRST, Supports, derive
from harness.parity.kinds import Kind, kinds_in, kinds_of
from harness.parity.protocols import every, of_catalogue

EVERYDAY = "relu-adam"
"""Always among the protocols of a check: nothing in it hides one mistake behind another."""


@dataclass(frozen=True)
class Covering:
    """The protocols that check an adapter.

    Args:
        chosen: by name, in order.
        supported: all that were found to be supported, the derived ones too.
        refused: name to reason, of the protocols that `supports` refuses.
    """

    chosen: Mapping[str, Experiment]
    supported: Mapping[str, Experiment]
    refused: Mapping[str, str]

    @property
    def not_looked_at(self) -> tuple[Kind, ...]:
        """Kinds that `supports` accepts and no chosen protocol has."""
        seen = kinds_in(self.chosen.values())
        return tuple(kind for kind in kinds_in(self.supported.values()) if kind not in seen)


def cover(
    supports: Supports,
    full: bool = False,
    only: Iterable[str] | None = None,
    own: Iterable[Experiment] = (),
) -> Covering:
    """Choose the protocols that check an adapter.

    Where it refuses all that train, of the ladder and derived, the catalogue is tried.

    Args:
        supports: of the adapter.
        full: all that are supported, not as few as cover.
        only: these of the ladder, and no others; nothing is derived then.
        own: protocols of the user's, which are chosen if they are supported.
    """
    refused: dict[str, str] = {}
    supported = _accepted(supports, every(), refused)
    of_user = _accepted(supports, {each.name: each for each in own}, refused)
    if only is not None:
        chosen = {name: supported[name] for name in only if name in supported}
    else:
        supported |= derive(supports, supported)
        if not any(each.training for each in (*supported.values(), *of_user.values())):
            supported |= _accepted(supports, of_catalogue(), refused)
        chosen = supported if full else _fewest(supported)
    return Covering({**chosen, **of_user}, {**supported, **of_user}, refused)


def _accepted(
    supports: Supports, asked: Mapping[str, Experiment], refused: dict[str, str]
) -> dict[str, Experiment]:
    """The protocols that are supported; reasons of the others are added to `refused`."""
    reasons = {name: supports(experiment) for name, experiment in asked.items()}
    refused |= {name: reason for name, reason in reasons.items() if reason is not None}
    return {name: each for name, each in asked.items() if reasons[name] is None}


@cache
def covering() -> Mapping[str, Experiment]:
    """Return the protocols that check an adapter which supports everything, by name."""
    return cover(lambda experiment: None).chosen


def nearest(supported: Mapping[str, Experiment], name: str, *needs: Kind) -> Experiment | None:
    """Return a protocol, or the supported one that has most in common with it.

    Args:
        supported: protocols by name.
        name: of a protocol of the ladder.
        needs: kinds that it must have.
    """
    if name in supported:
        return supported[name]
    wanted = kinds_of(every()[name])
    able = [each for each in supported.values() if set(needs) <= set(kinds_of(each))]
    trained = [each for each in able if each.training] or able
    return max(trained, key=lambda each: len(set(kinds_of(each)) & set(wanted)), default=None)


# ---------------------------------------------------------------- choosing


def _fewest(supported: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """As few protocols as have every kind that any of them has; the first of equals."""
    todo = set(kinds_in(supported.values())) | _plainest(supported)
    asked = {name: _asked_of(experiment, todo) for name, experiment in supported.items()}
    chosen = [name for name in (EVERYDAY,) if name in supported]
    left = todo - set[Kind]().union(*(asked[name] for name in chosen))
    while left:
        best = max(asked, key=lambda name: len(asked[name] & left))
        chosen.append(best)
        left -= asked[best]
    for name in list(chosen):  # an early choice may have become needless
        others = set[object]().union(*(asked[other] for other in chosen if other != name))
        if name != EVERYDAY and asked[name] <= others:
            chosen.remove(name)
    return {name: supported[name] for name in supported if name in chosen}


def _plainest(supported: Mapping[str, Experiment]) -> set[Kind]:
    """Every loss together with the plainest update rule that the adapter has for it."""
    rules: dict[str, set[str]] = {}
    for experiment in supported.values():
        if experiment.training:
            loss, rule = experiment.training.loss.name, experiment.training.optimizer.name
            rules.setdefault(loss, set()).add(rule)
    return {Kind(loss, min(found, key=PLAINEST_FIRST.index)) for loss, found in rules.items()}


def _asked_of(experiment: Experiment, todo: set[Kind]) -> set[Kind]:
    kinds = set(kinds_of(experiment))
    if experiment.training:
        training = experiment.training
        kinds |= {Kind(training.loss.name, training.optimizer.name)}
    return kinds & todo
