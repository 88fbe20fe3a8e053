"""A part of a plan, for one of several machines that share the work.

What is timed together stays together: a shard takes whole blocks (experiment, seed, repeat,
threads), because ratios of times are taken inside a block. Where times do not matter, every trial
is a unit of its own. A shard proves what it trained, with its own machine's libraries. Every
machine computes the same division from the plan alone.
"""

import heapq
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

from harness.plan import Plan, Trial

MOST = 10_000


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, counted from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `2/5`.

        Raises:
            ValueError: it is not a number of a part and how many there are.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise ValueError(
                f"--shard must be i/n with 1 <= i <= n <= {MOST:,}, such as 2/5 for the second of "
                f"five parts. Got {text!r}"
            )
        return cls(number, count)

    @property
    def suffix(self) -> str:
        """What the name of its folder ends with: `-2-of-5`."""
        return f"-{self.number}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def part_of(plan: Plan, shard: Shard, estimates_s: Mapping[str, float]) -> Plan:
    """Return the plan with the trials, proofs and limits of one shard, in the plan's order.

    Units are given out by estimated time, the longest first, each to the shard that has least so
    far. Every trial is in exactly one shard; proofs of a loop, and limits of an experiment, are in
    every shard that trains it.

    Args:
        plan: the whole plan.
        shard: which part.
        estimates_s: seconds of every trial, by id; the same on every machine.
    """
    units: dict[Hashable, list[Trial]] = {}
    for trial in plan.trials:
        units.setdefault(unit_of(trial, plan.request.timed), []).append(trial)
    mine = _given_to(shard, units.values(), estimates_s)
    trials = tuple(trial for trial in plan.trials if trial.id in mine)
    cells = {_cell(trial) for trial in trials}
    timed = {trial.experiment for trial in trials}
    return replace(
        plan,
        trials=trials,
        proofs=tuple(proof for proof in plan.proofs if _cell(proof) in cells),
        limits=tuple(limit for limit in plan.limits if limit.experiment in timed),
    )


def _cell(trial: Trial) -> tuple[str, str, str]:
    return trial.experiment, trial.framework, trial.loop


def unit_of(trial: Trial, timed: bool) -> Hashable:
    """Return what trials that stay together have in common."""
    if not timed:
        return trial.id
    return trial.experiment, trial.seed, trial.repeat, trial.threads


def _given_to(
    shard: Shard, units: Iterable[list[Trial]], estimates_s: Mapping[str, float]
) -> set[str]:
    """Return the ids of what a shard gets."""
    durations_s = [(sum(estimates_s[trial.id] for trial in unit), unit) for unit in units]
    durations_s.sort(key=lambda unit: -unit[0])  # stable: equal ones stay in the plan's order
    loads = [(0.0, number) for number in range(1, shard.count + 1)]
    mine: set[str] = set()
    for duration_s, unit in durations_s:
        load_s, number = heapq.heappop(loads)
        heapq.heappush(loads, (load_s + duration_s, number))
        if number == shard.number:
            mine.update(trial.id for trial in unit)
    return mine
