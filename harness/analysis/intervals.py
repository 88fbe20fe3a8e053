"""Medians and ratios with 95 % intervals. Pure functions of numbers.

Times are positive and their noise multiplies, so everything is done on logarithms. With ten
values or more the interval is the bias-corrected and accelerated bootstrap of the median (Efron
1987). From 3 to 9 values are too few to resample; their interval is Student's t of the mean
logarithm, which is wide, as it should be. One or two values have no interval: Student's t of two
spans many decades.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

CONFIDENCE = 0.95
ENOUGH_FOR_AN_INTERVAL, ENOUGH_TO_RESAMPLE = 3, 10


@dataclass(frozen=True)
class Estimate:
    """A median with its 95 % interval; `low` and `high` are None for one or two values."""

    value: float
    low: float | None
    high: float | None
    count: int

    @property
    def contains_one(self) -> bool:
        """Whether this ratio is compatible with no difference."""
        return self.low is None or self.high is None or self.low <= 1 <= self.high


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return the median of positive values with its interval; None without values."""
    logarithms = [math.log(value) for value in values if value > 0]
    if not logarithms:
        return None
    middle, count = median(logarithms), len(logarithms)
    if count < ENOUGH_FOR_AN_INTERVAL:
        return Estimate(math.exp(middle), None, None, count)
    if max(logarithms) == min(logarithms):
        return Estimate(math.exp(middle), math.exp(middle), math.exp(middle), count)
    low, high = _resampled(logarithms) if count >= ENOUGH_TO_RESAMPLE else _student(logarithms)
    return Estimate(
        math.exp(middle), math.exp(min(low, middle)), math.exp(max(high, middle)), count
    )


def paired_ratio(
    numerators: Mapping[Any, float], denominators: Mapping[Any, float]
) -> Estimate | None:
    """Return the ratio of two series measured in turns, pair by pair; None without a common key."""
    return estimate(
        [
            numerators[key] / denominators[key]
            for key in numerators.keys() & denominators.keys()
            if numerators[key] > 0 and denominators[key] > 0
        ]
    )


def _student(values: Sequence[float]) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * stdev(values)
    half /= math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def _resampled(values: Sequence[float]) -> tuple[float, float]:
    from scipy.stats import bootstrap

    for method in ("BCa", "percentile"):  # BCa has none where most values are alike
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            interval = bootstrap(
                (np.sort(values),),
                np.median,
                confidence_level=CONFIDENCE,
                method=method,
                rng=np.random.default_rng(0),
            ).confidence_interval
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            return float(interval.low), float(interval.high)
    return min(values), max(values)
