"""A run to TensorBoard runs: which folder, which events, what is left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import data
from harness.data.fetching import DataMissingError
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Status, Track
from harness.plan import Trial
from harness.report.tensorboard.curves import StoredCurves, layer_outputs
from harness.results import WHOLE_PARAMETERS_BELOW, Row, histogram
from harness.run import Run
from harness.trainer import Array

if TYPE_CHECKING:
    from harness.report.tensorboard.events import Events

SCALAR_POINTS = 1_000
HISTOGRAM_POINTS = 100
"""A longer curve is thinned evenly to this many points, with its first and last."""
OUTPUT_ROWS = 1_000
"""Layer outputs are computed on at most this many training rows."""
LONGEST_NAME = 64


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        runs: folders, one per trial.
        left_out: what is missing in them and why, in sentences.
    """

    runs: tuple[Path, ...]
    left_out: tuple[str, ...]


def write(directory: Path, run: Run) -> Written:
    """Write one TensorBoard run per row that has a result, in place of an earlier one.

    Args:
        directory: TensorBoard's `--logdir`, which need not exist.
        run: whose trials are written.

    Raises:
        ModuleNotFoundError: tensorboardX is not installed.
        OSError: `directory` cannot be written.
    """
    from harness.report.tensorboard.events import Events

    names = run_names(run.plan.trials)
    trials = {trial.id: trial for trial in run.plan.trials}
    done = [row for row in run.rows if row.status == Status.OK and row.trial in trials]
    left_out: dict[str, None] = {}
    if len(done) < len(trials):
        left_out[f"{len(trials) - len(done)} of {len(trials)} trials, which have no result"] = None
    for row in done:
        experiment = run.plan.experiments[trials[row.trial].experiment]
        curves, events = StoredCurves(run.arrays(row.trial)), Events(_started(row))
        events.graph(experiment)
        events.hyperparameters(_hyperparameters(row, experiment))
        _add_scalars(events, row, curves)
        _add_parameters(events, curves, len(experiment.network.layers))
        if reason := _add_outputs(events, row, experiment, curves):
            left_out[f"layer outputs of {experiment.name}: {reason}"] = None
        events.write(directory / names[row.trial])
    return Written(tuple(directory / names[row.trial] for row in done), tuple(left_out))


def run_names(trials: Sequence[Trial]) -> dict[str, Path]:
    """Return the folder of each trial's run, by trial id, relative to the directory.

    No name leads outside: other signs than letters, digits, `_`, `.` and `-` are replaced, and no
    name starts with a dot. Names that become equal get the digest of their trial.
    """
    folders: dict[str, Path] = {}
    taken: set[str] = set()
    for trial in trials:
        repeat = f"-r{trial.repeat_column}" if trial.repeat_column else ""
        name = f"{_safe(trial.framework)}-{_safe(trial.loop)}-s{trial.seed}{repeat}"
        path = Path(_safe(trial.experiment), name)
        if str(path).lower() in taken:
            path = path.with_name(f"{name}-{trial.id[-8:]}")
        taken.add(str(path).lower())
        folders[trial.id] = path
    return folders


def _safe(name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
    return safe[:LONGEST_NAME].rstrip("-.") or "unnamed"


def _thinned(count: int, most: int) -> list[int]:
    """Return at most `most` numbers below `count`, evenly, with the first and the last."""
    if count <= most:
        return list(range(count))
    return [int(number) for number in np.linspace(0, count - 1, most).round()]


def _add_scalars(events: "Events", row: Row, curves: StoredCurves) -> None:
    for tag, steps, values in curves.scalars(row):
        for point in _thinned(len(values), SCALAR_POINTS):
            if np.isfinite(values[point]):
                step = int(steps[point])
                events.scalar(tag, float(values[point]), step, curves.time_at(step))


def _add_parameters(events: "Events", curves: StoredCurves, layers: int) -> None:
    """Add histograms of weights and biases: of the whole arrays, or as they were stored."""
    names = [(n, letter) for n in range(1, layers + 1) for letter in ("W", "b")]
    for number, letter in names:
        tag = f"{'weights' if letter == 'W' else 'biases'}/layer_{number}"
        whole = curves.at_points(f"{letter}{number}")
        stored = curves.histograms(f"{letter}{number}")
        for point in _thinned(len(curves.steps), HISTOGRAM_POINTS):
            if whole is not None:
                _add_histogram(events, tag, whole[point], curves, point)
            elif stored is not None:
                at = int(curves.steps[point]), float(curves.train_s[point])
                events.histogram(tag, stored[0][point], stored[1][point], *at)


def _add_histogram(
    events: "Events", tag: str, values: Array, curves: StoredCurves, point: int
) -> None:
    finite = np.asarray(values, np.float64)[np.isfinite(values)]
    if finite.size:
        counts, edges = histogram(finite)
        at = int(curves.steps[point]), float(curves.train_s[point])
        events.histogram(tag, counts, edges, *at)


def _add_outputs(
    events: "Events", row: Row, experiment: Experiment, curves: StoredCurves
) -> str | None:
    """Add the outputs of every layer on training rows, or return why they are left out."""
    network = experiment.network
    if len(curves.steps) == 0:
        return None
    if curves.parameters_at(0, network) is None:
        return (
            f"they are computed from whole parameters, which are stored below "
            f"{WHOLE_PARAMETERS_BELOW:,} of them; {network} has {network.parameter_count:,}"
        )
    try:
        prepared = data.load(experiment.data, experiment.loss, row.dtype)
    except DataMissingError as error:
        return f"the data is not on this machine ({str(error).splitlines()[0]})"
    if row.data_digest not in (None, prepared.digest):
        return "the data on this machine is not what the run was trained on"
    inputs = prepared.train.inputs[:OUTPUT_ROWS]
    for point in _thinned(len(curves.steps), HISTOGRAM_POINTS):
        parameters = curves.parameters_at(point, network) or ()
        for number, outputs in enumerate(layer_outputs(experiment, parameters, inputs), 1):
            _add_histogram(events, f"outputs/layer_{number}", outputs, curves, point)
    return None


def _hyperparameters(row: Row, experiment: Experiment) -> dict[str, str | float]:
    """Return the trial's settings. A library's own solver has no optimizer of the protocol."""
    values: dict[str, str | float] = {
        "framework": row.framework,
        "loop": row.loop,
        "seed": float(row.seed),
        "repeat": float(row.repeat),
        "dtype": row.dtype,
        "device": row.device,
        "network": str(experiment.network),
    }
    training = experiment.training
    if training is not None and row.track == Track.IDENTICAL:
        values["optimizer"] = training.optimizer.name
        values["learning_rate"] = float(training.optimizer.learning_rate)
        values["batch_size"] = float(experiment.batch_size)
    return values


def _started(row: Row) -> float:
    """Return seconds since 1970; 0 where the row has no time that can be read."""
    try:
        began = datetime.fromisoformat(row.started_at or "")
        return max(0.0, (began if began.tzinfo else began.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0.0
