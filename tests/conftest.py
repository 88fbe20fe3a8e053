"""Shared fixtures, and how tests are spread over processes: `README.md` here says it in words.

Nothing here touches the user's cache or results.
"""

import os
import signal

# A shell that starts the suite in the background lets it, and all it starts, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One BLAS thread: on a busy machine two can be twenty times slower. Set before NumPy loads.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import contextlib
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from harness import cli
from harness.clock.environment import available_cpus
from harness.data import prepared
from harness.experiment.loading import CATALOGUE, parse
from harness.experiment.model import Experiment
from harness.parity import rounding, trace
from harness.registry import installed
from harness.report.page import chart_library

# A busy machine is no fault, and what fails once must fail again.
hypothesis.settings.register_profile("samestep", deadline=None, derandomize=True)
hypothesis.settings.load_profile("samestep")

COMPILING = ("keras", "jax")
"""Frameworks whose tests mostly compile; each has one process, which keeps what it compiled."""
BRIEF = ("tensorflow", "keras-jax", "keras-torch", "flax")
"""Adapters on a framework that another adapter tests at length. They have few tests by default,
and of the full product the covering set."""
BACKENDS = {"keras": "tensorflow", "keras-jax": "jax", "keras-torch": "torch"}
"""The backend of Keras that adapters need. A process has one: `KERAS_BACKEND`."""
SHARED_GROUPS = {"tensorflow": "keras", "keras-jax": "jax", "flax": "jax"}
"""Frameworks that are tested in another's process: they share its compiled programs."""
LONGEST_FIRST = ("processes", "more processes", "keras", "jax")
"""Groups that take a minute or two."""
PROCESSES_AT_MOST = 4
"""Each may import every framework and then takes 2 GB."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes share the tests; 0 is this one, which is enough for a few files."""
    groups_are_lost = pytest.version_tuple >= (9, 2) and metadata.version("pytest-xdist") == "3.8.0"
    only_folders = all(Path(argument).is_dir() for argument in config.args)
    if groups_are_lost or not only_folders:
        return 0
    return min(PROCESSES_AT_MOST, available_cpus() + 1)  # one waits for its workers, mostly


def pytest_configure(config: pytest.Config) -> None:
    """Let TensorFlow and JAX keep compiled programs in pytest's cache, or for this session.

    XLA finds a program by its whole text, so a changed adapter is compiled again. Workers of the
    harness do not inherit these variables, so the times of trials include the compiler.
    """
    if hasattr(config, "workerinput") or "JAX_COMPILATION_CACHE_DIR" in os.environ:  # inherited
        return
    if config.pluginmanager.hasplugin("cacheprovider"):
        folder = config.cache.mkdir("compiled") / _compilers()
    else:
        temporary = tempfile.TemporaryDirectory()
        config.add_cleanup(temporary.cleanup)
        folder = Path(temporary.name)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "jax")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    os.environ["TF_XLA_FLAGS"] = (
        f"--tf_xla_persistent_cache_directory={folder / 'tensorflow'} "
        "--tf_xla_persistent_cache_device_types=CPU"
    )


def _compilers() -> str:
    """Return a name for what machine code depends on: versions and the CPU's instructions."""
    facts = [platform.processor()]
    for name in ("tensorflow", "jaxlib"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            facts.append(metadata.version(name))
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        facts += sorted({line for line in lines if line.startswith(("flags", "Features"))})
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that share something costly into one process, the longest groups first."""
    for item in items:
        group = _group_of(item)
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_place_in_line)


def _place_in_line(item: pytest.Item) -> int:
    """Groups are handed out in order, and a long one that begins last ends alone."""
    marker = item.get_closest_marker("xdist_group")
    group = marker.args[0] if marker else ""
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def _group_of(item: pytest.Item) -> str | None:
    """Return the framework that a test is for, where that compiles, or its file of pages."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    for value in parameters:
        if isinstance(value, str) and value in (*COMPILING, *SHARED_GROUPS):
            return SHARED_GROUPS.get(value, value)
    return item.path.stem if item.path.parent.name == "report" else None


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of our own, and no folder of the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SAMESTEP_CACHE", str(folder))
    monkeypatch.delenv("SAMESTEP_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    _forget_data()
    yield folder
    _forget_data()


def _forget_data() -> None:
    """Forget what was computed from the files of another cache."""
    for function in (
        prepared.load,
        trace.predicted_rows,
        trace.expected_trace,
        rounding.first_allowances,
        rounding.expected_in,
        rounding.rounding_tolerances,
        rounding._reruns,
    ):
        function.cache_clear()


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


def has_another_backend(name: str) -> bool:
    """Whether an adapter needs a process of its own: Keras runs on another backend in this one."""
    return BACKENDS.get(name, os.environ["KERAS_BACKEND"]) != os.environ["KERAS_BACKEND"]


def skip_without(name: str) -> None:
    """Skip a test that needs a framework where it is not installed, or not in this process."""
    framework = installed()[name]
    if has_another_backend(name):
        pytest.skip(f"{name} needs a process with KERAS_BACKEND={BACKENDS[name]}")
    if framework.missing:
        pytest.skip(f"{name} is not installed: {framework.install_line}")


@pytest.fixture
def variant() -> Callable[..., Experiment]:
    """Makes a catalogue experiment with changed fields."""

    def make(base: str = "digits-mlp", /, **changes: Any) -> Experiment:
        return parse(protocol(base, **changes), "test")

    return make


@pytest.fixture(scope="session")
def page_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the charts' library, which takes two seconds to make."""
    folder = tmp_path_factory.mktemp("page-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMESTEP_CACHE", str(folder))
        chart_library.chart_library()
    return folder


@pytest.fixture
def charts(cache: Path, page_cache: Path) -> None:
    """The charts' library in the test's own cache, where it can be made."""
    if (page_cache / "page").exists():
        shutil.copytree(page_cache / "page", cache / "page")


@pytest.fixture
def invoke(charts: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run the command in this process, in a folder of its own: `invoke("list", "frameworks")`.

    A test that trains or checks starts workers, and belongs to the group `processes`.
    """
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}  # it takes them
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 1)  # a busy machine must not matter here

    def run(*arguments: object, **environment: str) -> Result:
        texts = [str(argument) for argument in arguments]
        return CliRunner().invoke(cli.app, texts, env=environment, catch_exceptions=False)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def samestep(tmp_path: Path, charts: None) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a process of its own: `samestep("list", "frameworks", NO_COLOR="1")`.

    It takes a second to start; what is not about the process itself is tested by `invoke`.
    """

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=os.environ | {"COLUMNS": "200"} | environment,
        )

    return run
