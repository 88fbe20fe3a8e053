"""The answer of a report in a few sentences: what is proven, and who is fastest where.

The sentences on time keep small and large networks apart, see `model.SMALL_BELOW_FLOP`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.experiment.vocabulary import Track
from harness.report.model import SMALL_BELOW_FLOP, Line, Section
from harness.report.remarks import known_time, ranking_text, times_text
from harness.report.text import count_text
from harness.report.thread_effects import thread_statements
from harness.results import Row
from harness.run import Run

GROUPS = {True: "Small networks", False: "Large networks"}
"""Whether a network is small to how its statement begins."""
NO_TIMES = "No times were measured, so nothing is ranked."
BOUNDARY = (
    f"A network is small if a step takes less than {SMALL_BELOW_FLOP / 1e6:g} million "
    "floating-point operations, those of its matrix products."
)


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
        said = _alone(*trained[0])
    else:
        said = "; ".join([_proof([line for _, line in trained]), *_agreement(sections)]) + "."
    return said if run.plan.request.timed else f"{said} {NO_TIMES}"


def _identical(section: Section) -> list[Line]:
    return [line for line in section.lines if line.identical]


def _alone(section: Section, line: Line) -> str:
    proof = "proven" if line.proven else f"not proven ({line.judgement.verdict})"
    return (
        f"Only {line.name} ran “{section.experiment.title}”; it is {proof} to compute what the "
        "protocol says, and there is nothing to compare it with."
    )


def _proof(lines: Sequence[Line]) -> str:
    """Say how many trials are proven. Proofs are of loops; a loop's count for all its trials."""
    trials = sum(line.ok_count for line in lines)
    proven = sum(line.ok_count for line in lines if line.proven)
    if proven == trials:
        return f"All {trials} trials are proven to come from the same computation"
    if not proven:
        return f"None of the {trials} trials is proven, so they are marked and not compared"
    return (
        f"{proven} of {trials} trials are proven to come from the same computation; the others "
        "are marked and not compared"
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
    all_test = all(section.experiment.data.keeps_test_rows for section in sections)
    test = "test " if all_test else ""
    if widest == 0:
        unproven = any(not x.proven for s in sections for x in _identical(s) if x.has_result)
        who = "the proven ones" if unproven else "all"
        return [f"in each experiment {who} reach the same {test}accuracy"]
    return [f"in each experiment their {test}accuracies differ by at most {widest:.4f}"]


def scored_rows(sections: Sequence[Section]) -> str:
    """Return of which rows the results are."""
    names = [s.experiment.name for s in sections if not s.experiment.data.keeps_test_rows]
    on_test = "Accuracy or loss on the test rows"
    if not names:
        return f"{on_test}."
    listed = ", ".join(dict.fromkeys(names))
    if len(names) == len(sections):
        return "Accuracy or loss on the training rows: none are kept for a test."
    return f"{on_test}; on the training rows in {listed}, which keep none for a test."


# ---------------------------------------------------------------- who is fastest


def statements(sections: Sequence[Section]) -> list[str]:
    """Return who is fastest on small networks and on large ones, and what more threads do.

    There is one statement of each, or one for each machine and number of threads.
    """
    ranked = [section for section in sections if section.ranking is not None]
    groups = [
        [s for s in ranked if (s.is_small, s.machine, s.threads) == (is_small, *place)]
        for is_small in GROUPS
        for place in dict.fromkeys((section.machine, section.threads) for section in sections)
    ]
    return [*(_statement(group) for group in groups if group), *thread_statements(sections)]


def _statement(group: Sequence[Section]) -> str:
    """Return the statement on ranked sections of one size."""
    name, threads = GROUPS[group[0].is_small], group[0].threads
    if threads is not None:
        name = f"{name}, {count_text(threads, 'thread')}"
    if group[0].machine:
        name = f"{name}, on {group[0].machine}"
    if len(group) == 1:
        (section,) = group
        text = ranking_text(section.ranking) if section.ranking else ""
        return f"{name} (“{section.experiment.title}”): {text}."
    parts = [f"{_leaders(group)}.", _widest(group)]
    return f"{name} ({len(group)} experiments): {' '.join(filter(None, parts))}"


def _leaders(group: Sequence[Section]) -> str:
    """`fastest is jax in 9, numpy in 1; too close to tell in 2 (jax/keras in 2)`."""
    leading = [leading_frameworks(section) for section in group]
    wins = Counter(names[0] for names in leading if len(names) == 1)
    ties = Counter("/".join(sorted(names)) for names in leading if len(names) > 1)
    unplaced = Counter(framework for section in group for framework in _unplaced(section))
    texts = []
    if wins:
        texts.append(f"fastest is {_counted(wins)}")
    if ties:
        texts.append(f"too close to tell in {ties.total()} ({_counted(ties)})")
    if not all(leading):
        texts.append(f"no order in {leading.count([])}, too disturbed")
    if unplaced:
        texts.append(f"left out as disturbed: {_counted(unplaced)}")
    return "; ".join(texts)


def _counted(counts: Counter[str]) -> str:
    """`jax in 9, numpy in 1`, the most frequent first."""
    return ", ".join(f"{name} in {count}" for name, count in counts.most_common())


def leading_frameworks(section: Section) -> list[str]:
    """Return the framework that is fastest, or those that are too close; none if neither is shown.

    Two loops of one framework that are too close still make that framework the fastest.
    """
    ranking = section.ranking
    if ranking is None or not (ranking.winner or ranking.tied):
        return []
    return list(dict.fromkeys(line.framework for line in (ranking.first, *ranking.close)))


def _unplaced(section: Section) -> list[str]:
    """Return frameworks that do not lead and may yet be the fastest: only disturbed trials."""
    ranking, leading = section.ranking, leading_frameworks(section)
    unplaced = ranking.unplaced if ranking and leading else ()
    return [name for name in dict.fromkeys(x.framework for x in unplaced) if name not in leading]


@dataclass(frozen=True)
class Gap:
    """The fastest line of an experiment, and the slowest framework in its own fastest loop."""

    section: Section
    quick: Line
    slow: Line

    @property
    def factor(self) -> float:
        """Slow over quick, by the times of the table."""
        quick, slow = self.quick.train, self.slow.train
        return slow.value / quick.value if quick and slow else 1.0


def widest_gap(group: Iterable[Section]) -> Gap | None:
    """Return the widest gap between two frameworks of one experiment that is shown to be one."""
    gaps = []
    for section in group:
        slow = _slowest(section)
        if section.ranking is not None and slow is not None:
            gaps.append(Gap(section, section.ranking.first, slow))
    return max(gaps, key=lambda gap: gap.factor, default=None)


def _slowest(section: Section) -> Line | None:
    """Return the slowest framework's fastest line; None if no other framework is shown slower."""
    ranking = section.ranking
    if ranking is None:
        return None
    fastest: dict[str, Line] = {}
    lines = (ranking.first, *ranking.close, *ranking.unplaced, *ranking.slower)
    for line in sorted(lines, key=lambda line: line.train.value if line.train else 0.0):
        fastest.setdefault(line.framework, line)
    shown = [line for line in fastest.values() if line in ranking.slower]
    return shown[-1] if shown else None


def _widest(group: Sequence[Section]) -> str:
    gap = widest_gap(group)
    if gap is None:
        return ""
    return (
        f"Widest gap, {times_text(gap.slow, gap.quick)} times: “{gap.section.experiment.title}”, "
        f"{known_time(gap.quick)} in {gap.quick.name}, {known_time(gap.slow)} in {gap.slow.name}."
    )


# ---------------------------------------------------------------- what was counted


def status_counts(rows: Sequence[Row]) -> str:
    """`13 ok, 2 missing`."""
    counts = Counter(row.status for row in rows)
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def trial_counts(run: Run) -> str:
    """`82 of 82 trials (81 ok, 1 missing), 1 of them of a library's own solver`."""
    counts = status_counts(run.rows)
    native = sum(row.track == Track.NATIVE for row in run.rows)
    text = f"{len(run.rows)} of {count_text(len(run.plan.trials), 'trial')}"
    text += f" ({counts})" if counts else ""
    return (
        f"{text}, {native} of them of a library's own solver, which is not compared"
        if native
        else text
    )
