"""The answer of a report in one sentence, and what has to be known to read it."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.report.model import Line, Section
from harness.report.remarks import ranking_text
from harness.report.text import seconds, three_digits
from harness.results import Row
from harness.run import Run

WORTH_SAYING = 1.5
"""A smaller factor between the slowest and the quickest is not mentioned."""


def answer(run: Run, sections: Sequence[Section]) -> str:
    """Return what the run says, for somebody who reads one sentence."""
    if not run.rows:
        planned = len(run.plan.trials)
        return f"Nothing to compare yet: none of the {planned} planned trials has a row."
    identical = [(section, line) for section in sections for line in _identical(section)]
    trained = [(section, line) for section, line in identical if line.has_result]
    if not trained:
        return f"No trial ended with a result: {status_counts(run.rows)}."
    if len(trained) == 1:
        return _alone(*trained[0])
    proven = sum(line.proven for _, line in trained)
    parts = [_proof(proven, len(trained)), *_agreement(sections), *_times(sections)]
    return "; ".join(parts) + "."


def _identical(section: Section) -> list[Line]:
    return [line for line in section.lines if line.identical]


def _alone(section: Section, line: Line) -> str:
    proof = "proven" if line.proven else f"not proven ({line.judgement.verdict})"
    return (
        f"Only {line.name} ran {section.experiment.name}; it is {proof} to compute what the "
        "protocol says, and there is nothing to compare it with."
    )


def _proof(proven: int, trained: int) -> str:
    if proven == trained:
        return f"All {trained} results are proven to come from the same computation"
    if not proven:
        return f"None of the {trained} results is proven, so they are hatched and not compared"
    return (
        f"{proven} of {trained} results are proven to come from the same computation; the others "
        "are hatched and not compared"
    )


def _agreement(sections: Sequence[Section]) -> list[str]:
    """Return the largest difference between accuracies of proven lines of one experiment."""
    gaps = []
    for section in sections:
        accuracies = [line.accuracy for line in _identical(section) if line.proven]
        known = [accuracy for accuracy in accuracies if accuracy is not None]
        if len(known) > 1:
            gaps.append(max(known) - min(known))
    if not gaps:
        return []
    widest = max(gaps)
    if widest == 0:
        return ["in each experiment all reach the same test accuracy"]
    return [f"in each experiment their test accuracies differ by at most {widest:.4f}"]


def _times(sections: Sequence[Section]) -> list[str]:
    """Return by which factor the training times of proven, undisturbed lines differ."""
    ranked = [line for section in sections for line in section.lines if line.ranked]
    if ranked and all(line.noisy for line in ranked):
        return ["the machine was disturbed, so training times are shown but not compared"]
    widest = 1.0, ""
    ratios = []
    for section in sections:
        timed = [
            (line.train.value, line)
            for line in section.lines
            if line.ranked and line.best and not line.noisy and line.train is not None
        ]
        if len(timed) < 2:
            continue
        quick_s, quick = min(timed, key=lambda pair: pair[0])
        slow_s, slow = max(timed, key=lambda pair: pair[0])
        ratios.append(slow_s / quick_s)
        example = (
            f"{section.experiment.name}: {seconds(quick_s)} in {quick.framework}, "
            f"{seconds(slow_s)} in {slow.framework}"
        )
        widest = max(widest, (slow_s / quick_s, example))
    factor, example = widest
    if factor < WORTH_SAYING:
        return []
    middle = f", typically {three_digits(statistics.median(ratios))}" if len(ratios) > 2 else ""
    most = three_digits(factor)
    return [f"training time differs by a factor of up to {most}{middle} ({example})"]


def rankings(sections: Iterable[Section]) -> list[str]:
    """Return who is fastest, experiment by experiment. Experiments with one answer share it."""
    names: dict[str, list[str]] = {}
    for section in sections:
        if section.ranking:
            names.setdefault(ranking_text(section.ranking), []).append(section.experiment.name)
    if len(names) == 1:
        return [text[0].upper() + text[1:] for text in names]
    return [f"{', '.join(experiments)}: {text}" for text, experiments in names.items()]


def status_counts(rows: Sequence[Row]) -> str:
    """`13 ok, 2 missing`."""
    counts = Counter(row.status for row in rows)
    return ", ".join(f"{count} {status}" for status, count in counts.items())
