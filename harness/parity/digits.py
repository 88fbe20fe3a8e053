"""How exact the numbers of an answer are: float64, float32, or so many digits of a text."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.functions import Floats
from harness.parity.mistaken_network import rounded_to
from harness.parity.rounding import rounding_tolerances
from harness.parity.rungs import EPS, TOLERANCES
from harness.trainer import Array

INSIGNIFICANT = {"float64": 1e-11, "float32": 1e-5}
"""A smaller difference, relative to the largest number, may be rounding."""
FLOAT32_BITS, FEW_BITS = 24, 12
DIGITS_OF_FLOAT32 = 7
"""Numbers with so many decimal digits are as exact as float32."""
DIGITS_OF_FLOAT64 = 13
"""Numbers with fewer decimal digits were rounded when they were written."""
LOOKED_AT = 2_000
"""So many numbers of an array say how exact it is."""


@dataclass(frozen=True)
class Digits:
    """How exact the numbers of an answer are.

    Args:
        dtype: "float64" or "float32", the precision that they were computed in.
        written: how many decimal digits they were rounded to; None where they were not.
    """

    dtype: str = "float64"
    written: int | None = None

    @property
    def exact(self) -> bool:
        """Whether they are float64 numbers with all of their digits."""
        return self.dtype == "float64" and self.written is None

    @property
    def insignificant(self) -> float:
        """A smaller difference, relative to the largest number, may be rounding."""
        return max(INSIGNIFICANT[self.dtype], 2 * self._last_digit)

    @property
    def collinear(self) -> float:
        """How far a tensor may be from a multiple of another, relative to it."""
        return 1e-9 if self.exact else 100 * self.insignificant

    def plain(self, value: float) -> float:
        """Return the number with few digits that the value is, if rounding alone parts them."""
        if not math.isfinite(value):
            return value
        nearest, near = float(f"{value:.6g}"), 1e-9
        if not self.exact:
            nearest, near = float(f"{value:.3g}"), 100 * self.insignificant
        return nearest if abs(nearest - value) <= near * abs(value) else value

    @property
    def _last_digit(self) -> float:
        """Half a unit of the last digit written, relative to the number at most."""
        return 0.0 if self.written is None else 5.0 * 10.0**-self.written

    def tolerances(self, experiment: Experiment, seed: int) -> tuple[Mapping[str, float], float]:
        """Return the tolerance of every rung of a protocol, and the rounding unit."""
        if self.exact:
            return TOLERANCES, EPS
        measured = rounding_tolerances(experiment, seed, self.dtype)
        least = TOLERANCES if self.dtype == "float64" else {}
        eps = float(np.finfo(self.dtype).eps)
        names = (*TOLERANCES, *measured)
        return {
            name: max(measured.get(name, 0.0), least.get(name, 0.0), self._last_digit, 32 * eps)
            for name in names
        }, eps


EXACT = Digits()


def digits_of(arrays: Iterable[Array]) -> Digits:
    """Return how exact numbers are that were computed; their type and their values say so."""
    several = list(arrays)
    values = [np.asarray(v, np.float64).ravel()[:LOOKED_AT] for v in several]
    numbers = np.concatenate([np.zeros(0), *values])
    numbers = numbers[np.isfinite(numbers)]
    if any(v.dtype.kind == "f" and v.dtype.itemsize < 8 for v in several):
        return Digits("float32")
    if not len(numbers) or np.array_equal(numbers, rounded_to(numbers, FEW_BITS)):
        return EXACT
    if np.array_equal(numbers, rounded_to(numbers, FLOAT32_BITS)) or _are_shortest(numbers):
        return Digits("float32")
    written = _written(numbers)
    return EXACT if written is None else Digits("float64", written)


def _are_shortest(numbers: Floats) -> bool:
    """Whether these are float32 numbers in the shortest decimal form that tells them apart."""
    with np.errstate(over="ignore"):
        shortest = numbers.astype(np.float32).astype(str).astype(np.float64)
    few = DIGITS_OF_FLOAT32 - 1
    return np.array_equal(numbers, shortest) and not np.array_equal(numbers, _cut(numbers, few))


def _written(numbers: Floats) -> int | None:
    """The decimal digits that all numbers have at most; None where they have as float64 has."""
    return next((n for n in range(1, DIGITS_OF_FLOAT64) if _is_cut(numbers, n)), None)


def _is_cut(numbers: Floats, digits: int) -> bool:
    return np.array_equal(numbers, _cut(numbers, digits))


def _cut(numbers: Floats, digits: int) -> Floats:
    return np.array([float(f"{number:.{digits - 1}e}") for number in numbers])
