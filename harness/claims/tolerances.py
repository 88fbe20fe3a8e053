"""How far a measured mean may lie from a published number, and how certain a measured rate is."""

import math
from dataclasses import dataclass

from scipy import optimize, stats

CONFIDENCE = 0.95
ROWS_FLOOR = 2
SHARE_FLOOR = 0.0002
LARGEST_SHARE_FLOOR = 0.01
"""Rounding alone may change an accuracy by this much: 0.02 percentage points, or two rows, but
never by more than one row in a hundred."""
SMALLEST_P = 1e-300
PRIOR_SHARE = 0.5
"""Seeds share their rows, so they spread less than fresh rows would. Of 84 spreads in the ledger
three in four are above half of the rows' binomial noise; the median is 0.8 times the noise."""


@dataclass(frozen=True)
class Tolerance:
    """How far the mean of n runs may lie from the published number, by source of error.

    Args:
        seeds: half-width of the prediction interval of the published mean, from the spread over
            seeds.
        sampling: half-width of the interval from the draw of the test rows, where they are
            another draw; 0 where both numbers were measured on the same rows.
        rounding: half a unit of the last printed digit.
        floor: rounding of floating-point numbers.
    """

    seeds: float
    sampling: float
    rounding: float
    floor: float

    @property
    def total(self) -> float:
        """All sources of error, added in quadrature."""
        return math.hypot(self.seeds, self.sampling, self.rounding, self.floor)


@dataclass(frozen=True)
class StandardError:
    """A standard error and its degrees of freedom; infinite where it is known, not estimated."""

    value: float
    degrees: float

    def half_width(self, alpha: float) -> float:
        """Return t(1 - alpha / 2, degrees) times the standard error."""
        return float(stats.t.isf(alpha / 2, self.degrees)) * self.value if self.value else 0.0


@dataclass(frozen=True)
class ErrorSources:
    """What may separate a measured mean from a published number.

    Args:
        seeds: estimates of the standard error from the spread over seeds; the widest interval
            of them counts. None where there is no estimate.
        sampling: standard error of the draw of the test rows.
        rounding: half a unit of the last printed digit.
        floor: rounding of floating-point numbers.
    """

    seeds: tuple[StandardError, ...] | None
    sampling: float
    rounding: float
    floor: float

    def within(self, confidence: float = CONFIDENCE) -> Tolerance:
        """Return the tolerance at this confidence; infinite without an estimate from seeds."""
        return self._tolerance(1 - confidence)

    def p_value(self, difference: float) -> float:
        """Return the smallest alpha at which the tolerance does not contain the difference.

        This inverts the test (Cox and Hinkley 1974, 7.2), so the p-value is below 5 % if and
        only if the difference is beyond the tolerance at 95 %.
        """
        size = abs(difference)
        if self.seeds is None or size <= self._tolerance(1.0).total:
            return 1.0
        if size >= self._tolerance(SMALLEST_P).total:
            return 0.0

        def excess(log_alpha: float) -> float:
            return self._tolerance(10.0**log_alpha).total - size

        return float(10.0 ** optimize.brentq(excess, math.log10(SMALLEST_P), 0.0))

    def _tolerance(self, alpha: float) -> Tolerance:
        seeds = math.inf
        if self.seeds is not None:
            seeds = max((error.half_width(alpha) for error in self.seeds), default=0.0)
        sampling = float(stats.norm.isf(alpha / 2)) * self.sampling if self.sampling else 0.0
        return Tolerance(seeds, sampling, self.rounding, self.floor)


def seeds_errors(
    spread: float, degrees: int, scale: float, noise: float
) -> tuple[StandardError, ...] | None:
    """Return the standard errors of a mean, or a difference of means, from the spread over seeds.

    The first is Student's (1908): s * scale with `degrees` degrees of freedom. A few seeds may
    agree by luck, so there is a second: the moderated variance of Smyth (2004, Statistical
    Applications in Genetics and Molecular Biology 3, article 3, section 3), with a part of the
    rows' binomial noise as one prior observation,

        (prior^2 + degrees * s^2) / (1 + degrees), with 1 + degrees degrees of freedom.

    It is the wider one only where s is below the prior, and it loses its weight as seeds are
    added. Student's is never narrowed, so the test still errs at most once in twenty.

    Args:
        spread: standard deviation over seeds, s; NaN where there is none.
        degrees: of freedom of the spread.
        scale: of the mean, such as sqrt(1 / runs + 1 / seeds).
        noise: standard deviation that drawing the scored rows gives; 0 where nothing is drawn or
            no rows are counted.
    """
    if degrees < 1 or not math.isfinite(spread):
        return None
    prior = PRIOR_SHARE * noise
    moderated = math.sqrt((prior**2 + degrees * spread**2) / (1 + degrees))
    student = StandardError(spread * scale, degrees)
    return (student, StandardError(moderated * scale, degrees + 1)) if noise else (student,)


def smoothed(share: float, rows: int) -> float:
    """Return a share with two rows of either kind added (Agresti and Coull 1998).

    So a share of 0 or 1 has some noise too.
    """
    return (min(max(share, 0.0), 1.0) * rows + 2) / (rows + 4)


def binomial_noise(share: float, rows: int) -> float:
    """Return the standard deviation of a share of `rows` rows, sqrt(p (1 - p) / rows)."""
    p = smoothed(share, rows)
    return math.sqrt(p * (1 - p) / rows)


def sampling_error(share: float, rows: int) -> float:
    """Return the standard error of two shares of `rows` rows each, drawn independently."""
    return math.sqrt(2) * binomial_noise(share, rows)


def floor_term(rows: int) -> float:
    """Return how much numerics may change a share of `rows` rows."""
    return min(max(SHARE_FLOOR, ROWS_FLOOR / rows), LARGEST_SHARE_FLOOR)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, "wilson")
    return float(interval.low), float(interval.high)
