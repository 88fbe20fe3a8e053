"""What a run is: what the user requested, its trials in their order, and how they are stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, TypeAdapter

from harness.experiment.loading import parse
from harness.experiment.model import Experiment
from harness.experiment.native import Native
from harness.experiment.vocabulary import Device, Dtype, Preset, Purpose, Track
from harness.private import paths_without, values_without_user, without_user
from harness.registry import Framework
from harness.results import SCHEMA
from harness.untrusted import parse_json

SEEDS = {Preset.QUICK: 1, Preset.STANDARD: 3, Preset.FULL: 10}
REPEATS = {Preset.QUICK: 1, Preset.STANDARD: 1, Preset.FULL: 3}
FILES = ("file", "test_file")
"""Fields of a protocol that are paths."""

FrameworkKey = tuple[str, Track]
"""Name and track: what a trial's framework is looked up by."""


def _as_tuple(threads: Any) -> Any:
    """Earlier versions stored one number."""
    return (threads,) if isinstance(threads, int) else threads


@dataclass(frozen=True)
class Request:
    """What the user requested.

    Args:
        experiments: names or files; empty means all that belong to the preset.
        frameworks: names, files or module:Class; empty means all that are entered.
        loops: "best", "all" or names of loops.
        preset: how much is run where the request does not say.
        seeds: None means the preset's own number.
        repeats: likewise.
        threads: the numbers of threads that everything is run with, one after the other.
        device: of every trial.
        dtype: of every trial whose protocol does not state one.
        timed: whether times matter. Without them trials run in lanes, and rows have no times.
    """

    experiments: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    loops: tuple[str, ...] = ("best",)
    preset: Preset = Preset.QUICK
    seeds: int | None = None
    repeats: int | None = None
    threads: Annotated[tuple[int, ...], BeforeValidator(_as_tuple)] = (1,)
    device: Device = Device.AUTO
    dtype: Dtype = Dtype.FLOAT32
    timed: bool = True

    @property
    def seed_count(self) -> int:
        """How many seeds every cell has."""
        return self.seeds or SEEDS[self.preset]

    @property
    def repeat_count(self) -> int:
        """How often every seed is run."""
        return self.repeats or REPEATS[self.preset]


@dataclass(frozen=True)
class Trial:
    """One trial of a plan, made by `harness.planning.make_trial`.

    Args:
        purpose: what it is for.
        experiment: name of its protocol in the plan.
        framework: name of its adapter.
        loop: of the adapter; in the native track the label of the estimator.
        track: of the adapter.
        seed: of the start and the batches.
        repeat: which run of this seed it is, from 0.
        device: where to compute.
        dtype: precision.
        threads: how many its process may use.
        id: names its files, and changes with anything that it depends on.
        starts: of how many seeds, from `seed` on, the starts are trained at once.
    """

    purpose: Purpose
    experiment: str
    framework: str
    loop: str
    track: Track
    seed: int
    repeat: int
    device: Device
    dtype: Dtype
    threads: int
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]*$")]
    starts: int = 1

    @property
    def repeat_column(self) -> int:
        """What the row says in `repeat`: the number of starts, where there are many."""
        return self.starts if self.purpose == Purpose.MANY_STARTS else self.repeat

    @property
    def framework_key(self) -> FrameworkKey:
        """What the plan finds its framework by."""
        return self.framework, self.track


TRIAL = TypeAdapter(Trial)


@dataclass(frozen=True)
class Plan:
    """The trials of a run, in the order they are run.

    Args:
        digest: 16 hexadecimal digits over what was requested; the run's name.
        request: what was requested.
        experiments: by name, at the length they are run.
        full_lengths: by name, the protocol's own length in words ("" without training).
        trials: in order.
        proofs: of every (experiment, framework, loop) of the identical track, one or two.
        limits: one per experiment and installed framework that the request leaves out.
        frameworks: of all these trials; empty in a plan that was read back, which only reports.
    """

    digest: str
    request: Request
    experiments: dict[str, Experiment]
    full_lengths: dict[str, str]
    trials: tuple[Trial, ...]
    proofs: tuple[Trial, ...] = ()
    limits: tuple[Trial, ...] = ()
    frameworks: Mapping[FrameworkKey, Framework] = field(
        default_factory=dict, compare=False, repr=False
    )

    def to_json(self, with_user: bool = False) -> str:
        """All that `report --from` needs besides rows.

        Args:
            with_user: whether paths are whole, for workers that read these files; otherwise they
                lack the user's home and name.
        """
        request = asdict(self.request) | {"threads": one_or_all(self.request.threads)}
        experiments = {name: e.model_dump(mode="json") for name, e in self.experiments.items()}
        if not with_user:
            request = values_without_user(request)
            experiments = paths_without(experiments, FILES, without_user)
        values = {
            "schema": SCHEMA,
            "plan": self.digest,
            "request": request,
            "experiments": experiments,
            "full_lengths": self.full_lengths,
            "trials": [asdict(trial) for trial in self.trials],
            "proofs": [asdict(trial) for trial in self.proofs],
            "limits": [asdict(trial) for trial in self.limits],
        }
        return json.dumps(values, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """Read a stored plan.

        Raises:
            ValueError: it is not one.
        """
        try:
            values: dict[str, Any] = parse_json(text)
            if values["schema"] != SCHEMA:
                raise ValueError(f"schema {values['schema']!r}; this version reads {SCHEMA}")
            return cls(
                digest=values["plan"],
                request=TypeAdapter(Request).validate_python(values["request"]),
                experiments={n: parse(e, n) for n, e in values["experiments"].items()},
                full_lengths=dict(values["full_lengths"]),
                trials=tuple(TRIAL.validate_python(trial) for trial in values["trials"]),
                proofs=tuple(TRIAL.validate_python(trial) for trial in values["proofs"]),
                limits=tuple(TRIAL.validate_python(trial) for trial in values.get("limits", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a plan of this version ({error!r})") from error


def one_or_all(threads: Sequence[int]) -> int | list[int]:
    """Return the only number of threads as earlier versions stored it, or else all of them."""
    return threads[0] if len(threads) == 1 else list(threads)


def native_of(experiment: Experiment, label: str) -> Native:
    """Return the native solver with that label."""
    return next(native for native in experiment.native if native.label == label)
