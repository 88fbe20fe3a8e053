"""What must be the same on all machines of a run, and how two of them differ, in words."""

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.__version__ import __version__
from harness.clock.environment import KERNEL_CHOICE
from harness.experiment.vocabulary import Track
from harness.registry import Framework

ABSENT = "not installed"


def environment_of(frameworks: Iterable[Framework]) -> dict[str, str]:
    """Return names and versions of everything that rows of one run must share."""
    environment = {
        "samestep": __version__,
        "source of samestep": _source_digest(),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": _version("numpy"),
        "distributed": _version("distributed"),
        KERNEL_CHOICE: os.environ.get(KERNEL_CHOICE, "not set"),
    }
    for framework in frameworks:
        of_track = f" ({framework.track})" if framework.track != Track.IDENTICAL else ""
        environment[framework.name] = framework.version or ABSENT
        environment[f"adapter {framework.name}{of_track}"] = _adapter_digest(framework)
    return environment


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """Return what differs, such as `torch 2.13.0 here, 2.12.1 there`."""
    return [
        f"{name} {here.get(name, ABSENT)} here, {there.get(name, ABSENT)} there"
        for name in dict.fromkeys([*here, *there])
        if here.get(name) != there.get(name)
    ]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ABSENT


def _adapter_digest(framework: Framework) -> str:
    try:
        return framework.digest
    except (OSError, ValueError):  # a file that only one machine has
        return ABSENT


@cache
def _source_digest() -> str:
    """Return 16 hexadecimal digits over the source of this package."""
    package = Path(__file__).parents[1]
    hasher = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        hasher.update(str(source.relative_to(package)).encode() + source.read_bytes())
    return hasher.hexdigest()[:16]
