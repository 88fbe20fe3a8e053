"""Rows with their derived columns, as CSV and JSON."""

import dataclasses
import json
from typing import Any

import pandas as pd

from harness.analysis.limits import fractions_of_limits, machine_limits_us
from harness.analysis.noise import disturbances
from harness.results import COLUMNS, SCHEMA, clean
from harness.run import Run

DERIVED = ("parity", "parity_detail", "gemm_fraction", "own_gemm_fraction", "noise")
"""Columns that are computed on reading, not stored."""
FORMULA_STARTS = tuple("=+-@\t\r")
"""A spreadsheet runs text that starts with one of these. CSV has an apostrophe before it."""
WHOLE_NUMBERS = ["steps", "samples", "seed", "repeat", "threads", "schema", "protocol"]


def records(run: Run) -> list[dict[str, Any]]:
    """Return every row as a dictionary of all public columns."""
    disturbed = disturbances(run.rows)
    limits_us = machine_limits_us([*run.rows, *run.limits])
    result = []
    for row in run.rows:
        judgement = run.judgement_of(row)
        shares = fractions_of_limits(row, limits_us)
        derived = {
            "parity": judgement.verdict,
            "parity_detail": judgement.reason or None,
            "gemm_fraction": shares.of_machine,
            "own_gemm_fraction": shares.of_own,
            "noise": f"noisy: {disturbed[row.trial]}" if row.trial in disturbed else None,
        }
        result.append(dataclasses.asdict(row) | derived)
    return result


def as_csv(run: Run) -> str:
    table = pd.DataFrame(records(run), columns=[*COLUMNS, *DERIVED])
    table[WHOLE_NUMBERS] = table[WHOLE_NUMBERS].astype("Int64")
    for column in table.columns[table.dtypes.map(pd.api.types.is_string_dtype)]:
        table[column] = table[column].map(_inert)
    return str(table.to_csv(index=False))


def _inert(value: object) -> object:
    """Return text so that a spreadsheet does not run it as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def as_json(run: Run) -> str:
    value = {"schema": SCHEMA, "run": run.plan.digest, "rows": clean(records(run))}
    return json.dumps(value, indent=1, allow_nan=False) + "\n"
