"""A run's plan: which trials, in which order. Made without importing a framework."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import StringConstraints, TypeAdapter

from harness.clock.environment import KERNEL_CHOICE
from harness.experiment.loading import catalogue_names, digest, digest_of, load, parse
from harness.experiment.model import Experiment, Native
from harness.experiment.proof_length import proof_of
from harness.registry import Framework, find, installed
from harness.results import PROTOCOL, SCHEMA

Preset = Literal["quick", "standard", "full"]
MEASURE, PROOF, CLOSELY, LIMIT = "measure", "proof", "proof, closely", "limit"
MANY_SEEDS = "many seeds"
"""Purposes of a trial. `closely` keeps the first 20 steps of a proof that failed; `limit` times
the matrix products of an installed framework that was not asked for; `many seeds` trains from
many starts at once, untimed, for a success rate."""
SEEDS = {"quick": 1, "standard": 3, "full": 10}
REPEATS = {"quick": 1, "standard": 1, "full": 3}


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Args:
        experiments: names or files; empty means all that belong to the preset.
        frameworks: names, files or module:Class; empty means all that are entered.
        loops: "best", "all" or names of loops.
        seeds, repeats: None means the preset's own number.
    """

    experiments: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    loops: tuple[str, ...] = ("best",)
    preset: Preset = "quick"
    seeds: int | None = None
    repeats: int | None = None
    threads: int = 1
    device: str = "auto"
    dtype: str = "float32"


@dataclass(frozen=True)
class Trial:
    """One trial of a plan; `id` names its files and changes with anything that it depends on.

    For the purpose `many seeds`, `repeat` is how many starts there are, `seed` the first of them.
    """

    purpose: str
    experiment: str
    framework: str
    loop: str
    track: str
    seed: int
    repeat: int
    device: str
    dtype: str
    threads: int
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]*$")]


TRIAL = TypeAdapter(Trial)


@dataclass(frozen=True)
class Plan:
    """The trials of a run, in the order they are run.

    Args:
        digest: 16 hexadecimal digits over what was asked for; the run's name.
        request: what was asked for.
        experiments: by name, at the length they are run.
        full_lengths: by name, the protocol's own length in words ("" without training).
        trials: in order.
        proofs: one per (experiment, framework, loop) of the identical track, by framework.
        limits: one per experiment and framework that is installed and not asked for.
    """

    digest: str
    request: Request
    experiments: dict[str, Experiment]
    full_lengths: dict[str, str]
    trials: tuple[Trial, ...]
    proofs: tuple[Trial, ...] = ()
    limits: tuple[Trial, ...] = ()

    def to_json(self) -> str:
        """All that `report --from` needs besides rows."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "plan": self.digest,
                "request": asdict(self.request),
                "experiments": {
                    name: e.model_dump(mode="json") for name, e in self.experiments.items()
                },
                "full_lengths": self.full_lengths,
                "trials": [asdict(trial) for trial in self.trials],
                "proofs": [asdict(trial) for trial in self.proofs],
                "limits": [asdict(trial) for trial in self.limits],
            },
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read a stored plan.

        Raises:
            ValueError: it is not one.
        """
        try:
            values: dict[str, Any] = json.loads(text)
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
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a plan of this version ({error!r})") from error


def make(request: Request) -> Plan:
    """Plan a request.

    Raises:
        harness.experiment.loading.ProtocolError, harness.registry.UnknownFrameworkError,
        ValueError: an experiment, framework or combination that cannot be planned.
    """
    experiments, full_lengths = _experiments(request)
    frameworks = _frameworks(request)
    digests = {name: digest(experiment) for name, experiment in experiments.items()}
    identity = {
        "protocol": PROTOCOL,
        "experiments": {
            name: [digests[name], [native.model_dump() for native in experiment.native]]
            for name, experiment in experiments.items()
        },
        "frameworks": sorted(f"{f.name} {f.module}:{f.class_name}" for f in frameworks),
        "loops": sorted(request.loops),
        "preset": request.preset,
        "seeds": _seeds(request),
        "repeats": _repeats(request),
        "threads": request.threads,
        "device": request.device,
        "dtype": request.dtype,
        **_kernel_choice(),
    }
    trials = []
    for block, (experiment, seed, repeat) in enumerate(_blocks(experiments, request)):
        turn = block // 2 % len(frameworks)
        order = frameworks[turn:] + frameworks[:turn]
        for framework in order[::-1] if block % 2 else order:  # ABBA: a drift favours nobody
            for adapter, loop in _cells(experiment, framework, request):
                trial = Trial(
                    purpose=MEASURE,
                    experiment=experiment.name,
                    framework=adapter.name,
                    loop=loop,
                    track=adapter.track,
                    seed=seed,
                    repeat=repeat,
                    device=request.device,
                    dtype=experiment.dtype or request.dtype,
                    threads=request.threads,
                    id="",
                )
                trials.append(identified(trial, adapter, digests[experiment.name], experiment))
    proofs = proofs_of(trials, experiments, {framework.name: framework for framework in frameworks})
    return Plan(
        digest_of(identity),
        request,
        experiments,
        full_lengths,
        tuple(trials),
        tuple(proofs),
        tuple(_limits(experiments, frameworks, request)),
    )


def _limits(
    experiments: dict[str, Experiment], asked: Sequence[Framework], request: Request
) -> Iterator[Trial]:
    """The machine's limit is the best of all installed libraries, asked for or not."""
    names = {framework.name for framework in asked}
    others = [f for f in installed().values() if f.name not in names and not f.missing]
    for framework in others:
        for experiment in experiments.values():
            if experiment.has_measurable_products:
                trial = Trial(
                    purpose=LIMIT,
                    experiment=experiment.name,
                    framework=framework.name,
                    loop=framework.loops[-1],
                    track="identical",
                    seed=0,
                    repeat=0,
                    device=request.device,
                    dtype=experiment.dtype or request.dtype,
                    threads=request.threads,
                    id="",
                )
                yield identified(trial, framework, digest(experiment), experiment)


def proofs_of(
    trials: Sequence[Trial], experiments: dict[str, Experiment], frameworks: dict[str, Framework]
) -> list[Trial]:
    """One proof for every cell that is measured, as far as its framework is installed.

    Experiment by experiment: all frameworks are held against the same run of the oracle.
    """
    loops = {name: framework.loops for name, framework in frameworks.items()
             if not framework.missing}  # fmt: skip
    cells = dict.fromkeys(
        (trial.framework, trial.experiment, trial.loop)
        for trial in trials
        if trial.track == "identical" and trial.loop in loops.get(trial.framework, ())
    )
    order = list(experiments)
    return [
        proof_trial(frameworks[name], experiments[experiment], loop, trials[0].device)
        for name, experiment, loop in sorted(cells, key=lambda cell: order.index(cell[1]))
    ]


def proof_trial(
    framework: Framework, experiment: Experiment, loop: str, device: str, purpose: str = PROOF
) -> Trial:
    """The trial that leaves the trace of a loop: float64 where the framework has it, seed 0."""
    short = proof_of(experiment)
    trial = Trial(
        purpose=purpose,
        experiment=experiment.name,
        framework=framework.name,
        loop=loop,
        track="identical",
        seed=0,
        repeat=0,
        device=device,
        dtype="float64" if "float64" in framework.dtypes else "float32",
        threads=1,
        id="",
    )
    return identified(trial, framework, digest(short) + oracle_digest(), short)


@cache
def oracle_digest() -> str:
    """Changes with the source of the oracle, the trace or the ladder."""
    hasher = hashlib.sha256()
    for name in ("functions", "reference", "trace", "ladder", "hypotheses", "diagnosis"):
        source = Path(__file__).parent / "parity" / f"{name}.py"
        hasher.update(source.read_bytes())
    return hasher.hexdigest()[:16]


def frameworks_by_track(request: Request) -> dict[tuple[str, str], Framework]:
    """(name, track) to framework, of everything a request's trials may name."""
    known = {**installed(), **{framework.name: framework for framework in _frameworks(request)}}
    identical = {(name, "identical"): framework for name, framework in known.items()}
    native = {(name, "native"): framework for name, framework in installed("native").items()}
    return {**identical, **native}


def native_of(experiment: Experiment, label: str) -> Native:
    """The native solver with that label."""
    return next(native for native in experiment.native if native.label == label)


def _frameworks(request: Request) -> list[Framework]:
    found = [find(name) for name in request.frameworks] or list(installed().values())
    names = [framework.name for framework in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"framework: {name!r} is named twice")
    return found


def _experiments(request: Request) -> tuple[dict[str, Experiment], dict[str, str]]:
    """The protocols at the length they are run, and their full lengths in words."""
    if request.experiments:
        chosen = [load(name) for name in request.experiments]
    else:
        everything = [load(name) for name in catalogue_names()]
        chosen = [e for e in everything if request.preset != "quick" or not e.quick or e.quick.part]
    experiments: dict[str, Experiment] = {}
    lengths = {}
    for experiment in chosen:
        if experiment.name in experiments:
            raise ValueError(f"experiment: {experiment.name!r} is named twice")
        for native in experiment.native:
            find(native.framework, "native")
        quick = experiment.quick if request.preset == "quick" else None
        experiments[experiment.name] = experiment.of_length(quick.length if quick else None)
        lengths[experiment.name] = str(experiment.training.length) if experiment.training else ""
    return experiments, lengths


def _blocks(
    experiments: dict[str, Experiment], request: Request
) -> Iterator[tuple[Experiment, int, int]]:
    """(experiment, seed, repeat): all frameworks take turns inside a block."""
    for experiment in experiments.values():
        for seed in range(_seeds(request)):
            for repeat in range(_repeats(request)):
                yield experiment, seed, repeat


def _cells(
    experiment: Experiment, framework: Framework, request: Request
) -> list[tuple[Framework, str]]:
    """(framework, loop) of one framework in one block, its native solvers last."""
    loops = _loops(experiment, framework.loops, request)
    natives = [native for native in experiment.native if native.framework == framework.name]
    return [
        *((framework, loop) for loop in loops),
        *((find(framework.name, "native"), native.label) for native in natives),
    ]


def _loops(experiment: Experiment, has: Sequence[str], request: Request) -> list[str]:
    """Loops to run; one that was asked for by name is kept even where the framework has none."""
    if "all" in request.loops:
        return list(has)
    wanted = {has[-1] if loop == "best" else loop for loop in request.loops}
    if request.preset == "quick" and request.loops == ("best",) and experiment.quick:
        wanted |= set(experiment.quick.loops) & set(has)
    return [loop for loop in ("idiomatic", "stepwise", "fused") if loop in wanted]


def _seeds(request: Request) -> int:
    return request.seeds or SEEDS[request.preset]


def _repeats(request: Request) -> int:
    return request.repeats or REPEATS[request.preset]


def identified(
    trial: Trial, framework: Framework, experiment_digest: str, experiment: Experiment
) -> Trial:
    """Name the trial after what it is, with a digest of everything it depends on."""
    native = native_of(experiment, trial.loop).model_dump() if trial.track == "native" else None
    state: list[Any] = [
        asdict(trial), experiment_digest, native, framework.digest, framework.version, PROTOCOL,
        *_kernel_choice().values(),
    ]  # fmt: skip
    if trial.purpose == MEASURE and experiment.target is not None:
        state.append(experiment.target)  # `target_s` is taken while it trains
    parts: tuple[str, ...] = (trial.experiment, trial.framework, trial.loop)
    if trial.purpose == MEASURE:
        parts += (f"s{trial.seed}", f"r{trial.repeat}")
    elif trial.purpose == MANY_SEEDS:
        parts += ("many", f"s{trial.seed}", f"n{trial.repeat}")
    else:
        parts += (trial.purpose[:5],)
    words = "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)
    return Trial(**{**asdict(trial), "id": f"{words}-{digest_of(state)[:8]}"})


def _kernel_choice() -> dict[str, str]:
    """The user's own choice of BLAS kernels, which changes every time; {} where there is none."""
    chosen = os.environ.get(KERNEL_CHOICE)
    return {"kernel_choice": chosen} if chosen else {}
