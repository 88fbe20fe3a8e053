"""`harness.run`: the same plan, folder and resuming as `samestep report`."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from harness.experiment.vocabulary import Device, Dtype, Preset
from harness.notebook import arguments
from harness.notebook.cell_adapter import requested_framework
from harness.notebook.loaded_run import LoadedRun
from harness.notebook.progress import announcer_type, console
from harness.notebook.protocols import ExperimentLike, requested_name
from harness.plan import Request
from harness.report.trial_durations import patience_s
from harness.run import load_run
from harness.running.run_plan import RUNS, plan_request, run_plan


def run(
    experiments: ExperimentLike | Sequence[ExperimentLike],
    frameworks: Any,
    *,
    loops: str | Sequence[str],
    preset: str,
    seeds: int | None,
    repeats: int | None,
    threads: int | str | Sequence[int | str],
    device: str,
    dtype: str,
    timed: bool,
    timeout_s: float | str | None,
    folder: str | PathLike[str] | None,
    fresh: bool,
    progress: bool,
) -> LoadedRun:
    """Do what `harness.run` promises."""
    runs = RUNS if folder is None else arguments.folder("folder", folder).parent
    named = arguments.one_or_more("experiments", experiments)
    chosen = () if frameworks is None else arguments.one_or_more("frameworks", frameworks)
    request = Request(
        experiments=tuple(requested_name(each, runs) for each in named),
        frameworks=tuple(requested_framework(each, runs) for each in chosen),
        loops=arguments.loops(loops),
        preset=arguments.word("preset", preset, Preset),
        seeds=arguments.count("seeds", seeds, 10_000),
        repeats=arguments.count("repeats", repeats, 1_000),
        threads=arguments.threads(threads),
        device=arguments.word("device", device, Device),
        dtype=arguments.word("dtype", dtype, Dtype),
        timed=timed,
    )
    limit = None if timeout_s == "auto" else arguments.timeout_s(timeout_s)  # type: ignore[arg-type]
    plan = plan_request(request)
    if timeout_s == "auto":
        limit = patience_s(plan)
    path = RUNS / plan.digest if folder is None else arguments.folder("folder", folder)
    run_plan(
        plan,
        path,
        limit,
        fresh,
        console(progress),
        timed=timed,
        announcer_type=announcer_type(),
    )
    return LoadedRun(load_run(path, plan))
