"""Read what an adapter's source says about the adapter, without importing it.

To import an adapter is to import its framework, which takes seconds. A plan needs less: which
classes there are, which loops and precisions a class states, and which files it consists of.
"""

import ast
import importlib.util
import itertools
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import all_suffixes
from pathlib import Path

from harness.experiment.text_files import how_to_save
from harness.experiment.vocabulary import Loop

OWN_PACKAGE = Path(__file__).parent
SITE_FOLDERS = ("site-packages", "dist-packages")
"""Names of folders in which everything that is installed lies beside everything."""
BY_ANOTHER_WAY = {
    "__import__",
    "exec",
    "exec_module",
    "import_module",
    "iter_modules",
    "run_module",
    "run_path",
    "SourceFileLoader",
    "spec_from_file_location",
    "walk_packages",
}
"""Functions that may import files which no import statement names."""
SEARCH_PATHS = {"sys.path", "sys.meta_path", "sys.path_hooks"}
FILES_AT_MOST = 5_000
"""So many modules below a folder count, where no statement says which."""


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
    mention is enough: an import need not be followed. A file outside a package is that file and
    what it imports from its folder (see `files_beside`).
    """
    source = source_of(module)
    if source.name == "__init__.py":
        return _python_files(source.parent)
    if module.endswith(".py") or "." not in module:
        return files_beside(source)
    others = [file for file in _python_files(source.parent) if file != source]
    chosen = [source, *(f for f in others if f.parent == source.parent and not _states_loops(f))]
    while True:
        words = {word for file in chosen for word in re.findall(rb"\w+", file.read_bytes())}
        more = [f for f in others if f not in chosen and _names_of(f, source.parent) <= words]
        if not more:
            return sorted(chosen)
        chosen += more


# ---------------------------------------------------------------- a file and what lies beside it


def files_beside(source: Path) -> list[Path]:
    """Return a file and all that it imports from its folder, directly or by way of another file.

    An import counts wherever it stands, in a function too. A folder that is imported from counts
    with all of its modules. A source that can import without a statement, such as by `importlib`
    or by a change of `sys.path`, counts with all modules below the folder.
    """
    folder = source.parent
    if folder.name in SITE_FOLDERS or folder.resolve() == Path(sysconfig.get_path("stdlib")):
        return [source]
    chosen, todo = {source}, [source]
    while todo:
        file = todo.pop()
        names = _imported(file, folder) if file.suffix == ".py" else set()
        if names is None:
            found = set(itertools.islice(_modules_below(folder), FILES_AT_MOST))
        else:
            found = set(_modules(folder, names))
        more = found - chosen
        chosen |= more
        todo += more
    return sorted(chosen)


def _imported(file: Path, folder: Path) -> set[str] | None:
    """First parts of the modules that a source imports; None where no statement may say so."""
    try:
        tree = _parsed(file.read_bytes())
    except (SyntaxError, ValueError):
        return None
    inside = file.parent.relative_to(folder).parts[:1]
    names, used = set(inside), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            first = (node.module or "").partition(".")[0]
            imported = {alias.name for alias in node.names}
            names |= {first} if first else imported
            used |= imported
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used |= {node.attr, ast.unparse(node)}
    return None if used & (BY_ANOTHER_WAY | SEARCH_PATHS) else names


def _modules(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """The files by which a folder has these modules, a package with all of its modules."""
    for name in set(names) - sys.stdlib_module_names - {OWN_PACKAGE.name}:
        for suffix in all_suffixes():
            if (folder / f"{name}{suffix}").is_file():
                yield folder / f"{name}{suffix}"
        if (folder / name).is_dir():
            yield from _modules_below(folder / name)


def _modules_below(folder: Path) -> Iterator[Path]:
    """All modules in a folder and below it, but not below hidden or virtual environments."""
    if folder.resolve() == OWN_PACKAGE or (folder / "pyvenv.cfg").exists():
        return
    try:
        children = sorted(folder.iterdir())
    except OSError:  # what cannot be read cannot be imported
        return
    for child in children:
        if child.name.startswith(".") or child.name == "__pycache__" or child.is_symlink():
            continue
        if child.is_dir():
            yield from _modules_below(child)
        elif child.is_file() and child.name.endswith(tuple(all_suffixes())):
            yield child


def imported_packages(source: Path) -> tuple[str, ...]:
    """Return the packages that an adapter imports, by the name of the import, in order.

    A file outside a package imports by way of the files beside it, too. What lies beside the file,
    its own package, samestep and the standard library are left out, but for `ctypes`, by which a
    file calls what Python does not know.

    Args:
        source: the adapter's file.
    """
    own = _package_of(source)
    files = [source] if own else [source, *files_beside(source)]
    names = [name for file in files if file.suffix == ".py" for name in _absolute_imports(file)]
    return tuple(
        name
        for name in dict.fromkeys(names)
        if name not in (sys.stdlib_module_names - {"ctypes"}) | {OWN_PACKAGE.name, own}
        and not any(_modules(source.parent, [name]))
    )


def _package_of(source: Path) -> str:
    """The name of the outermost package that a file belongs to; empty for a file outside any."""
    name, folder = "", source.parent
    while (folder / "__init__.py").exists():
        name, folder = folder.name, folder.parent
    return name


def _absolute_imports(file: Path) -> Iterator[str]:
    """First parts of the modules that a file's statements import, in order."""
    try:
        tree = _parsed(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


# ---------------------------------------------------------------- a package


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


# ---------------------------------------------------------------- classes and what they state


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
        content = file.read_bytes()
        try:
            classes |= _top_classes(content)
        except (SyntaxError, ValueError) as error:
            problem = _not_utf8(content) or f"cannot be read: {error}"
            raise UnknownFrameworkError(f"framework: {file} {problem}") from error
    return classes


def _not_utf8(content: bytes) -> str:
    """What to do with a source in another encoding that it does not state; else empty."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return how_to_save(content, error.start)
    return ""


@cache
def _top_classes(content: bytes) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in _parsed(content).body if isinstance(node, ast.ClassDef)}


@cache
def _parsed(content: bytes) -> ast.Module:
    """Parse a source as Python reads it: a byte-order mark and a stated encoding are obeyed."""
    return ast.parse(importlib.util.decode_source(content))


def stated_names(
    node: ast.ClassDef | None, attribute: str, allowed: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the literal tuple of names that a class body gives an attribute, or ()."""
    value = _stated(node, attribute)
    return () if value is None or _problem(value, allowed) else tuple(ast.literal_eval(value))


def problem_with(node: ast.ClassDef, attribute: str, allowed: tuple[str, ...]) -> str:
    """Return what is wrong with the names that a class body gives an attribute.

    Returns:
        A part of a sentence; empty where the names are right or there are none.
    """
    value = _stated(node, attribute)
    problem = "" if value is None else _problem(value, allowed)
    return f"{attribute} of class {node.name!r} {problem}" if problem else ""


def _stated(node: ast.ClassDef | None, attribute: str) -> ast.expr | None:
    """The expression that a class body gives an attribute."""
    for statement in node.body if node else ():
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            return value
    return None


def _problem(value: ast.expr, allowed: tuple[str, ...]) -> str:
    """What a tuple of names lacks to be one; empty where nothing."""
    try:
        names = ast.literal_eval(value)
    except ValueError:
        return f"must be a tuple of literal strings. Got {ast.unparse(value)}"
    if isinstance(names, str):
        return f"must be a tuple: write ({names!r},) with a comma. Got the string {names!r}"
    if not isinstance(names, tuple | list) or not names:
        return f"must be a tuple of one or more names. Got {names!r}"
    strange = [name for name in names if name not in allowed]
    if strange:
        return f"must be names out of {', '.join(allowed)}. Got {strange[0]!r}"
    return ""
