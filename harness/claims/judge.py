"""The verdict: a claim and the samples of its trials in, findings out. Nothing else is read.

Sources of error are kept apart (see `statistics.Tolerance`): the spread over seeds, the draw of
the test rows where it is another, rounding in print, numerics. A published peak is compared with
peaks and a best of three with bests of three, so selection needs no term.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.claims import statistics as rules
from harness.claims.model import HOLDS, Claim, Number, Verdict
from harness.claims.samples import Sample

NEAR_ROWS, NEAR_ROW_SHARE = 5, 0.01
"""A deterministic count that is off by so many rows, or by so many of the rows, is numerics."""
NEAR_SHARE = 1e-4
"""A deterministic number that is no count, likewise, relative."""
RATE_AT_LEAST = 0.05
"""A published success that fewer seeds reach is not what this protocol gives."""
GRAVEST_LAST = (
    Verdict.EXACT, Verdict.NEAR_EXACT, Verdict.CONSISTENT, Verdict.RATE, Verdict.INCONCLUSIVE,
    Verdict.NOT_RUN, Verdict.BETTER, Verdict.WORSE,
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What was measured of one number, in its own unit, and what follows.

    `spread` is the standard deviation over seeds, `tolerance` how far the mean may lie from the
    published number; None where the rule has none. `why` says it in words.
    """

    number: str
    variant: str
    published: str
    unit: str
    framework: str
    measured: tuple[float, ...]
    spread: float | None
    seeds: int
    difference: float | None
    tolerance: float | None
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Agreement:
    """How another framework's first seed compares with the same seed of the first framework."""

    variant: str
    framework: str
    other: str
    equivalence: rules.Equivalence


@dataclass(frozen=True)
class Judged:
    """A claim's verdict, number by number, with the frameworks it rests on."""

    claim: Claim
    verdict: Verdict
    why: str
    findings: tuple[Finding, ...]
    agreements: tuple[Agreement, ...]
    samples: tuple[Sample, ...]

    @property
    def as_registered(self) -> bool:
        """Whether it is the verdict that was registered; a claim without one must hold."""
        expected = self.claim.expected
        return self.verdict in HOLDS if expected is None else self.verdict == expected

    @property
    def tested(self) -> int:
        """Findings that are 5 % tests, each of which errs once in twenty."""
        return sum(finding.tolerance is not None for finding in self.findings)


def judge(claim: Claim, samples: Sequence[Sample], digests: dict[str, str]) -> Judged:
    """Judge a claim.

    Args:
        claim: as registered.
        samples: of any claims; only those of this one, of the very protocol, are used.
        digests: variant name to the digest of its protocol.
    """
    if claim.not_run:
        return Judged(claim, Verdict.NOT_RUN, claim.not_run, (), (), ())
    own = _latest(
        told
        for told in samples
        if told.claim == claim.id and digests.get(told.variant) == told.row.experiment_digest
    )
    findings = tuple(_finding(claim, number, own, None) for number in claim.numbers)
    agreements = tuple(_agreements(own))
    verdict = max((f.verdict for f in findings), key=GRAVEST_LAST.index)
    why = next(finding.why for finding in findings if finding.verdict == verdict)
    if verdict != Verdict.NOT_RUN:
        verdict, why, more = _other_readings(claim, own, verdict, why)
        findings += more
    return Judged(claim, verdict, why, findings, agreements, own)


def _latest(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Of the same trial, run with several versions of a framework or an adapter, the last good."""
    found: dict[tuple[object, ...], Sample] = {}
    for told in sorted(samples, key=lambda told: (told.counts, told.row.started_at or "")):
        row = told.row
        found[told.variant, row.framework, row.loop, row.purpose, row.seed, row.repeat] = told
    return tuple(found.values())


def _other_readings(
    claim: Claim, samples: Sequence[Sample], verdict: Verdict, why: str
) -> tuple[Verdict, str, tuple[Finding, ...]]:
    """What judged variants make of the verdict: other readings, other versions of the code."""
    more: list[Finding] = []
    others: dict[str, Verdict] = {}
    for variant in claim.variants:
        found = readings(claim, samples, variant.name) if variant.judged else ()
        if not found:
            continue
        more += found
        others[variant.name] = max((f.verdict for f in found), key=GRAVEST_LAST.index)
    roles = {variant.name: variant for variant in claim.variants}
    for name, other in others.items():
        missed = verdict in (Verdict.BETTER, Verdict.WORSE)
        if roles[name].role == "other code" and missed and other in HOLDS:
            words = f"not from the code as printed ({why}), but from another: {roles[name].why}"
            return Verdict.CODE_OUTPUT_MISMATCH, words, tuple(more)
    for name, other in others.items():
        sides = {_side_of(verdict), _side_of(other)} - {"nothing"}
        if roles[name].role == "reading" and len(sides) == 2:
            words = f"the verdict turns on what the source does not say: {roles[name].why}"
            return Verdict.UNDER_SPECIFIED, words, tuple(more)
    missing = [name for name, other in others.items() if other == Verdict.NOT_RUN]
    if missing and verdict in HOLDS:
        words = f"{', '.join(missing)} belongs to the verdict and has not run"
        return Verdict.INCONCLUSIVE, words, tuple(more)
    return verdict, why, tuple(more)


def _side_of(verdict: Verdict) -> str:
    """What a verdict comes to: the number holds, lies on one side of it, or nothing is said."""
    if verdict in HOLDS:
        return "holds"
    return verdict.value if verdict in (Verdict.BETTER, Verdict.WORSE) else "nothing"


def readings(claim: Claim, samples: Sequence[Sample], variant: str) -> tuple[Finding, ...]:
    """The numbers of the protocol itself, judged by a variant's samples instead."""
    return tuple(
        _finding(claim, number, samples, variant)
        for number in claim.numbers
        if not number.on and number.minus is None
    )


# ---------------------------------------------------------------- one number


def _finding(
    claim: Claim, number: Number, samples: Sequence[Sample], instead: str | None
) -> Finding:
    variant = number.on if instead is None else instead
    counted = [told for told in samples if told.variant == variant and number.key in told.values]
    by_framework: dict[str, list[Sample]] = {}
    for told in counted:
        if told.counts:
            by_framework.setdefault(told.row.framework, []).append(told)
    if not by_framework:
        return _blank(number, variant, Verdict.NOT_RUN, _why_nothing(samples, variant))
    framework, own = max(by_framework.items(), key=lambda item: _seeds(item[1], number.key))
    values = _values(own, number.key)
    if number.minus is not None:
        subtracted = _values(
            [t for t in samples
             if t.variant == number.minus and t.row.framework == framework and t.counts
             and number.key in t.values],
            number.key,
        )  # fmt: skip
        values = {seed: values[seed] - subtracted[seed] for seed in values if seed in subtracted}
        if not values:
            reason = f"no seed ran with and without {number.minus!r}"
            return _blank(number, variant, Verdict.NOT_RUN, reason)
    factor = 100 if number.unit == "percent" else 1
    measured = [factor * value for value in values.values()]
    diverged = _diverged(samples, variant, framework)
    if diverged:
        words = f"{diverged} of {diverged + len(measured)} seeds diverged"
        return _found(number, variant, framework, measured, Verdict.WORSE, words, None)
    registered = claim.many_seeds if number.rule in ("rate", "every") else claim.seeds
    if len(measured) < registered:
        words = f"{len(measured)} of the {registered} registered seeds have run"
        return _found(number, variant, framework, measured, Verdict.INCONCLUSIVE, words, None)
    if number.best_of > 1:
        measured = _best(measured, number)
    if number.metric == "outputs":
        measured = [factor * value for value in own[0].values[number.key]]
        return _vector(number, variant, framework, measured)
    rule = {"exact": _exact, "every": _every, "rate": _rate, "range": _range, "level": _level}
    rows = _rows(claim, number, own[0])
    return rule[number.rule](claim, number, variant, framework, measured, rows)


def _rows(claim: Claim, number: Number, told: Sample) -> int:
    """How many rows the number's part has."""
    assert claim.protocol is not None
    train, validation, _ = claim.protocol.data.rows
    if number.metric.startswith("train"):
        return train
    return validation if number.metric.startswith("validation") else told.tested


def _diverged(samples: Sequence[Sample], variant: str, framework: str) -> int:
    """How many seeds of the framework came to no finite end: they count against a claim."""
    return sum(
        told.variant == variant
        and told.row.framework == framework
        and told.row.status == "diverged"
        for told in samples
    )


def _blank(number: Number, variant: str, verdict: Verdict, why: str) -> Finding:
    return Finding(
        number.name, variant, number.published, number.unit, "", (), None, 0, None, None,
        verdict, why,
    )  # fmt: skip


def _why_nothing(samples: Sequence[Sample], variant: str) -> str:
    """Why no sample counts."""
    own = [told for told in samples if told.variant == variant]
    for told in own:
        if told.row.status != "ok":
            detail = f": {told.row.status_detail}" if told.row.status_detail else ""
            return f"{told.row.framework} {told.row.status}{detail}"
    for told in own:
        if not told.counts:
            return f"{told.row.framework} is not proven to follow the protocol ({told.proof})"
    return "its trials do not tell it" if own else "no trial of it yet"


def _seeds(samples: Sequence[Sample], key: str) -> int:
    return len(_values(samples, key))


def _values(samples: Sequence[Sample], key: str) -> dict[int, float]:
    """Value by seed; a trial of many starts has one for each."""
    found: dict[int, float] = {}
    for told in samples:
        for offset, value in enumerate(told.values[key]):
            found.setdefault(told.row.seed + offset, value)
    return dict(sorted(found.items()))


def _best(measured: Sequence[float], number: Number) -> list[float]:
    best = max if number.more_is_better else min
    groups = len(measured) // number.best_of
    return [best(measured[i * number.best_of : (i + 1) * number.best_of]) for i in range(groups)]


def _exact(
    claim: Claim, number: Number, variant: str, framework: str, measured: list[float], rows: int
) -> Finding:
    """A run that draws nothing: the printed digits, or the same count of rows."""
    value = measured[0]
    difference = value - number.value
    if _same_digits(value, number):
        return _found(number, variant, framework, measured, Verdict.EXACT,
                      f"the printed digits: {_shown(value, number)}", difference)  # fmt: skip
    if number.is_share:
        off = (value - number.value) / (100 if number.unit == "percent" else 1) * rows
        if abs(off) < 0.5 and not number.is_cut:
            return _found(number, variant, framework, measured, Verdict.EXACT,
                          f"the same count of the {rows:,} rows", difference)  # fmt: skip
        if abs(off) <= min(NEAR_ROWS, NEAR_ROW_SHARE * rows) + 0.5:
            return _found(number, variant, framework, measured, Verdict.NEAR_EXACT,
                          f"{abs(off):.0f} of {rows:,} rows off", difference)  # fmt: skip
    elif abs(difference) <= NEAR_SHARE * abs(number.value):
        return _found(number, variant, framework, measured, Verdict.NEAR_EXACT,
                      "off in the last digits only", difference)  # fmt: skip
    return _found(number, variant, framework, measured, _side(number, difference),
                  f"printed {number.published}, measured {_shown(value, number)}, and nothing "
                  "in it is drawn", difference)  # fmt: skip


def _every(
    claim: Claim, number: Number, variant: str, framework: str, measured: list[float], rows: int
) -> Finding:
    """Every seed gives the printed number."""
    hits = sum(_same_digits(value, number) for value in measured)
    difference = float(np.mean(measured)) - number.value
    words = f"{hits} of {len(measured)} seeds give {number.published}"
    if hits == len(measured):
        return _found(number, variant, framework, measured, Verdict.EXACT, words, difference)
    return _found(
        number, variant, framework, measured, _side(number, difference), words, difference
    )


def _rate(
    claim: Claim, number: Number, variant: str, framework: str, measured: list[float], rows: int
) -> Finding:
    """The share of seeds that reach the printed number."""
    hits = sum(_same_digits(value, number) for value in measured)
    low, high = rules.wilson(hits, len(measured))
    words = (
        f"reached from {hits} of {len(measured)} starts: {100 * hits / len(measured):.0f} % "
        f"({100 * low:.0f} to {100 * high:.0f})"
    )
    least = RATE_AT_LEAST if number.low is None else number.low
    verdict = Verdict.RATE if hits >= least * len(measured) else Verdict.WORSE
    return _found(number, variant, framework, measured, verdict, words, None)


def _range(
    claim: Claim, number: Number, variant: str, framework: str, measured: list[float], rows: int
) -> Finding:
    """Between two bounds, on the mean."""
    mean = float(np.mean(measured))
    low = -math.inf if number.low is None else number.low
    high = math.inf if number.high is None else number.high
    bounds = f"{low:g} to {high:g}" if math.isfinite(low) and math.isfinite(high) else (
        f"at least {low:g}" if math.isfinite(low) else f"at most {high:g}"
    )  # fmt: skip
    words = f"{_shown(mean, number)}, stated {bounds}"
    if low <= mean <= high:
        return _found(number, variant, framework, measured, Verdict.CONSISTENT, words, None)
    above = mean > high
    verdict = Verdict.BETTER if above == number.more_is_better else Verdict.WORSE
    return _found(number, variant, framework, measured, verdict, words, None)


def _level(
    claim: Claim, number: Number, variant: str, framework: str, measured: list[float], rows: int
) -> Finding:
    """Within the tolerance of the published number."""
    tolerance = _tolerance(claim, number, measured, rows).total
    difference = float(np.mean(measured)) - number.value
    words = f"{difference:+.{_digits(number) - 1}f}, tolerance {tolerance:.{_digits(number)}f}"
    if abs(difference) > tolerance:
        verdict = _side(number, difference)
    elif tolerance > _widest(claim, number, rows):
        verdict = Verdict.INCONCLUSIVE
        words += f", wider than the {_widest(claim, number, rows):g} that would say something"
    else:
        verdict = Verdict.CONSISTENT
    return _found(number, variant, framework, measured, verdict, words, difference, tolerance)


def _tolerance(
    claim: Claim, number: Number, measured: Sequence[float], rows: int
) -> rules.Tolerance:
    """In the number's unit."""
    factor = 100 if number.unit == "percent" else 1
    stated = claim.spread is not None
    spread = claim.spread if claim.spread is not None else float(np.std(measured, ddof=1))
    sampling = floor = 0.0
    if number.metric.endswith(("_accuracy", "_error")):
        floor = factor * rules.floor_term(rows)
        drawn_afresh = not claim.same_test and number.metric.startswith(("test", "validation"))
        if drawn_afresh and number.minus is None:
            sampling = factor * rules.sampling_term(number.value / factor, rows)
    return rules.Tolerance(
        seeds=rules.seeds_term(spread, len(measured), number.runs, stated),
        sampling=sampling,
        rounding=0.5 * 10.0**-number.decimals,
        floor=floor,
    )


def _widest(claim: Claim, number: Number, rows: int) -> float:
    """A tolerance beyond this would pass almost anything."""
    if number.tolerance_at_most is not None:
        return number.tolerance_at_most
    if not number.metric.endswith(("_accuracy", "_error")):
        return 0.2 * abs(number.value)
    factor = 100 if number.unit == "percent" else 1
    if rows < 500:
        return factor * 3 / rows
    assert claim.protocol is not None
    fashion = claim.protocol.data.dataset == "fashion-mnist"
    return factor * (0.015 if fashion else 0.01)


def _vector(number: Number, variant: str, framework: str, measured: list[float]) -> Finding:
    """All printed outputs, digit by digit."""
    same: bool = len(measured) == len(number.values) and all(
        f"{value:.{number.decimals}f}" == f"{printed:.{number.decimals}f}"
        for value, printed in zip(measured, number.values, strict=True)
    )
    shown = ", ".join(f"{value:.{number.decimals}f}" for value in measured)
    verdict = Verdict.EXACT if same else Verdict.WORSE
    return _found(number, variant, framework, measured, verdict, f"gives [{shown}]", None)


def _found(
    number: Number, variant: str, framework: str, measured: Sequence[float], verdict: Verdict,
    why: str, difference: float | None, tolerance: float | None = None,
) -> Finding:  # fmt: skip
    several = len(measured) > 1 and number.metric != "outputs"
    return Finding(
        number=number.name,
        variant=variant,
        published=number.published or "in words",
        unit=number.unit,
        framework=framework,
        measured=tuple(measured),
        spread=float(np.std(measured, ddof=1)) if several else None,
        seeds=len(measured) if number.metric != "outputs" else 1,
        difference=difference,
        tolerance=tolerance,
        verdict=verdict,
        why=why,
    )


def _same_digits(value: float, number: Number) -> bool:
    if number.is_cut:
        scale = 10**number.decimals
        return bool(math.floor(value * scale + 1e-9) == round(number.value * scale))
    return f"{value:.{number.decimals}f}" == f"{number.value:.{number.decimals}f}"


def _side(number: Number, difference: float) -> Verdict:
    return Verdict.BETTER if (difference > 0) == number.more_is_better else Verdict.WORSE


def _digits(number: Number) -> int:
    """Digits behind the point that a difference is worth."""
    return {"percent": 2, "fraction": 4, "number": 4}[number.unit]


def _shown(value: float, number: Number) -> str:
    decimals = _digits(number) if number.rule == "range" else number.decimals
    return f"{value:.{decimals}f}"


# ---------------------------------------------------------------- frameworks among each other


def _agreements(samples: Sequence[Sample]) -> list[Agreement]:
    """Every framework against the one with most seeds, by the rows that are right at seed 0."""
    found = []
    for variant in dict.fromkeys(told.variant for told in samples):
        first_seed = [
            told for told in samples
            if told.variant == variant and told.counts and told.row.seed == 0 and told.right
            and told.row.track == "identical"
        ]  # fmt: skip
        if len(first_seed) < 2:
            continue
        seeds = {
            told.row.framework: sum(t.row.framework == told.row.framework for t in samples)
            for told in first_seed
        }
        first_seed.sort(key=lambda told: -seeds[told.row.framework])
        base, *others = first_seed
        rows = base.right_rows()
        for other in others:
            theirs = other.right_rows()
            if rows is not None and theirs is not None and len(rows) == len(theirs):
                found.append(
                    Agreement(
                        variant, base.row.framework, other.row.framework,
                        rules.equivalence(rows, theirs),
                    )
                )  # fmt: skip
    return found
