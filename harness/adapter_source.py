"""Read what an adapter's source says about the adapter, without importing it.

To import an adapter is to import its framework, which takes seconds. A plan needs less: which
classes there are, which loops and precisions a class states, and which files it consists of.
"""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

from harness.experiment.vocabulary import Loop


class UnknownFrameworkError(ValueError):
    """No adapter of that name, or none that can be read. The message says what to do."""


def source_of(module: str) -> Path:
    """Return the file of a module, or of a package its `__init__.py`.

    Raises:
        UnknownFrameworkError: there is no such module, or it has no Python source.
    """
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


def files_of(module: str) -> list[Path]:
    """Return the files whose change makes an adapter another one.

    A package is all of its files. A module of a package is its own file, the helpers beside it
    (the files that state no loops), and what these mention by name, sub-folders included. To
    mention is enough: an import need not be followed. A file outside a package stands alone.
    """
    source = source_of(module)
    if source.name == "__init__.py":
        return _python_files(source.parent)
    if module.endswith(".py") or "." not in module:
        return [source]
    others = [file for file in _python_files(source.parent) if file != source]
    chosen = [source, *(f for f in others if f.parent == source.parent and not _states_loops(f))]
    while True:
        words = {word for file in chosen for word in re.findall(rb"\w+", file.read_bytes())}
        more = [f for f in others if f not in chosen and _names_of(f, source.parent) <= words]
        if not more:
            return sorted(chosen)
        chosen += more


def _python_files(folder: Path) -> list[Path]:
    """All Python files below a folder but those that an editor or a system hides there."""
    files = folder.rglob("*.py")
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _names_of(file: Path, package: Path) -> set[bytes]:
    """The names that a source must mention to import this file of its package."""
    parts = file.relative_to(package).with_suffix("").parts
    return {part.encode() for part in parts if part != "__init__"}


def _states_loops(file: Path) -> bool:
    try:
        classes = _top_classes(file.read_bytes())
    except (SyntaxError, ValueError):
        return False
    return any(stated_names(node, "loops", tuple(Loop)) for node in classes.values())


def classes_of(module: str) -> dict[str, ast.ClassDef]:
    """Return the classes at the top of a module, or of all files of a package, by name.

    Raises:
        UnknownFrameworkError: a file cannot be parsed.
    """
    source = source_of(module)
    is_package = source.name == "__init__.py"
    beside = [file for file in _python_files(source.parent) if file.parent == source.parent]
    classes: dict[str, ast.ClassDef] = {}
    for file in beside if is_package else [source]:
        try:
            classes |= _top_classes(file.read_bytes())
        except (SyntaxError, ValueError) as error:
            raise UnknownFrameworkError(f"framework: {file} cannot be read: {error}") from error
    return classes


@cache
def _top_classes(content: bytes) -> dict[str, ast.ClassDef]:
    tree = ast.parse(content)
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def stated_names(
    node: ast.ClassDef | None, attribute: str, allowed: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the literal tuple of names that a class body gives an attribute, or ()."""
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
