"""Framework name to adapter, without importing either.

A framework is known by its entry point in the group `samestep.trainers` (this project's own
adapters are entered there like anybody else's), by `module:Class`, or by the path of a Python
file with one trainer in it. The extra of the same name in the same distribution says which
packages it needs; the source of the class says which loops it has.
"""

import ast
import hashlib
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

from harness.adapter_source import (
    SITE_FOLDERS,
    UnknownFrameworkError,
    classes_of,
    files_of,
    imported_packages,
    problem_with,
    source_of,
    stated_names,
)
from harness.experiment.names import meant
from harness.experiment.text_files import place_of
from harness.experiment.vocabulary import COMMAND, Dtype, Loop, Track
from harness.private import without_home

__all__ = ["BROKEN", "GROUPS", "Framework", "UnknownFrameworkError", "find", "installed"]

GROUPS = {Track.IDENTICAL: "samestep.trainers", Track.NATIVE: "samestep.native_trainers"}
LOOPS: tuple[str, ...] = tuple(Loop)
DTYPES: tuple[str, ...] = tuple(Dtype)
LISTED_FIRST = (
    "numpy", "sklearn", "tensorflow", "keras", "keras-jax", "keras-torch", "torch", "jax", "flax",
)  # fmt: skip
"""Order of our own adapters in plans and tables; others follow by name."""

OWN_DISTRIBUTION = "samestep"
STATED = {"loops": LOOPS, "dtypes": DTYPES, "slow_to_start": LOOPS}
"""Attributes that are read from the source of a class, and the names that each may have."""

BROKEN: dict[str, str] = {}
"""Entered adapters that cannot be described, with the reason."""


@dataclass(frozen=True)
class Framework:
    """One adapter, described from outside.

    Args:
        name: as in the `framework` column.
        track: `identical` or `native`.
        module: module name, or path of a Python file.
        class_name: the trainer's class; "" for a file's only trainer.
        requirements: packages it needs, by distribution; the first one names its version. Of an
            adapter that is not entered: the installed packages that it imports, NumPy only where
            there is no other.
        distribution: what to install with the extra `name`; "" where that is not known.
        loops: slowest first; empty in the native track.
        dtypes: precisions it has.
        slow_to_start: loops whose first step takes long, see `harness.trainer.StepTrainer`.
    """

    name: str
    track: Track
    module: str
    class_name: str
    requirements: tuple[str, ...]
    distribution: str
    loops: tuple[str, ...]
    dtypes: tuple[str, ...] = DTYPES
    slow_to_start: tuple[str, ...] = ()

    @property
    def loop_that_starts_fast(self) -> str:
        """The most compiled loop of those that start fast, or of all where none does."""
        fast = [loop for loop in self.loops if loop not in self.slow_to_start]
        return (fast or self.loops)[-1]

    @property
    def is_own(self) -> bool:
        """Whether this project's own package has the adapter."""
        return self.distribution == OWN_DISTRIBUTION

    @property
    def version(self) -> str:
        """`3.15.1 (tensorflow 2.21.0)`; "" where a package is missing or none is stated.

        An adapter that is not entered has a name of its own, so all its packages are named:
        `paddle 3.0.0`.
        """
        versions = [(name, _version(name)) for name in self.requirements]
        if not versions or any(version is None for _, version in versions):
            return ""
        if not self.distribution:
            return ", ".join(f"{name} {version}" for name, version in versions)
        others = ", ".join(f"{name} {version}" for name, version in versions[1:])
        return f"{versions[0][1]} ({others})" if others else str(versions[0][1])

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages it needs that are not installed."""
        return tuple(name for name in self.requirements if _version(name) is None)

    @property
    def why_missing(self) -> str:
        """What is not here, and what to do."""
        return f"{', '.join(self.missing)} not installed; {self.install_line}"

    @property
    def install_line(self) -> str:
        """The command that installs what is missing."""
        if not self.distribution:
            return f"python -m pip install {' '.join(self.missing)}"
        return f"python -m pip install {_install_target(self.distribution, self.name)}"

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits over the adapter's source files, read once."""
        hasher = hashlib.sha256()
        for file in self.files:
            hasher.update(file.read_bytes())
        return hasher.hexdigest()[:16]

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The adapter's source files: its own, and what it uses of its package or folder."""
        return tuple(files_of(self.module))

    @property
    def folder(self) -> Path:
        """The folder of the adapter's source."""
        return source_of(self.module).parent

    def load(self) -> type:
        """Import the adapter, and with it its framework."""
        module = _import(self.module)
        loaded = getattr(module, self.class_name)
        if not isinstance(loaded, type):
            raise UnknownFrameworkError(f"{self.module}:{self.class_name} is not a class")
        return loaded


@cache
def installed(track: Track = Track.IDENTICAL) -> dict[str, Framework]:
    """Return all frameworks entered in the group of a track, by name.

    Where two have the same name, the one of this project counts.
    """
    points = sorted(
        metadata.entry_points(group=GROUPS[track]),
        key=lambda point: (_owner(point) != OWN_DISTRIBUTION, _place(point.name), point.name),
    )
    frameworks: dict[str, Framework] = {}
    for point in points:
        # anybody's package may be entered here, and looking at it may run its code
        try:
            frameworks.setdefault(point.name, _from_entry_point(point, track))
        except Exception as error:
            BROKEN[point.name] = f"{_owner(point)} {point.value}: {error}"
    return frameworks


def _place(name: str) -> int:
    return LISTED_FIRST.index(name) if name in LISTED_FIRST else len(LISTED_FIRST)


def find(name: str, track: Track = Track.IDENTICAL) -> Framework:
    """Return the framework of that name, `module:Class`, or path of a file.

    Raises:
        UnknownFrameworkError: no such framework; the message has the known names and the nearest.
    """
    if name in installed(track):
        return installed(track)[name]
    if name.startswith(COMMAND):
        raise UnknownFrameworkError(
            f"framework: {name!r} is a command. Commands are run only where somebody types them: "
            "`samestep report --frameworks`, `samestep check` and `harness.run`"
        )
    if name in BROKEN:
        raise UnknownFrameworkError(f"framework: {name} is broken: {BROKEN[name]}")
    if name.endswith(".py"):
        return _from_file(place_of(name), track)
    if re.fullmatch(r"[\w.]+:\w+", name):
        module, _, class_name = name.partition(":")
        packages = _installed_imports(source_of(module))
        return _described(name.replace(":", "."), track, module, class_name, packages, "")
    known = list(installed(track))
    advice = meant(name, known, "frameworks") or _elsewhere(name, track)
    raise UnknownFrameworkError(
        f"framework: {name!r} is not known.{advice} Known: {', '.join(known)}"
    )


def _elsewhere(name: str, track: Track) -> str:
    """Where a name leads that is like no framework's: to an adapter on it, or to writing one."""
    on_it = [f.name for f in installed(track).values() if name in f.requirements]
    if on_it:
        return f" The adapter on {name} is {on_it[0]!r}."
    return " To add a framework, begin with `samestep new-adapter NAME`."


def _from_entry_point(point: metadata.EntryPoint, track: Track) -> Framework:
    owner = _owner(point)
    requirements = _requirements(owner, point.name)
    return _described(point.name, track, point.module, point.attr, requirements, owner)


def _owner(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _from_file(path: Path, track: Track) -> Framework:
    if not path.is_file():
        raise UnknownFrameworkError(f"framework: {path} is not a file")
    if path.stem in installed(track):
        raise UnknownFrameworkError(
            f"framework: {path}: {path.stem!r} is the name of an installed adapter; rename the file"
        )
    packages = _installed_imports(path)
    return _described(path.stem, track, str(path.resolve()), "", packages, "")


def _installed_imports(source: Path) -> tuple[str, ...]:
    """The packages that an adapter imports and that are installed; NumPy where there is no other.

    Every adapter imports NumPy, so it says nothing about a framework.
    """
    named = [name for name in imported_packages(source) if _version(name)]
    return tuple(name for name in named if name != "numpy") or tuple(named)


def _described(
    name: str,
    track: Track,
    module: str,
    class_name: str,
    requirements: tuple[str, ...],
    distribution: str,
) -> Framework:
    classes = classes_of(module)
    class_name = class_name or _only_trainer(module, classes)
    node = classes.get(class_name)
    if node is not None:
        for attribute, allowed in STATED.items():
            problem = problem_with(node, attribute, allowed)
            if problem:
                raise UnknownFrameworkError(f"framework {name}: {problem}")
    loops = stated_names(node, "loops", LOOPS)
    if track == Track.IDENTICAL and not loops:
        able = [each for each, other in classes.items() if stated_names(other, "loops", LOOPS)]
        known = f". {module} has {', '.join(able)}" if node is None and able else ""
        raise UnknownFrameworkError(
            f"framework {name}: class {class_name!r} must state `loops = (…)` in its body, with "
            f"names out of {', '.join(LOOPS)}{known}"
        )
    dtypes = stated_names(node, "dtypes", DTYPES) or DTYPES
    slow = stated_names(node, "slow_to_start", LOOPS)
    return Framework(
        name, track, module, class_name, requirements, distribution, loops, dtypes, slow
    )


def _only_trainer(module: str, classes: Mapping[str, ast.ClassDef]) -> str:
    """The name of the one class that states loops.

    Raises:
        UnknownFrameworkError: no class does, more than one, or one does it wrongly.
    """
    candidates = [name for name, node in classes.items() if stated_names(node, "loops", LOOPS)]
    if len(candidates) == 1:
        return candidates[0]
    problems = filter(None, (problem_with(node, "loops", LOOPS) for node in classes.values()))
    problem = "" if candidates else next(problems, "")
    if problem:
        raise UnknownFrameworkError(f"framework: {module}: {problem}")
    got = f"Got {len(candidates)}; name it with module:Class"
    if not candidates:
        got = "It has no class" if not classes else f"None of {', '.join(classes)} states them"
    raise UnknownFrameworkError(
        f"framework: {module} must have one class with `loops = (…)` in its body, with names out "
        f"of {', '.join(LOOPS)}. {got}"
    )


def _requirements(distribution: str, extra: str) -> tuple[str, ...]:
    """Distribution names that the extra requires, in the order of its statement."""
    names = []
    for line in (metadata.requires(distribution) if distribution else None) or ():
        requirement, _, marker = line.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker):
            match = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
            if match:
                names.append(match[1])
    return tuple(names)


@cache
def _version(distribution: str) -> str | None:
    """The version, or that of a variant (`tensorflow-cpu`) which brings the same module."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        module = distribution.replace("-", "_")
        if importlib.util.find_spec(module) is None:
            return None
    variants = metadata.packages_distributions().get(module, ())
    return metadata.version(variants[0]) if variants else None


def _install_target(distribution: str, extra: str) -> str:
    """`"samestep[torch]"`, or `-e ~/"clone[torch]"` where it was installed from one."""
    described = metadata.distribution(distribution).read_text("direct_url.json")
    place = json.loads(described) if described else {}
    url = place.get("url", "")
    if url.startswith("file://") and "dir_info" in place:
        editable = "-e " if place["dir_info"].get("editable") else ""
        path = without_home(unquote(url.removeprefix("file://")))
        home, rest = ("~/", path[2:]) if path.startswith("~/") else ("", path)
        return f'{editable}{home}"{rest}[{extra}]"'  # a shell knows `~` outside of quotes only
    return f'"{distribution}[{extra}]"'


def _import(module: str) -> ModuleType:
    if not module.endswith(".py"):
        return importlib.import_module(module)
    _let_import_from(Path(module).parent)
    name = f"samestep_adapter_{Path(module).stem}"
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise UnknownFrameworkError(f"framework: {module} cannot be imported")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def _let_import_from(folder: Path) -> None:
    """Let a file import what lies beside it, as Python does for a script.

    The standard library comes first, so that a file called `random.py` harms nobody, and
    installed packages come last.
    """
    entry = str(folder.resolve())
    if entry in sys.path:
        return
    is_site = [Path(each).name in SITE_FOLDERS for each in sys.path]
    sys.path.insert(is_site.index(True) if True in is_site else len(sys.path), entry)
