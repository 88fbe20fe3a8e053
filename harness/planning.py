"""From a request to a plan: which trials, in which order. Made without importing a framework."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness import command_line
from harness.clock.environment import KERNEL_CHOICE
from harness.command_line import Command
from harness.experiment.digests import digest_of
from harness.experiment.loading import catalogue_names, load
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.vocabulary import Device, Dtype, Loop, Preset, Purpose, Track
from harness.plan import FrameworkKey, Plan, Request, Trial, native_of, one_or_all
from harness.registry import Framework, find, installed
from harness.results import PROTOCOL

FIRST_FIVE = ("numpy", "sklearn", "keras", "torch", "jax")
"""The quick preset runs these everywhere, and adapters of other packages too. This project's other
adapters compute on the libraries of these five. In quick they run on `QUICK_IN_DEPTH` only, in
their best loop and if they are installed, except where the user names frameworks."""
QUICK_IN_DEPTH = ("xor-mlp", "mnist-mlp")
"""Where the quick preset runs every framework, and loops that an adapter calls slow to start."""


def make_plan(request: Request) -> Plan:
    """Plan a request.

    Raises:
        harness.experiment.loading.ProtocolError: an experiment cannot be read.
        harness.registry.UnknownFrameworkError: a framework is not known.
        ValueError: the combination cannot be planned.
    """
    experiments, full_lengths = _experiments(request)
    frameworks = _frameworks(request, experiments)
    trials = [
        make_trial(
            Purpose.MEASURE,
            experiment,
            adapter,
            loop,
            request,
            seed=seed,
            repeat=repeat,
            threads=threads,
        )
        for experiment, seed, repeat, threads, framework in _turns(experiments, frameworks, request)
        for adapter, loop in _loops_of(experiment, framework, request)
    ]
    if request.preset == Preset.QUICK:  # a process that is timed in float32 was never in float64
        trials.sort(key=lambda trial: trial.dtype)
    by_name = {framework.name: framework for framework in frameworks}
    return Plan(
        digest=digest_of(_identity(request, experiments, frameworks)),
        request=request,
        experiments=experiments,
        full_lengths=full_lengths,
        trials=tuple(trials),
        proofs=tuple(proofs_of(trials, experiments, by_name)),
        limits=tuple(_limits(experiments, frameworks, request)) if request.timed else (),
        frameworks=framework_table(frameworks),
    )


def framework_table(requested: Iterable[Framework]) -> dict[FrameworkKey, Framework]:
    """Return everything that trials may name: requested, installed, and native adapters."""
    identical = {**installed(), **{framework.name: framework for framework in requested}}
    return {
        **{(name, Track.IDENTICAL): framework for name, framework in identical.items()},
        **{(name, Track.NATIVE): framework for name, framework in installed(Track.NATIVE).items()},
    }


def _identity(
    request: Request, experiments: Mapping[str, Experiment], frameworks: Sequence[Framework]
) -> dict[str, Any]:
    """Everything that the digest of a plan depends on."""
    return {
        "protocol": PROTOCOL,
        "experiments": {
            name: [experiment.digest, [native.model_dump() for native in experiment.native]]
            for name, experiment in experiments.items()
        },
        "frameworks": sorted(f"{f.name} {f.module}:{f.class_name}" for f in frameworks),
        "loops": sorted(request.loops),
        "preset": request.preset,
        "seeds": request.seed_count,
        "repeats": request.repeat_count,
        "threads": one_or_all(request.threads),
        "device": request.device,
        "dtype": request.dtype,
        **({} if request.timed else {"timed": False}),
        **_kernel_choice(),
    }


# ---------------------------------------------------------------- what is requested


def _frameworks(request: Request, experiments: Mapping[str, Experiment]) -> list[Framework]:
    """The frameworks that run on at least one experiment."""
    if not request.frameworks:
        return [
            framework
            for framework in installed().values()
            if any(_takes_part(framework, name, request) for name in experiments)
        ]
    frameworks = _with_names_of_their_own([_requested(name) for name in request.frameworks])
    names = [framework.name for framework in frameworks]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"framework: {name!r} is named twice")
    return frameworks


def _requested(name: str) -> Framework:
    """An adapter, or a command: a request alone, which somebody typed, may name one."""
    return command_line.parse(name) if command_line.is_command(name) else find(name)


def _with_names_of_their_own(frameworks: Sequence[Framework]) -> list[Framework]:
    """Commands that have the same short name get the names with their paths."""
    names = [framework.name for framework in frameworks]
    return [
        f.with_paths if isinstance(f, Command) and names.count(f.name) > 1 else f
        for f in frameworks
    ]


def _takes_part(framework: Framework, experiment: str, request: Request) -> bool:
    """Whether a framework runs on an experiment, see `FIRST_FIVE`."""
    if request.preset != Preset.QUICK or request.frameworks or not is_later(framework):
        return True
    return experiment in QUICK_IN_DEPTH and not framework.missing


def is_later(framework: Framework) -> bool:
    """Whether an adapter is one of this project's own beyond the first five."""
    return framework.is_own and framework.name not in FIRST_FIVE


def _experiments(request: Request) -> tuple[dict[str, Experiment], dict[str, str]]:
    """The protocols at the length they are run, and their full lengths in words."""
    is_quick = request.preset == Preset.QUICK
    if request.experiments:
        chosen = [load(name) for name in request.experiments]
    else:
        catalogue = [load(name) for name in catalogue_names()]
        chosen = [e for e in catalogue if not is_quick or not e.quick or e.quick.part]
    experiments: dict[str, Experiment] = {}
    full_lengths = {}
    for experiment in chosen:
        if experiment.name in experiments:
            raise ValueError(f"experiment: {experiment.name!r} is named twice")
        for native in experiment.native:
            find(native.framework, Track.NATIVE)
        quick = experiment.quick if is_quick else None
        experiments[experiment.name] = experiment.of_length(quick.length if quick else None)
        length = experiment.training.length if experiment.training else ""
        full_lengths[experiment.name] = str(length)
    return experiments, full_lengths


def quick_of(framework: Framework) -> str:
    """Return where the quick preset runs a framework: `everywhere`, or the experiments' names.

    A loop that is slow to start is named where it runs on fewer experiments.
    """
    in_depth = ", ".join(QUICK_IN_DEPTH)
    if is_later(framework):
        return in_depth
    slow = framework.loops[-1] in framework.slow_to_start and len(framework.loops) > 1
    return f"everywhere; {framework.loops[-1]}: {in_depth}" if slow else "everywhere"


# ---------------------------------------------------------------- in which order


def _turns(
    experiments: Mapping[str, Experiment], frameworks: Sequence[Framework], request: Request
) -> Iterator[tuple[Experiment, int, int, int, Framework]]:
    """(experiment, seed, repeat, threads, framework): all frameworks take turns inside a block.

    Blocks are taken as ABBA, so that a drift of the machine favours nobody, and each pair of
    blocks starts with the next framework.
    """
    blocks = (
        (experiment, seed, repeat, threads)
        for experiment in experiments.values()
        for seed in range(request.seed_count)
        for repeat in range(request.repeat_count)
        for threads in request.threads
    )
    for number, (experiment, seed, repeat, threads) in enumerate(blocks):
        running = [f for f in frameworks if _takes_part(f, experiment.name, request)]
        first = number // 2 % max(len(running), 1)
        order = [*running[first:], *running[:first]]
        for framework in reversed(order) if number % 2 else order:
            yield experiment, seed, repeat, threads, framework


def _loops_of(
    experiment: Experiment, framework: Framework, request: Request
) -> list[tuple[Framework, str]]:
    """(adapter, loop) of one framework in one block, its native solvers last.

    The quick preset has native solvers only where the user names experiments or frameworks.
    """
    loops = _loops(experiment, framework, request)
    is_named = request.preset != Preset.QUICK or request.experiments or request.frameworks
    natives = experiment.native if is_named else ()  # in quick a solver would take a tenth of it
    return [
        *((framework, loop) for loop in loops),
        *(
            (find(framework.name, Track.NATIVE), native.label)
            for native in natives
            if native.framework == framework.name
        ),
    ]


def _loops(experiment: Experiment, framework: Framework, request: Request) -> list[str]:
    """Loops to run; one that was requested by name stays even where the framework lacks it.

    A command has the loop that its program has, whatever was requested.
    """
    has = framework.loops
    if "all" in request.loops or isinstance(framework, Command):
        return list(has)
    wanted = {
        _best_loop(experiment, framework, request) if loop == "best" else loop
        for loop in request.loops
    }
    is_default = request.preset == Preset.QUICK and request.loops == ("best",)
    if is_default and experiment.quick and not is_later(framework):
        wanted |= set(experiment.quick.loops) & set(has)
    return [loop for loop in Loop if loop in wanted]


def _best_loop(experiment: Experiment, framework: Framework, request: Request) -> str:
    """Return the most compiled loop; in quick one that starts fast, if there is any."""
    if request.preset == Preset.QUICK and experiment.name not in QUICK_IN_DEPTH:
        return framework.loop_that_starts_fast
    return framework.loops[-1]


# ---------------------------------------------------------------- trials beside the measured ones


def _limits(
    experiments: Mapping[str, Experiment], requested: Sequence[Framework], request: Request
) -> Iterator[Trial]:
    """The limit of the machine is the best of all installed libraries, requested or not.

    Later adapters have no libraries of their own, see `FIRST_FIVE`.
    """
    names = {framework.name for framework in requested}
    for framework in installed().values():
        if framework.name in names or framework.missing or is_later(framework):
            continue
        for experiment in experiments.values():
            if not experiment.has_measurable_products:
                continue
            for threads in request.threads:
                loop = framework.loop_that_starts_fast  # the products are the same in every loop
                yield make_trial(
                    Purpose.LIMIT, experiment, framework, loop, request, threads=threads
                )


def proofs_of(
    trials: Sequence[Trial],
    experiments: Mapping[str, Experiment],
    frameworks: Mapping[str, Framework],
) -> list[Trial]:
    """Return the proofs of every measured cell whose framework is installed.

    The order is experiment by experiment: all frameworks are compared with the same run of the
    oracle.
    """
    loops = {
        name: framework.loops for name, framework in frameworks.items() if not framework.missing
    }
    cells = dict.fromkeys(
        (trial.framework, trial.experiment, trial.loop)
        for trial in trials
        if trial.track == Track.IDENTICAL and trial.loop in loops.get(trial.framework, ())
    )
    order = list(experiments)
    timed = {trial.experiment: trial.dtype for trial in trials}
    return [
        proof
        for name, experiment, loop in sorted(cells, key=lambda cell: order.index(cell[1]))
        for proof in proof_trials(
            frameworks[name], experiments[experiment], loop, trials[0].device, timed[experiment]
        )
    ]


def proof_trials(
    framework: Framework, experiment: Experiment, loop: str, device: Device, timed: Dtype
) -> list[Trial]:
    """Return the trials that leave the traces of a loop.

    The first is in float64 where the framework has it. The second is in the precision that is
    timed, if that is another: what an adapter does in float64 it need not do in float32.
    """
    request, dtypes = Request(device=device), framework.dtypes
    dtype = Dtype.FLOAT64 if Dtype.FLOAT64 in dtypes else Dtype.FLOAT32
    short = proof_of(experiment)
    proofs = [make_trial(Purpose.PROOF, short, framework, loop, request, dtype=dtype)]
    if timed != dtype and timed in dtypes:
        short = proof_of(experiment, as_timed=True)
        purpose = Purpose.PROOF_AS_TIMED
        proofs.append(make_trial(purpose, short, framework, loop, request, dtype=timed))
    return proofs


# ---------------------------------------------------------------- one trial


def make_trial(
    purpose: Purpose,
    experiment: Experiment,
    framework: Framework,
    loop: str,
    request: Request,
    *,
    seed: int = 0,
    repeat: int = 0,
    starts: int = 1,
    dtype: Dtype | None = None,
    threads: int | None = None,
) -> Trial:
    """Return a trial, named after what it is and a digest of everything it depends on.

    Args:
        purpose: what it is for.
        experiment: its protocol, at the length it is run.
        framework: its adapter.
        loop: of the adapter; in the native track the label of the estimator.
        request: gives the device, and the precision that the protocol does not state.
        seed: of start and batches.
        repeat: which run of the seed.
        starts: of how many seeds, from `seed` on, the starts are trained at once.
        dtype: overrides the precision of protocol and request.
        threads: which of the request's numbers of threads; by default the first.
    """
    trial = Trial(
        purpose=purpose,
        experiment=experiment.name,
        framework=framework.name,
        loop=loop,
        track=framework.track,
        seed=seed,
        repeat=repeat,
        device=request.device,
        dtype=dtype or experiment.dtype or request.dtype,
        threads=request.threads[0] if threads is None else threads,
        id="",
        starts=starts,
    )
    return replace(trial, id=f"{_words(trial)}-{_state_digest(trial, framework, experiment)[:8]}")


def _words(trial: Trial) -> str:
    """The readable part of an id, such as `xor-mlp-numpy-stepwise-s0-r0`."""
    parts = [trial.experiment, trial.framework, trial.loop]
    match trial.purpose:
        case Purpose.MEASURE:
            parts += [f"s{trial.seed}", f"r{trial.repeat}"]
        case Purpose.MANY_STARTS:
            parts += ["many", f"s{trial.seed}", f"n{trial.starts}"]
        case Purpose.LIMIT:
            parts += ["limit"]
        case Purpose.PROOF_AS_TIMED:
            parts += ["proof", trial.dtype]
        case _:
            parts += ["proof"]
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)


def _state_digest(trial: Trial, framework: Framework, experiment: Experiment) -> str:
    is_native = trial.track == Track.NATIVE
    native = native_of(experiment, trial.loop).model_dump() if is_native else None
    fields = asdict(trial) | {"repeat": trial.repeat_column}
    fields.pop("starts")  # `repeat` says it, as the row does
    state: list[Any] = [fields, experiment.digest, native, framework.digest]
    state += [framework.version, PROTOCOL, *_kernel_choice().values()]
    if trial.purpose == Purpose.MEASURE and experiment.target is not None:
        state.append(experiment.target)  # `target_s` is taken while it trains
    return digest_of(state)


def _kernel_choice() -> dict[str, str]:
    """The user's own choice of BLAS kernels, which changes every time; {} where there is none."""
    chosen = os.environ.get(KERNEL_CHOICE)
    return {"kernel_choice": chosen} if chosen else {}
