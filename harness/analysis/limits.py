"""How close a step comes to its matrix products alone. Pure functions of rows.

`gemm_us` is the time that all matrix products of one step take, and nothing else, in the
framework's own routine, in the process and the conditions of the trial. The limit of the
framework's own library is that time over the step's. The limit of the machine is the smallest
such time of any installed library, for the same products, device, precision and threads, over
the step's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.experiment.vocabulary import Dtype
from harness.results import Row


class Setting(NamedTuple):
    """What rows must have in common to share a limit."""

    experiment: str
    device: str
    dtype: Dtype
    threads: int
    machine: str | None

    @classmethod
    def of(cls, row: Row) -> "Setting":
        return cls(row.experiment, row.device, row.dtype, row.threads, row.machine)


@dataclass(frozen=True)
class LimitFractions:
    """How close a step comes to each limit: 1 at the limit; None where this was not measured."""

    of_machine: float | None
    of_own: float | None


def machine_limits_us(rows: Iterable[Row]) -> dict[Setting, float]:
    """Return the time of the fastest products of every setting."""
    best: dict[Setting, float] = {}
    for row in rows:
        if row.gemm_us:
            setting = Setting.of(row)
            best[setting] = min(best.get(setting, row.gemm_us), row.gemm_us)
    return best


def fractions_of_limits(row: Row, limits_us: Mapping[Setting, float]) -> LimitFractions:
    """Return how close the step of a row comes to both limits."""
    if not row.step_us:
        return LimitFractions(None, None)
    machine_us = limits_us.get(Setting.of(row))
    return LimitFractions(
        machine_us / row.step_us if machine_us else None,
        row.gemm_us / row.step_us if row.gemm_us else None,
    )
