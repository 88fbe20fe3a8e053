"""The answer of a report in one sentence, and what has to be known to read it."""

import statistics
from collections.abc import Iterator, Sequence

from harness.plan import Plan
from harness.report.section_table import Section, remarks
from harness.report.sections import Line
from harness.report.text import seconds, three_digits
from harness.results import Row

WORTH_SAYING = 1.5
"""A smaller factor between the slowest and the quickest is not the news of a report."""


def answer(plan: Plan, rows: Sequence[Row], sections: Sequence[Section]) -> str:
    """What the run says, for somebody who reads one sentence."""
    if not rows:
        return f"Nothing to compare yet: none of the {len(plan.trials)} planned trials has a row."
    trained = [(section, line) for section, line in _identical(sections) if "ok" in line.status]
    if not trained:
        return f"No trial ended with a result: {counts(rows)}."
    proven = [(section, line) for section, line in trained if line.proven]
    if len(trained) == 1:
        (section, line) = trained[0]
        shown = (
            "proven to compute" if proven else f"not proven ({line.judgement.verdict}) to compute"
        )
        return (
            f"{line.framework} {line.loop} alone ran {section.experiment.name}; it is {shown} "
            "what the protocol says, and there is nothing to compare it with."
        )
    parts = [_proof(len(proven), len(trained)), *_agreement(sections), *_times(sections)]
    return "; ".join(parts) + "."


def _identical(sections: Sequence[Section]) -> Iterator[tuple[Section, Line]]:
    for section in sections:
        for line in section.lines:
            if line.track == "identical":
                yield section, line


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
    """How far the accuracies of proven cells of one experiment lie apart, at most."""
    gaps = []
    for section in sections:
        found = [line.accuracy for _, line in _identical([section]) if line.proven]
        known = [accuracy for accuracy in found if accuracy is not None]
        if len(known) > 1:
            gaps.append(max(known) - min(known))
    if not gaps:
        return []
    widest = max(gaps)
    if widest == 0:
        return ["in each experiment all reach the same test accuracy"]
    return [f"in each experiment their test accuracies differ by at most {widest:.4f}"]


def _times(sections: Sequence[Section]) -> list[str]:
    """By which factor the training times of proven, undisturbed lines differ."""
    ranked = [line for _, line in _identical(sections) if line.ranked]
    if ranked and all(line.noisy for line in ranked):
        return ["the machine was disturbed, so training times are shown but not compared"]
    widest = 1.0, ""
    ratios = []
    for section in sections:
        timed = [
            (line.train.value, line)
            for _, line in _identical([section])
            if line.ranked and line.best and not line.noisy and line.train is not None
        ]
        if len(timed) < 2:
            continue
        quick_s, quick = min(timed, key=lambda pair: pair[0])
        slow_s, slow = max(timed, key=lambda pair: pair[0])
        ratios.append(slow_s / quick_s)
        told = (
            f"{section.experiment.name}: {seconds(quick_s)} in {quick.framework}, "
            f"{seconds(slow_s)} in {slow.framework}"
        )
        widest = max(widest, (slow_s / quick_s, told))
    if widest[0] < WORTH_SAYING:
        return []
    middle = f", typically {three_digits(statistics.median(ratios))}" if len(ratios) > 2 else ""
    most = three_digits(widest[0])
    return [f"training time differs by a factor of up to {most}{middle} ({widest[1]})"]


def ranking(sections: Sequence[Section]) -> list[str]:
    """Who may be called fastest, experiment by experiment; what is alike is said once."""
    told: dict[str, list[str]] = {}
    for section in sections:
        for remark in remarks(section):
            if remark.startswith(("fastest", "no cell is called fastest")):
                told.setdefault(remark, []).append(section.experiment.name)
    if len(told) == 1:
        return [_sentence(remark) for remark in told]
    return [f"{', '.join(names)}: {remark}" for remark, names in told.items()]


def _sentence(remark: str) -> str:
    return remark[0].upper() + remark[1:]


def counts(rows: Sequence[Row]) -> str:
    """`13 ok, 2 missing`."""
    statuses = [row.status for row in rows]
    return ", ".join(f"{statuses.count(name)} {name}" for name in dict.fromkeys(statuses))
