"""Shared fixtures. Nothing here touches the user's cache or results."""

import os

# One BLAS thread: on a busy machine two can be twenty times slower. Set before NumPy loads.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from harness.data import prepared
from harness.experiment.loading import CATALOGUE, parse
from harness.experiment.model import Experiment
from harness.registry import installed

hypothesis.settings.register_profile("samestep", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("samestep")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of our own, and no folder of the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SAMESTEP_CACHE", str(folder))
    monkeypatch.delenv("SAMESTEP_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    prepared.load.cache_clear()
    yield folder
    prepared.load.cache_clear()


def protocol(base: str = "digits-mlp", /, **changes: Any) -> dict[str, Any]:
    """A catalogue protocol as a dictionary; `a__b=value` changes a nested field."""
    import tomllib

    values = tomllib.loads((CATALOGUE / f"{base}.toml").read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = values
        for parent in parents:
            inner = inner[parent]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return values


def skip_without(name: str) -> None:
    """Skip a test that needs a framework where it is not installed."""
    framework = installed()[name]
    if framework.missing:
        pytest.skip(f"{name} is not installed: {framework.install_line}")


@pytest.fixture
def variant() -> Callable[..., Experiment]:
    """Makes a catalogue experiment with changed fields."""

    def make(base: str = "digits-mlp", /, **changes: Any) -> Experiment:
        return parse(protocol(base, **changes), "test")

    return make


@pytest.fixture
def samestep(tmp_path: Path, cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a folder of its own: `samestep("list", "frameworks", NO_COLOR="1")`."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"COLUMNS": "200"} | environment,
        )  # fmt: skip

    return run
