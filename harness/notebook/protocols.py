"""Experiments as Python values: by name, file, dictionary, or as a changed experiment."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from harness.experiment.loading import catalogue_names, load, parse
from harness.experiment.model import Experiment
from harness.experiment.toml_text import to_toml
from harness.results import write_atomically
from harness.running.run_plan import RUNS

ExperimentLike = str | PathLike[str] | Mapping[str, Any] | Experiment
"""The name of an experiment, the path of a .toml file, a dictionary, or an experiment."""
RULE = "must be the name of an experiment, the path of a .toml file, a dictionary or an experiment"


def experiment_of(given: ExperimentLike) -> Experiment:
    """Return the experiment that a name, a file or a dictionary stands for.

    Raises:
        harness.experiment.loading.ProtocolError: there is none, or it is not valid.
        TypeError: it is none of these.
    """
    if isinstance(given, Experiment):
        return given
    if isinstance(given, Mapping):
        return parse(dict(given), "experiment", Path.cwd())
    if isinstance(given, str | PathLike):
        return load(str(given))
    raise TypeError(f"experiment: {RULE}. Got {type(given).__name__}")


def changed(base: ExperimentLike, fields: Mapping[str, Any]) -> Experiment:
    """Return an experiment with other fields.

    A table is changed field by field; one that states another `name`, or another `order`, takes
    the place of the whole table. Without a name of its own the experiment is called
    `<name of the base>-changed`.
    """
    original = experiment_of(base)
    if not fields:
        return original
    values = original.model_dump(mode="json", exclude_none=True)
    given = {"name": f"{original.name}-changed", "title": f"{original.title} (changed)", **fields}
    merged = _merged(values, given)
    if "data" in given and original.data.file is not None:
        merged["data"].pop("contents", None)  # of the file as it was selected before
    if "initializers" in given:
        for part in merged["initializers"].values():
            for initializer in part if isinstance(part, list) else [part]:
                initializer.pop("found", None)
    return parse(merged, "experiment", Path.cwd())


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, change in changes.items():
        before = merged.get(key)
        if isinstance(change, Mapping) and isinstance(before, Mapping) and _same(before, change):
            merged[key] = _merged(before, change)
        elif change is None:
            merged.pop(key, None)
        else:
            merged[key] = change
    return merged


def _same(before: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Whether a change is of fields of the same kind of table."""
    return all(change.get(tag, before.get(tag)) == before.get(tag) for tag in ("name", "order"))


def requested_name(given: ExperimentLike, runs: Path = RUNS) -> str:
    """Return what a request calls an experiment: its name, or the path of its file.

    An experiment that has neither is written to `<runs>/protocols`, so that the command can run
    it too.
    """
    if isinstance(given, str | PathLike):
        return str(given)
    experiment = experiment_of(given)
    if experiment.name in catalogue_names() and load(experiment.name) == experiment:
        return experiment.name
    file = runs / "protocols" / f"{experiment.name}-{experiment.digest[:8]}.toml"
    write_atomically(file, to_toml(experiment).encode())
    return str(file)
