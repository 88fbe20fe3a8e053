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
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Literal
from urllib.parse import unquote

from harness.experiment.names import unknown

Track = Literal["identical", "native"]
GROUPS: dict[Track, str] = {
    "identical": "samestep.trainers",
    "native": "samestep.native_trainers",
}
LOOPS = ("idiomatic", "stepwise", "fused")
DTYPES = ("float32", "float64")
SHOWN_FIRST = ("numpy", "sklearn", "keras", "torch", "jax")
"""Order of our own adapters in plans and tables; others follow by name."""


BROKEN: dict[str, str] = {}
"""Entered adapters that cannot be described, with the reason."""


class UnknownFrameworkError(ValueError):
    """No adapter of that name, or none that can be read. The message says what to do."""


@dataclass(frozen=True)
class Framework:
    """One adapter, described from outside.

    Args:
        name: as in the `framework` column.
        track: `identical` or `native`.
        module: module name, or path of a Python file.
        class_name: the trainer's class; "" for a file's only trainer.
        requirements: packages (distribution names) it needs; the first one names its version.
        distribution: what to install with the extra `name`; "" where that is not known.
        loops: slowest first; empty in the native track.
        dtypes: precisions it has.
    """

    name: str
    track: Track
    module: str
    class_name: str
    requirements: tuple[str, ...]
    distribution: str
    loops: tuple[str, ...]
    dtypes: tuple[str, ...] = DTYPES

    @property
    def version(self) -> str:
        """`3.15.1 (tensorflow 2.21.0)`; "" where a package is missing or none is stated."""
        versions = [(name, _version(name)) for name in self.requirements]
        if not versions or any(version is None for _, version in versions):
            return ""
        others = ", ".join(f"{name} {version}" for name, version in versions[1:])
        return f"{versions[0][1]} ({others})" if others else str(versions[0][1])

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages it needs that are not installed."""
        return tuple(name for name in self.requirements if _version(name) is None)

    @property
    def install_line(self) -> str:
        """The command that installs what is missing."""
        if not self.distribution:
            return f"python -m pip install {' '.join(self.missing)}"
        return f"python -m pip install {_install_target(self.distribution, self.name)}"

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over the adapter's source: see `_own_sources`."""
        hasher = hashlib.sha256()
        for content in _own_sources(self.module):
            hasher.update(content)
        return hasher.hexdigest()[:16]

    def load(self) -> type:
        """Import the adapter, and with it its framework."""
        module = _import(self.module)
        loaded = getattr(module, self.class_name)
        if not isinstance(loaded, type):
            raise UnknownFrameworkError(f"{self.module}:{self.class_name} is not a class")
        return loaded


@cache
def installed(track: Track = "identical") -> dict[str, Framework]:
    """All frameworks entered in the group of a track, by name; of two of one name, ours."""
    points = sorted(
        metadata.entry_points(group=GROUPS[track]),
        key=lambda point: (_owner(point) != "samestep", _place(point.name), point.name),
    )
    found: dict[str, Framework] = {}
    for point in points:
        # anybody's package may be entered here, and looking at it may run its code
        try:
            found.setdefault(point.name, _from_entry_point(point, track))
        except Exception as error:
            BROKEN[point.name] = f"{_owner(point)} {point.value}: {error}"
    return found


def _place(name: str) -> int:
    return SHOWN_FIRST.index(name) if name in SHOWN_FIRST else len(SHOWN_FIRST)


def find(name: str, track: Track = "identical") -> Framework:
    """The framework of that name, `module:Class`, or path of a file.

    Raises:
        UnknownFrameworkError: with the known names and the nearest one.
    """
    if name in installed(track):
        return installed(track)[name]
    if name in BROKEN:
        raise UnknownFrameworkError(f"framework: {name} is broken: {BROKEN[name]}")
    if name.endswith(".py"):
        return _from_file(Path(name), track)
    if re.fullmatch(r"[\w.]+:\w+", name):
        module, _, class_name = name.partition(":")
        return _described(name.replace(":", "."), track, module, class_name, (), "")
    on_it = [f.name for f in installed(track).values() if name in f.requirements]
    hint = f". The adapter on {name} is {on_it[0]!r}" if on_it else ""
    raise UnknownFrameworkError(f"framework: {unknown(name, installed(track))}{hint}")


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
    return _described(path.stem, track, str(path.resolve()), "", (), "")


def _described(
    name: str,
    track: Track,
    module: str,
    class_name: str,
    requirements: tuple[str, ...],
    distribution: str,
) -> Framework:
    classes = _classes(_source(module))
    if not class_name:
        candidates = [name for name, node in classes.items() if _literal(node, "loops", LOOPS)]
        if len(candidates) != 1:
            raise UnknownFrameworkError(
                f"framework: {module} must have one class with `loops = (…)`. "
                f"Got {len(candidates)}; name it with module:Class"
            )
        class_name = candidates[0]
    node = classes.get(class_name)
    loops = _literal(node, "loops", LOOPS)
    if track == "identical" and not loops:
        raise UnknownFrameworkError(
            f"framework {name}: class {class_name!r} must state `loops = (…)` in its body, with "
            f"names out of {', '.join(LOOPS)}"
        )
    dtypes = _literal(node, "dtypes", DTYPES) or DTYPES
    return Framework(name, track, module, class_name, requirements, distribution, loops, dtypes)


def _source(module: str) -> Path:
    """The file of a module; for a package, its `__init__.py`."""
    if module.endswith(".py"):
        return Path(module)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not str(spec.origin).endswith(".py"):
        raise UnknownFrameworkError(
            f"framework: no Python source of a module {module!r} is installed"
        )
    return Path(str(spec.origin))


def _own_sources(module: str) -> list[bytes]:
    """The module's file, all files where it is a package, and what it imports of its own package.

    What those import in turn is among them, so that a helper's change is seen too.
    """
    source = _source(module)
    if source.name == "__init__.py":
        return [file.read_bytes() for file in sorted(source.parent.rglob("*.py"))]
    found = {module: source}
    waiting = [module]
    while waiting:
        importer = waiting.pop()
        for name in _imported(importer, found[importer]):
            if name not in found:
                try:
                    found[name] = _source(name)
                except UnknownFrameworkError:
                    continue  # a class or function, not a module
                waiting.append(name)
    return [found[name].read_bytes() for name in sorted(found)]


def _imported(module: str, source: Path) -> list[str]:
    """What a module may import of its own top-level package, by its source alone."""
    package, dot, _ = module.partition(".")
    if not dot or module.endswith(".py"):
        return []
    place = module.split(".") if source.name == "__init__.py" else module.split(".")[:-1]
    names = []
    for level, base, inner in _imports(source.read_bytes()):
        parts = [*(place[: len(place) - level + 1] if level else []), *filter(None, [base])]
        whole = ".".join([*parts, *inner])
        dots = [index for index, sign in enumerate(whole) if sign == "."]
        names += [*(whole[:index] for index in dots), whole]  # with the packages it is in
    return [name for name in dict.fromkeys(names) if f"{name}.".startswith(f"{package}.")]


@cache
def _imports(content: bytes) -> tuple[tuple[int, str | None, tuple[str, ...]], ...]:
    """(dots, module, name in it) of every import in a source."""
    found: list[tuple[int, str | None, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, node.module, (alias.name,)) for alias in node.names]
    return tuple(found)


def _classes(source: Path) -> dict[str, ast.ClassDef]:
    """The classes at the top of a file, or of all files of a package, by name."""
    files = source.parent.glob("*.py") if source.name == "__init__.py" else [source]
    found: dict[str, ast.ClassDef] = {}
    for file in files:
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            raise UnknownFrameworkError(f"framework: {file} cannot be read: {error}") from error
        found |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return found


def _literal(
    node: ast.ClassDef | None, attribute: str, allowed: tuple[str, ...]
) -> tuple[str, ...]:
    """The literal tuple of names that a class body gives an attribute; () where it does not."""
    for statement in node.body if node else ():
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            try:
                names = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            except ValueError:
                return ()
            if isinstance(names, tuple | list) and all(name in allowed for name in names):
                return tuple(names)
    return ()


def _requirements(distribution: str, extra: str) -> tuple[str, ...]:
    """Distribution names that the extra asks for, in the order it states them."""
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
    """Its version; that of a variant (`tensorflow-cpu`) which brings the module of its name."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        module = distribution.replace("-", "_")
        if importlib.util.find_spec(module) is None:
            return None
    variants = metadata.packages_distributions().get(module, ())
    return metadata.version(variants[0]) if variants else None


def _install_target(distribution: str, extra: str) -> str:
    """`"samestep[torch]"`, or `-e "/path/to/clone[torch]"` where it was installed from one."""
    described = metadata.distribution(distribution).read_text("direct_url.json")
    place = json.loads(described) if described else {}
    url = place.get("url", "")
    if url.startswith("file://") and "dir_info" in place:
        editable = "-e " if place["dir_info"].get("editable") else ""
        return f'{editable}"{unquote(url.removeprefix("file://"))}[{extra}]"'
    return f'"{distribution}[{extra}]"'


def _import(module: str) -> ModuleType:
    if not module.endswith(".py"):
        return importlib.import_module(module)
    name = f"samestep_adapter_{Path(module).stem}"
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise UnknownFrameworkError(f"framework: {module} cannot be imported")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded
