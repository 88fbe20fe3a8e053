"""A class in a cell as an adapter: its source, and that of all it uses, becomes a file.

Workers are processes of their own, and import an adapter from a file. So the source of the class
is looked up, and with it what it uses of the notebook: imports, functions, classes and constants.
What has no source, such as an array, cannot go with it, and is named in the refusal.
"""

import ast
import builtins
import dis
import importlib
import inspect
import linecache
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from harness.adapter_source import OWN_PACKAGE, SITE_FOLDERS
from harness.experiment.vocabulary import Loop, Track
from harness.registry import installed
from harness.results import write_atomically
from harness.running.run_plan import RUNS
from harness.trainer import StepTrainer

RULE = (
    "must be names, adapter files, module:Class, commands, or classes that derive from StepTrainer"
)
LONGEST_LITERAL = 10_000
"""Characters of a constant that goes into an adapter's file."""
FIRST_LINE = "# Written by harness.run from a class in a notebook or script. Changes are lost."
INSTEAD = "Write the adapter to a file of its own, and give the path of the file"


class NoSourceError(ValueError):
    """An adapter cannot be made of a class: what it uses has no source. The message says what."""


def requested_framework(given: Any, runs: Path = RUNS) -> str:
    """Return what a request calls a framework: a name, `module:Class`, a file's path, a command.

    A class that stands in a notebook or a script is written to `<runs>/adapters`.

    Args:
        given: a name, a path or a class.
        runs: the folder of runs.

    Raises:
        TypeError: it is none of these, or the class is no adapter.
        NoSourceError: the class uses something whose source cannot be told.
    """
    if isinstance(given, str | PathLike):
        return str(given)
    if not isinstance(given, type):
        what = "a function" if callable(given) else f"{type(given).__name__} {given!r}"
        raise TypeError(f"frameworks: {RULE}. Got {what}")
    _check_class(given)
    for name, framework in installed(Track.IDENTICAL).items():
        is_inside = f"{given.__module__}.".startswith(f"{framework.module}.")
        if is_inside and framework.class_name == given.__qualname__:
            return name
    if given.__module__ != "__main__":
        return _in_a_module(given)
    if given.__name__ in installed(Track.IDENTICAL):
        raise TypeError(
            f"frameworks: class {given.__name__} has the name of an installed adapter. Call it "
            "another name"
        )
    file = runs / "adapters" / f"{given.__name__}.py"
    write_atomically(file, adapter_source(given).encode())
    return str(file)


def _check_class(adapter: type) -> None:
    name = adapter.__name__
    if not issubclass(adapter, StepTrainer):
        raise TypeError(
            f"frameworks: class {name} must derive from harness.trainer.StepTrainer, which says "
            "what an adapter has. It does not"
        )
    lacking = sorted(getattr(adapter, "__abstractmethods__", ()))
    if lacking:
        raise TypeError(f"frameworks: class {name} lacks the methods {', '.join(lacking)}")
    if "loops" not in vars(adapter):
        raise TypeError(
            f"frameworks: class {name} must state `loops = (...)` in its own body, with names out "
            f"of {', '.join(Loop)}. It does not"
        )
    if "<locals>" in adapter.__qualname__:
        raise NoSourceError(
            f"frameworks: class {name} is defined inside a function, whose variables a worker does "
            "not have. Define it at the top of a cell"
        )
    if getattr(sys.modules.get(adapter.__module__), name, None) is not adapter:
        raise NoSourceError(
            f"frameworks: class {name} is not what the name {name} stands for now, or was not made "
            "by a `class` statement, so its source is not known. Define it again"
        )


def _in_a_module(adapter: type) -> str:
    """`module:Class` where workers find the module, else the path of its file."""
    module = sys.modules[adapter.__module__]
    if _is_found_by_workers(module):
        return f"{adapter.__module__}:{adapter.__name__}"
    return str(module.__file__)


def _is_found_by_workers(module: ModuleType) -> bool:
    """Whether a worker imports the module: it is installed, or of Python, or of this project."""
    if module.__name__.partition(".")[0] in sys.stdlib_module_names:
        return True
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if file is None:
        return True  # built in
    path = Path(file).resolve()
    project = (OWN_PACKAGE, OWN_PACKAGE.parent / "implementations")
    places = (*project, Path(sysconfig.get_path("stdlib")))
    return any(part in SITE_FOLDERS for part in path.parts) or any(map(path.is_relative_to, places))


# ---------------------------------------------------------------- the source of an adapter


def adapter_source(adapter: type) -> str:
    """Return the text of a file that has a class, and all that the class uses.

    Raises:
        NoSourceError: something that it uses has no source.
    """
    collector = _Collector(adapter.__name__)
    collector.add(adapter.__name__, adapter)
    parts = ["from __future__ import annotations", *sorted(collector.imports)]
    return "\n".join([FIRST_LINE, "", *parts, *collector.definitions]) + "\n"


class _Collector:
    """Collects source, what is used before what uses it.

    Attributes:
        imports: import statements.
        definitions: constants, functions and classes, in order.
    """

    def __init__(self, adapter: str) -> None:
        self.adapter = adapter
        self.imports: set[str] = set()
        self.definitions: list[str] = []
        self._seen: set[str] = set()

    def add(self, name: str, value: Any) -> None:
        """Add what a name of the notebook stands for, and what that uses.

        Raises:
            NoSourceError: it has no source.
        """
        if name in self._seen:
            return
        self._seen.add(name)
        if isinstance(value, ModuleType):
            self._add_module(name, value)
        elif isinstance(value, type | FunctionType) and value.__module__ == "__main__":
            self._add_definition(name, value)
        elif (statement := _import_of(name, value)) is not None:
            self.imports.add(statement)
        else:
            self.definitions += ["", "", f"{name} = {self._literal(name, value)}"]

    def _add_module(self, name: str, module: ModuleType) -> None:
        if not _is_found_by_workers(module):
            raise self._refusal(
                f"the module {module.__name__!r} ({Path(str(module.__file__)).name}), which lies "
                "beside the notebook and is not installed",
                "Write the adapter to a file beside it, and give the path of the file",
            )
        path = module.__name__
        self.imports.add(f"import {path}" if path == name else f"import {path} as {name}")

    def _add_definition(self, name: str, value: type | FunctionType) -> None:
        if value.__name__ == "<lambda>":
            raise self._refusal(f"{name}, a lambda", f"Write it as `def {name}(...):`")
        if value.__name__ != name:
            raise self._refusal(
                f"{name}, another name of {value.__name__}", f"Call it {value.__name__}"
            )
        closed_over = getattr(value, "__closure__", None)
        if closed_over or "<locals>" in value.__qualname__:
            raise self._refusal(
                f"{name}, which is defined inside a function and uses variables of it",
                "Define it at the top of a cell",
            )
        if name != self.adapter and "loops" in vars(value):
            raise self._refusal(
                f"{name}, which states loops too, so that there are two adapters",
                f"Leave `loops` out of {name}",
            )
        source = _source_of(value)
        if source is None:
            raise self._refusal(f"{name}, whose source is not known", INSTEAD)
        namespace = _namespace_of(value)
        for used in _global_names(source):
            if used in namespace and used != name:
                self.add(used, namespace[used])
            elif used != name and not hasattr(builtins, used):
                raise self._refusal(f"{used}, which is not defined", f"Define {used} in a cell")
        self.definitions += ["", "", source.rstrip()]

    def _literal(self, name: str, value: Any) -> str:
        """A constant as source."""
        text = repr(value)
        try:
            is_literal = len(text) <= LONGEST_LITERAL and bool(ast.literal_eval(text) == value)
        except (ValueError, SyntaxError, TypeError):
            is_literal = False
        if not is_literal:
            raise self._refusal(
                f"{name}, of type {type(value).__name__}, which has no source",
                f"Make {name} inside the class, or write the adapter to a file of its own",
            )
        return text

    def _refusal(self, what: str, instead: str) -> NoSourceError:
        return NoSourceError(
            f"frameworks: class {self.adapter} uses {what}. A worker is a process of its own and "
            f"gets the source alone. {instead}"
        )


def _import_of(name: str, value: Any) -> str | None:
    """The import statement that gives a value; None where there is none."""
    for module in dict.fromkeys((getattr(value, "__module__", None), type(value).__module__)):
        attribute = getattr(value, "__name__", None)
        if not isinstance(module, str) or not isinstance(attribute, str) or module == "__main__":
            continue
        public = module.partition("._")[0]  # numpy._core.numeric gives what numpy gives
        for place in dict.fromkeys((public, module)):
            try:
                found = getattr(importlib.import_module(place), attribute, None)
            except ImportError:
                continue
            if found is value and _is_found_by_workers(sys.modules[place]):
                renamed = "" if attribute == name else f" as {name}"
                return f"from {place} import {attribute}{renamed}"
    return None


def _source_of(value: type | FunctionType) -> str | None:
    """The source of a function or class with its decorators; None where no file or cell has it."""
    if isinstance(value, FunctionType):
        try:
            return inspect.cleandoc("\n" + inspect.getsource(inspect.unwrap(value)))
        except (OSError, TypeError):
            return None
    for code in _codes_of(value):
        text = "".join(linecache.getlines(code.co_filename))
        for node in _classes(text, value.__name__):
            lines = text.splitlines()
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= code.co_firstlineno <= int(node.end_lineno or 0):
                return "\n".join(lines[first - 1 : node.end_lineno])
    return None


def _classes(text: str, name: str) -> Iterator[ast.ClassDef]:
    """The definitions of a class at the top of a cell or file. Magics of IPython are no Python."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        try:
            body = ast.parse(re.sub(r"(?m)^[%!].*$", "pass", text)).body
        except SyntaxError:
            return
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield node


def _codes_of(value: type) -> Iterator[CodeType]:
    for member in vars(value).values():
        function = inspect.unwrap(getattr(member, "__func__", member))
        if isinstance(function, FunctionType):
            yield function.__code__


def _namespace_of(value: type | FunctionType) -> Mapping[str, Any]:
    if isinstance(value, FunctionType):
        return value.__globals__
    return vars(sys.modules[value.__module__])


def _global_names(source: str) -> list[str]:
    """The names that a source takes from outside, in order; annotations need none."""
    whole = compile(f"from __future__ import annotations\n{source}", "<adapter>", "exec")
    names: dict[str, None] = {}
    todo = [whole]
    while todo:
        code = todo.pop(0)
        instructions = list(dis.get_instructions(code))
        own = {i.argval for i in instructions if i.opname == "STORE_NAME"}
        for instruction in instructions:
            if instruction.opname == "LOAD_GLOBAL" or (
                instruction.opname == "LOAD_NAME" and instruction.argval not in own
            ):
                names[instruction.argval] = None
        todo += [const for const in code.co_consts if isinstance(const, CodeType)]
    return [name for name in names if name not in ("__name__", "annotations")]
