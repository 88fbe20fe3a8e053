"""Rows as a pandas table, read from a run's folder or from an export of it.

`harness.load_results` is `read`. The columns are those of `harness.report.row_export`.
"""

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from harness.report.row_export import DERIVED, FORMULA_STARTS, records
from harness.results import COLUMNS, SCHEMA, Row, RunFolder, clean
from harness.run import Run, load_run

RULE = "`path` must be a run's folder (it holds plan.json), or its results as .csv or .json"
WHAT_TO_DO = "Give the folder or the file that `samestep report` said it wrote."
NUMBERS = {int: "Int64", int | None: "Int64", float: "Float64", float | None: "Float64"}
DTYPES = {name: NUMBERS.get(kind, "string") for name, kind in typing.get_type_hints(Row).items()}
DTYPES |= {name: "Float64" if name.endswith("fraction") else "string" for name in DERIVED}
REQUIRED = [f.name for f in dataclasses.fields(Row) if f.default is dataclasses.MISSING]
"""Columns that every export has; later ones may be missing from an older file."""


def read(path: str | PathLike[str]) -> pd.DataFrame:
    """Do what `harness.load_results` promises."""
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"{RULE}. Got {str(place)!r}, which is not there. {WHAT_TO_DO}")
    try:
        if place.is_dir():
            return _folder(place)
        match place.suffix:
            case ".csv":
                return _csv(place)
            case ".json":
                return _json(place)
        raise ValueError("its name ends otherwise")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{RULE}. Got {str(place)!r}: {error}. {WHAT_TO_DO}") from error


def _folder(place: Path) -> pd.DataFrame:
    if not RunFolder(place).plan_file.is_file():
        raise ValueError("it holds no plan.json")
    return table_of(load_run(place))


def table_of(run: Run) -> pd.DataFrame:
    """Return the rows of a run as a table, in the dtypes of `harness.load_results`."""
    rows = records(run)
    columns = {name: [clean(row[name]) for row in rows] for name in DTYPES}
    return _table(columns, len(rows), run.plan.digest)


def _json(place: Path) -> pd.DataFrame:
    value = json.loads(place.read_text(encoding="utf-8"))
    rows = value.get("rows") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it has no list of rows")
    _check_schema([value.get("schema")])
    _check_columns(set(COLUMNS).intersection(*rows))
    columns = {name: [clean(row.get(name)) for row in rows] for name in DTYPES}
    return _table(columns, len(rows), str(value.get("run", "")))


def _csv(place: Path) -> pd.DataFrame:
    # all as text, and only an empty cell is missing: a detail may well read "None"
    text = pd.read_csv(place, dtype=str, keep_default_na=False)
    _check_columns(text.columns)
    _check_schema(text["schema"].unique())
    columns: dict[str, Sequence[Any]] = {}
    for name, dtype in DTYPES.items():
        cells = [cell or None for cell in text[name]] if name in text else [None] * len(text)
        columns[name] = [_unquoted(cell) for cell in cells] if dtype == "string" else cells
    return _table(columns, len(text), None)


def _unquoted(cell: str | None) -> str | None:
    """Return text without the apostrophe that keeps a spreadsheet from running it."""
    starts = cell is not None and cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS)
    return cell[1:] if cell is not None and starts else cell


def _check_columns(names: Iterable[str]) -> None:
    missing = [name for name in REQUIRED if name not in set(names)]
    if missing:
        raise ValueError(f"it has no column {missing[0]!r}, so it is no export of samestep")


def _check_schema(schemas: Iterable[Any]) -> None:
    for schema in schemas:
        if str(schema) != str(SCHEMA):
            raise ValueError(f"schema {schema!r}; this version reads {SCHEMA}")


def _table(columns: Mapping[str, Sequence[Any]], rows: int, plan: str | None) -> pd.DataFrame:
    """Return the columns in their dtypes, in the export's order. An empty text is missing."""
    series = {}
    for name, values in columns.items():
        dtype: Any = DTYPES[name]
        read = {"Int64": int, "Float64": float}.get(dtype, str)
        try:  # through text, so that 1.5 and true are not read as whole numbers
            cells = [None if value in (None, "") else read(str(value)) for value in values]
            series[name] = pd.Series(cells, dtype=dtype, index=range(rows))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"column {name!r}: {error}") from error
    table = pd.DataFrame(series)
    runs, machines = (sorted(set(table[name].dropna())) for name in ("run", "machine"))
    table.attrs |= {"plan": "; ".join(runs) if plan is None else plan}
    table.attrs |= {"machine": "; ".join(machines)}
    return table
