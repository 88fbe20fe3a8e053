"""The files that a table is made of: one, or others with the targets and the test rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from harness.tables import ARRAY_SUFFIXES, TARGET_SUFFIXES, files
from harness.tables.errors import TableError, listed
from harness.tables.joining import with_target, with_test_rows
from harness.tables.table import Table, TextFormat

PARTNERS = (
    ("images", "labels"),
    ("X", "y"),
    ("x", "y"),
    ("inputs", "targets"),
    ("inputs", "labels"),
    ("features", "targets"),
    ("features", "labels"),
    ("data", "labels"),
    ("data", "target"),
)
"""What stands in the name of a file of inputs, and in that of its targets."""


@dataclass(frozen=True)
class Source:
    """Where a table comes from.

    Args:
        file: the table, or the inputs of it.
        target: a file of one column, the targets: absolute, or relative to the folder of `file`.
            "" where the targets are a column of `file`.
        test_file: a file of test rows with the columns of `file`.
        test_target: the targets of `test_file`: absolute, or relative to its folder; "" where they
            are a column of it.
        form: how the files are written, if they are text.
    """

    file: Path
    target: str = ""
    test_file: Path | None = None
    test_target: str = ""
    form: TextFormat = field(default_factory=TextFormat)


def is_target_file(target: str) -> bool:
    """Whether a target names a file of its own rather than a column: its ending decides."""
    return target.lower().endswith(TARGET_SUFFIXES)


def read(source: Source) -> Table:
    """Return the table of one or several files.

    Another call for the same unchanged files returns the same table.

    Raises:
        TableError: a file cannot be read, is no table, or does not fit to the others.
    """
    if source.target and source.test_file and not source.test_target:
        raise TableError(
            f"test_target: name the file with the targets of {source.test_file.name}, as target "
            "does with those of the training rows"
        )
    if source.test_target and not (source.target and source.test_file):
        raise TableError(
            "test_target: only where test_file and a target of its own file, such as "
            'target = "y.npy", are stated too'
        )
    return _read(source, tuple(map(_state, _paths(source))))


def _paths(source: Source) -> Iterator[Path]:
    yield source.file
    if source.target:
        yield source.file.parent / source.target
    if source.test_file:
        yield source.test_file
        if source.test_target:
            yield source.test_file.parent / source.test_target


def _state(path: Path) -> tuple[int, int] | None:
    """Return when a file was changed and its size; None where it is not there."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=2)
def _read(source: Source, states: tuple[tuple[int, int] | None, ...]) -> Table:
    """Read the files as they were at that time."""
    table = _with_its_target(source.file, source.target, source.target, source.form)
    if source.test_file is None:
        return table
    if source.test_file.absolute() == source.file.absolute():
        raise TableError("test_file: must be another file than the one with the training rows")
    test = _with_its_target(source.test_file, source.test_target, source.target, source.form)
    return with_test_rows(table, test)


def _with_its_target(file: Path, target: str, name: str, form: TextFormat) -> Table:
    table = files.read(file, form)
    if not target:
        return table
    path = file.parent / target
    if not path.is_file():
        names = [entry.name for entry in sorted(file.parent.iterdir()) if entry != file]
        near = [name for name in names if is_target_file(name)]
        raise TableError(
            f"target: {target!r} names a file beside {file.name}, by its ending, and there is none"
            + (f". There are {listed(near)}" if near else "")
        )
    return with_target(table, files.read(path, form), name)


def likely_target(file: Path) -> str:
    """Return the file beside an array that by its name has the targets; "" where there is none."""
    if not file.name.lower().endswith(ARRAY_SUFFIXES):
        return ""
    for of_inputs, of_targets in PARTNERS:
        word = rf"(?<![A-Za-z]){of_inputs}(?![A-Za-z])"
        name = re.sub(word, of_targets, file.name, count=1).replace("idx3", "idx1")
        if name != file.name and (file.parent / name).is_file():
            return name
    return ""
