"""Rule `rate`, and levels on few rows: seeds that give a number are counted."""

from scipy import stats

from harness.claims.counts import same_digits, why_impossible
from harness.claims.model import Claim, Verdict
from harness.claims.number import Number
from harness.claims.ruling import Measured, Ruling, also
from harness.claims.tolerances import CONFIDENCE, wilson

RATE_AT_LEAST = 0.05
"""A published success that a smaller share of seeds reaches is not what this protocol gives."""
WIDEST_RATE = 0.2
"""A wider Wilson interval tells no rate; 200 seeds give at most 0.14, 100 seeds 0.19."""
WIDEST_PUBLISHED_RATE = 0.4
ADVICE = 'write rule = "rate" and many_seeds = 200'


def rate(claim: Claim, number: Number, measured: Measured) -> Ruling:
    """Judge the share of seeds that give the printed number or a better one; state its interval.

    A published share of runs is compared by Fisher's exact test (1935). A least share is held
    against the Wilson interval.
    """
    hits = sum(_reaches(value, number) for value in measured.values)
    total = len(measured.values)
    words = f"reached from {rate_text(hits, total)}"
    if number.successes is not None:
        return _against_a_share(number, number.successes, hits, total, words)
    low, high = wilson(hits, total)
    least = RATE_AT_LEAST if number.low is None else number.low
    p = float(stats.binomtest(hits, total, least, alternative="less").pvalue)
    if p < 1 - CONFIDENCE:
        return Ruling(Verdict.WORSE, words, p=p)
    if hits < least * total:
        words += f"; not shown to be below {100 * least:g} %"
        return Ruling(Verdict.INCONCLUSIVE, words, p=p)
    if high - low > WIDEST_RATE:
        words += f"; {total} seeds cannot tell a rate"
        return Ruling(Verdict.INCONCLUSIVE, words, p=p)
    return Ruling(Verdict.RATE, words, p=p)


def _against_a_share(
    number: Number, published: tuple[int, int], hits: int, total: int, words: str
) -> Ruling:
    """Compare a published share of runs with the measured one."""
    theirs, runs = published
    p = float(stats.fisher_exact([[hits, total - hits], [theirs, runs - theirs]]).pvalue)
    low, high = wilson(theirs, runs)
    words += f"; published {rate_text(theirs, runs)}"
    if p < 1 - CONFIDENCE:
        is_better = hits / total > theirs / runs
        return Ruling(Verdict.BETTER if is_better else Verdict.WORSE, words, p=p)
    if high - low > WIDEST_PUBLISHED_RATE:
        words += f", a rate that {runs} runs cannot tell"
        return Ruling(Verdict.INCONCLUSIVE, words, p=p)
    measured_low, measured_high = wilson(hits, total)
    if measured_high - measured_low > WIDEST_RATE:
        words += f"; {total} seeds cannot tell a rate"
        return Ruling(Verdict.INCONCLUSIVE, words, p=p)
    return Ruling(Verdict.RATE, words, p=p)


def by_counts(number: Number, measured: Measured) -> Ruling:
    """Judge a level on few rows, where accuracies are a handful of counts and no bell curve.

    The published run is one more draw of what the seeds draw, whatever its distribution, so it
    lies beyond all n seeds with probability 2 / (n + 1) (distribution-free prediction interval,
    Wilks 1941). Seeds that agree on the printed count confirm it; if only some give it, it is a
    rate.
    """
    difference = measured.mean - number.value
    total = len(measured.values)
    hits = sum(_gives_it(value, number) for value in measured.values)
    above = sum(value > number.value for value in measured.values)
    impossible = why_impossible(number, measured.rows)
    if number.runs > 1 or impossible:
        return _beside_a_count(number, measured, difference, impossible)
    words = f"{hits} of {total} seeds give {number.published} on {measured.rows} rows"
    if hits == total:
        return Ruling(Verdict.CONSISTENT, words, difference)
    if hits:
        low, high = wilson(hits, total)
        words += f": a rate, {rate_text(hits, total)}"
        if high - low <= WIDEST_RATE:
            return Ruling(Verdict.RATE, words, difference)
        words += f", which {total} seeds cannot tell: {ADVICE}"
        return Ruling(Verdict.INCONCLUSIVE, words, difference)
    p = min(1.0, 2 * (min(above, total - above) + 1) / (total + 1))
    if measured.drawn and p >= 1 - CONFIDENCE:
        words += f"; {total} seeds cannot say that none would: {ADVICE}"
        return Ruling(Verdict.INCONCLUSIVE, words, difference, p=p)
    verdict = Verdict.BETTER if (above > 0) == number.more_is_better else Verdict.WORSE
    return Ruling(verdict, words, difference, p=p if measured.drawn else None)


def _beside_a_count(
    number: Number, measured: Measured, difference: float, impossible: str
) -> Ruling:
    """Judge a number that no single run gives: only the side on which all seeds lie counts."""
    total = len(measured.values)
    above = sum(value > number.value for value in measured.values)
    below = sum(value < number.value for value in measured.values)
    words = f"{above} of {total} seeds lie above it, {below} below, on {measured.rows} rows"
    words = also(words, impossible)
    if impossible and total in (above, below):
        better = (above == total) == number.more_is_better
        return Ruling(Verdict.BETTER if better else Verdict.WORSE, words, difference)
    return Ruling(Verdict.INCONCLUSIVE, words, difference)


def rate_text(hits: int, total: int) -> str:
    """`277 of 400 starts: 69 % (65 to 74)`."""
    low, high = wilson(hits, total)
    share = f"{100 * hits / total:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
    return f"{hits} of {total} starts: {share}"


def _gives_it(value: float, number: Number) -> bool:
    return any(same_digits(value, number, text) for text in number.printings)


def _reaches(value: float, number: Number) -> bool:
    """Whether the value is the printed number or a better one: a lower loss, else a higher one."""
    if number.more_is_better:
        return _gives_it(value, number) or value > min(number.printed_values)
    return _gives_it(value, number) or value < max(number.printed_values)
