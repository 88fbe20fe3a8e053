"""Where more threads help and where they hurt: the same loop on two numbers of threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL
from harness.report.model import Line, Section, is_shown_slower
from harness.report.remarks import known_time, times_text
from harness.report.text import count_text

NAMES_AT_MOST = 4
"""So many experiments are named of a framework. Of more, the others are counted."""


@dataclass(frozen=True)
class Effect:
    """One loop of an experiment on fewer and on more threads; both are proven and timed."""

    section: Section
    few: Line
    many: Line

    @property
    def helps(self) -> bool:
        """Whether more threads are shown to be faster, by the rule of the ranking."""
        return is_shown_slower(self.few, self.many)

    @property
    def hurts(self) -> bool:
        """Whether more threads are shown to be slower."""
        return is_shown_slower(self.many, self.few)

    @property
    def factor(self) -> float:
        """The longer time over the shorter one."""
        few, many = self.few.train, self.many.train
        ratio = few.value / many.value if few and many else 1.0
        return max(ratio, 1 / ratio)


def effects(sections: Sequence[Section]) -> dict[tuple[int, int], list[Effect]]:
    """Return the effects by (fewer, more) threads, of each framework's most compiled loop.

    The fewest threads are compared with every other number.
    """
    places: dict[tuple[str, str, str], dict[int, Section]] = {}
    for section in sections:
        if section.threads is not None:
            key = section.experiment.name, section.machine, section.device
            places.setdefault(key, {})[section.threads] = section
    of_pair: dict[tuple[int, int], list[Effect]] = {}
    for by_threads in places.values():
        fewest, *others = sorted(by_threads)
        few_lines = {line.name: line for line in by_threads[fewest].lines if _counts(line)}
        for threads in others:
            section = by_threads[threads]
            of_pair.setdefault((fewest, threads), []).extend(
                Effect(section, few_lines[line.name], line)
                for line in section.lines
                if _counts(line) and line.name in few_lines
            )
    return of_pair


def _counts(line: Line) -> bool:
    return line.best and line.ranked


def thread_statements(sections: Sequence[Section]) -> list[str]:
    """Return a statement per two numbers of threads; none where nothing can be compared."""
    return [
        f"{count_text(many, 'thread')} instead of {few}: {_statement(compared)}."
        for (few, many), compared in effects(sections).items()
        if compared
    ]


def _statement(compared: Sequence[Effect]) -> str:
    faster = [effect for effect in compared if effect.helps]
    slower = [effect for effect in compared if effect.hurts]
    parts = []
    if faster:
        most = max(faster, key=lambda effect: effect.factor)
        times = times_text(most.few, most.many)
        parts.append(f"faster for {_listed(faster)}; most, {times} times as fast, {_most(most)}")
    if slower:
        most = max(slower, key=lambda effect: effect.factor)
        times = times_text(most.many, most.few)
        parts.append(f"slower for {_listed(slower)}; most, {times} times as long, {_most(most)}")
    open_count = len(compared) - len(faster) - len(slower)
    if open_count:
        parts.append(f"no difference is shown in {open_count} of {len(compared)} cases")
        if all(_has_few_pairs(effect) for effect in compared):
            parts.append("three or more undisturbed seeds would show smaller ones")
    return "; ".join(parts)


def _has_few_pairs(effect: Effect) -> bool:
    return len(effect.few.calm.keys() & effect.many.calm.keys()) < ENOUGH_FOR_AN_INTERVAL


def _listed(chosen: Sequence[Effect]) -> str:
    """`numpy (mnist-deep, mnist-wide), jax (mnist-deep)`."""
    names: dict[str, list[str]] = {}
    for effect in chosen:
        names.setdefault(effect.many.framework, []).append(effect.section.experiment.name)
    texts = []
    for framework, experiments in names.items():
        more = len(experiments) - NAMES_AT_MOST
        shown = [*experiments[:NAMES_AT_MOST], *([f"{more} more"] if more > 0 else [])]
        texts.append(f"{framework} ({', '.join(shown)})")
    return ", ".join(texts)


def _most(effect: Effect) -> str:
    """`“Two hidden layers on MNIST” in numpy stepwise: 7.2 s, then 4.1 s`."""
    return (
        f"“{effect.section.experiment.title}” in {effect.many.name} "
        f"({known_time(effect.few)}, then {known_time(effect.many)})"
    )
