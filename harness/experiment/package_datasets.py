"""Datasets of other packages, found by their entry points in the group `samestep.datasets`.

An entry point is a function without arguments that returns arrays by name:

- `inputs`: (rows, ...) numbers; rows of more than one dimension are flattened, the last index
  changing fastest. At most 2 GiB.
- `targets`: (rows,) classes, text or numbers, or (rows, outputs) values; may be left out.
- `test_inputs`, `test_targets`: test rows of the dataset's own, for the split `given`; optional.
- `kind`: `classes`, `binary` or `values`, as in `[data]` of a file; to be stated for whole numbers.

It runs when a protocol that names the dataset is read, and what it returned is kept in the run's
folder: workers neither call it nor need the package.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from harness.experiment.datasets import DATASETS

if TYPE_CHECKING:
    from harness.tables.selection import Selection
    from harness.tables.table import Table

GROUP = "samestep.datasets"
ARRAYS = ("inputs", "targets", "test_inputs", "test_targets")
KINDS = ("classes", "binary", "values")
LARGEST_BYTES = 2**31


def entered() -> dict[str, metadata.EntryPoint]:
    """Return the datasets of other packages by name. samestep's own names count first."""
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return {point.name: point for point in points if point.name not in DATASETS}


def owner(point: metadata.EntryPoint) -> str:
    """Return the package of a dataset and its version, `flowers 1.0`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


@cache
def read(name: str) -> tuple["Selection", str, str]:
    """Call the function of a dataset; return what it gives, its SHA-256, and where it is from.

    Raises:
        harness.tables.TableError: the package fails, or what it returns is no dataset.
    """
    from harness.tables import TableError
    from harness.tables.selection import Choices, select

    point = entered()[name]
    try:
        returned = point.load()()
    except Exception as error:  # whatever another package raises
        raise TableError(
            f"{name}: the package {owner(point)} cannot give it: {point.value} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    try:
        arrays, kind = _checked(returned)
        table = _table(name, arrays)
        target = ("targets",) if "targets" in arrays else ()
        selected = select(table, Choices(target=target, kind=kind))
    except TableError as error:
        text = str(error)
        where = text if text.startswith(name) else f"{name}: {text}"
        raise TableError(f"{where} (given by {owner(point)}, {point.value})") from error
    return selected, table.sha256, f"of the package {owner(point)}"


def _checked(returned: Any) -> tuple[dict[str, Any], Any]:
    """Return arrays by name, and the kind of the targets.

    Raises:
        harness.tables.TableError: something is missing, unknown, too large or of a wrong type.
    """
    import numpy as np

    from harness.tables import TableError
    from harness.tables.arrays import KINDS as OF_ARRAYS

    if not isinstance(returned, Mapping):
        raise TableError(f"must return a dict of arrays. Got {type(returned).__name__}")
    unknown = [str(key) for key in returned if key not in (*ARRAYS, "kind")]
    if unknown:
        raise TableError(f"{unknown[0]!r} is not known. Known: {', '.join((*ARRAYS, 'kind'))}")
    if "inputs" not in returned:
        raise TableError("'inputs' is missing")
    for test, needed in (("test_inputs", "inputs"), ("test_targets", "targets")):
        if (test in returned) != ("test_inputs" in returned and needed in returned):
            raise TableError(f"{test!r} must be there where test rows and {needed!r} are")
    kind = returned.get("kind")
    if kind not in (None, *KINDS):
        raise TableError(f"kind must be {', '.join(KINDS)}. Got {kind!r}")
    arrays = {name: np.asarray(returned[name]) for name in ARRAYS if name in returned}
    for name, array in arrays.items():
        if array.dtype.kind not in OF_ARRAYS:
            raise TableError(f"{name!r} must hold numbers, booleans or text. Got {array.dtype}")
        if array.ndim < 1 or not array.size:
            raise TableError(f"{name!r} must have a row per example. Got the shape {array.shape}")
    total = sum(array.nbytes for array in arrays.values())
    if total > LARGEST_BYTES:
        raise TableError(f"its arrays have {total:,} bytes; at most {LARGEST_BYTES:,} are taken")
    for name in ("targets", "test_targets"):
        inputs = arrays[name.replace("targets", "inputs")] if name in arrays else ()
        if name in arrays and len(arrays[name]) != len(inputs):
            raise TableError(
                f"{name!r} must have a row for each of the {len(inputs):,} rows of its inputs. "
                f"Got {len(arrays[name]):,}"
            )
    return arrays, kind


def _table(name: str, arrays: dict[str, Any]) -> "Table":
    """Return the arrays as a table; its SHA-256 is over their types, shapes and bytes."""
    from dataclasses import replace

    import numpy as np

    from harness.tables.joining import with_test_rows
    from harness.tables.table import Column, Table

    hasher = hashlib.sha256()
    for array_name, array in arrays.items():
        hasher.update(f"{array_name}{array.dtype.str}{array.shape}".encode())
        hasher.update(np.ascontiguousarray(array).tobytes())

    def part(prefix: str, said: str) -> Table:
        columns = {
            column: Column(column, arrays[prefix + column])
            for column in ("inputs", "targets")
            if prefix + column in arrays
        }
        return Table(f"{name}{said}", "", columns, "arrays", "array")

    table = part("", "")
    if "test_inputs" in arrays:
        table = with_test_rows(table, part("test_", " (test rows)"))
    return replace(table, sha256=hasher.hexdigest())
