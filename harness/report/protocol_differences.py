"""Where the experiments of a report differ: each beside the one before that it is most like."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.experiment.digests import canonical_form
from harness.experiment.model import Experiment
from harness.report.protocol_parts import parts_of

MOST_DIFFERENCES = 3
"""Experiments that differ in more parts are not alike."""
MOST_FIELDS = 4
"""Of more fields that differ, the first are said."""
PARTS = {
    "data.scale": "scale",
    "data.features": "scale",
    "data.target_values": "scale",
    "data.split": "split",
    "data.validation": "split",
    "data": "data",
    "network": "network",
    "initializers": "start",
    "generator": "start",
    "training.loss": "loss",
    "training.optimizer": "optimizer",
    "training.schedule": "schedule",
    "training.length": "length",
    "training.l": "penalty",
    "training.clipping": "limits of steps",
    "training.max_norm": "limits of steps",
    "training.batches": "batches",
    "training.stopping": "stopping",
    "training.plateau": "schedule",
    "constants": "rounding",
}
"""Beginning of a field's path to the part of a protocol that it belongs to, the longest first."""
NOT_COMPUTED = "training.evaluation"
"""Where evaluation takes place changes no number of a network."""


@dataclass(frozen=True)
class Difference:
    """One part of two protocols, in the words of each; "" where a protocol has nothing of it."""

    part: str
    here: str
    there: str

    def __str__(self) -> str:
        """`loss: half mean squared error (there mean squared error)`."""
        here = self.here or "none"
        label = "" if here.startswith(self.part) else f"{self.part}: "
        return f"{label}{here} (there {self.there or 'none'})"


@dataclass(frozen=True)
class Likeness:
    """The experiment that another one is most like, and all in which the two differ."""

    other: str
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        """Return one sentence, without its full stop."""
        if not self.differences:
            return f"the same computation as {self.other}"
        return f"all as in {self.other}, except {'; '.join(map(str, self.differences))}"


@dataclass(frozen=True)
class _Described:
    """A protocol as words by part, and as values by the path of their field."""

    texts: Mapping[str, str]
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, experiment: Experiment) -> "_Described":
        texts = {part.name: part.text for part in parts_of(experiment)}
        texts["length"] = str(experiment.training.length) if experiment.training else ""
        fields = dict(_fields(canonical_form(experiment)))
        return cls(texts, {p: v for p, v in fields.items() if not p.startswith(NOT_COMPUTED)})


def likenesses(experiments: Mapping[str, Experiment]) -> dict[str, Likeness]:
    """Return what each experiment is most like among those before it, as far as it is like any."""
    described = {name: _Described.of(experiment) for name, experiment in experiments.items()}
    found: dict[str, Likeness] = {}
    for place, name in enumerate(described):
        earlier = itertools.islice(described, place)
        alike = [
            Likeness(other, _differences(described[name], described[other])) for other in earlier
        ]
        # of several that are equally like it the last, which a reader has just seen
        nearest = min(reversed(alike), key=lambda one: len(one.differences), default=None)
        if nearest is not None and len(nearest.differences) <= MOST_DIFFERENCES:
            found[name] = nearest
    return found


def differences(experiment: Experiment, other: Experiment) -> tuple[Difference, ...]:
    """Return every part in which two protocols differ.

    A part whose words are the same although its fields differ is said by these fields.
    """
    return _differences(_Described.of(experiment), _Described.of(other))


def _differences(here: _Described, there: _Described) -> tuple[Difference, ...]:
    said = {
        part: Difference(part, text, there.texts[part])
        for part, text in here.texts.items()
        if text != there.texts[part]
    }
    changed: dict[str, list[str]] = {}
    for path in dict.fromkeys([*here.fields, *there.fields]):
        if here.fields.get(path) != there.fields.get(path):
            changed.setdefault(_part_of(path), []).append(path)
    for part, paths in changed.items():
        words = {"network": "activations", "data": "rows"}.get(part, part)  # which say it as well
        if not {part, words} & said.keys():
            said[part] = _by_fields(part, paths[:MOST_FIELDS], here, there)
    return tuple(said.values())


def _by_fields(part: str, paths: Sequence[str], here: _Described, there: _Described) -> Difference:
    stated = ", ".join(f"{path} {_value(here.fields.get(path))}" for path in paths)
    return Difference(part, stated, ", ".join(_value(there.fields.get(path)) for path in paths))


def _value(value: Any) -> str:
    return "not stated" if value is None else str(value)


def _part_of(path: str) -> str:
    return next((part for start, part in PARTS.items() if path.startswith(start)), path)


def _fields(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return (path, value) of all that is neither a table nor a list; null is left out."""
    if isinstance(value, Mapping):
        inner = [(f"{path}.{name}" if path else str(name), each) for name, each in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(f"{path}[{place}]", each) for place, each in enumerate(value)]
    else:
        return [] if value is None else [(path, value)]
    return [field for name, each in inner for field in _fields(each, name)]
