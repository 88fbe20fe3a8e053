"""How close a step comes to its matrix products alone. Pure functions of rows.

`gemm_us` is the time that all matrix products of one step take, and nothing else, in the
framework's own routine, in the process and the conditions of the trial. Own limit: that time
over the step's. Machine's limit: the smallest such time of any installed library, for the same
products, device, precision and threads, over the step's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.results import Row


@dataclass(frozen=True)
class Fractions:
    """Shares of a limit, 1 at the limit; None where it was not measured."""

    of_machine: float | None
    of_own: float | None


def machine_limits_us(rows: Iterable[Row]) -> dict[tuple[object, ...], float]:
    """The fastest products of every (experiment, device, dtype, threads, machine)."""
    best: dict[tuple[object, ...], float] = {}
    for row in rows:
        if row.gemm_us:
            key = _key(row)
            best[key] = min(best.get(key, row.gemm_us), row.gemm_us)
    return best


def fractions(row: Row, limits_us: dict[tuple[object, ...], float]) -> Fractions:
    """Both fractions of one row."""
    if not row.step_us:
        return Fractions(None, None)
    machine_us = limits_us.get(_key(row))
    return Fractions(
        machine_us / row.step_us if machine_us else None,
        row.gemm_us / row.step_us if row.gemm_us else None,
    )


def _key(row: Row) -> tuple[object, ...]:
    return row.experiment, row.device, row.dtype, row.threads, row.machine
