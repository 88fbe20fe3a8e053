"""Read what an adapter's source says about the adapter, without importing it.

To import an adapter is to import its framework, which takes seconds. A plan needs less: which
classes there are, which loops and precisions a class states, and which files it consists of.
"""

import ast
import importlib.util
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

    A package is all of its files. A module of a package is its own file and the helpers beside
    it, which are the files that state no loops; a file outside a package stands alone.
    """
    source = source_of(module)
    if source.name == "__init__.py":
        return sorted(source.parent.rglob("*.py"))
    if module.endswith(".py") or "." not in module:
        return [source]
    beside = (file for file in source.parent.glob("*.py") if file != source)
    return sorted([source, *(file for file in beside if not _states_loops(file))])


def _states_loops(file: Path) -> bool:
    try:
        classes = _top_classes(file.read_bytes())
    except SyntaxError:
        return False
    return any(stated_names(node, "loops", tuple(Loop)) for node in classes.values())


def classes_of(module: str) -> dict[str, ast.ClassDef]:
    """Return the classes at the top of a module, or of all files of a package, by name.

    Raises:
        UnknownFrameworkError: a file cannot be parsed.
    """
    source = source_of(module)
    files = source.parent.glob("*.py") if source.name == "__init__.py" else [source]
    classes: dict[str, ast.ClassDef] = {}
    for file in files:
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
