"""What a report is made of: a line per framework and loop, in sections; and who is fastest.

Other processes only make a trial slower, so the time of a disturbed trial is an upper bound. A
disturbed trial is left out of its line's times. Where every trial of a line was disturbed, the
line's time is an upper bound: it may be shown to be faster than another, never to be slower.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from harness.analysis.cells import Repetition
from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL, Estimate, estimate
from harness.analysis.limits import LimitFractions
from harness.experiment.losses import MeanSquaredError
from harness.experiment.model import WORTH_MEASURING_FLOP, Experiment
from harness.experiment.vocabulary import Status, Track
from harness.parity.judgement import Judgement
from harness.report.protocol_differences import Likeness
from harness.report.protocol_parts import Part, as_line
from harness.report.text import count_text
from harness.run import Run

Samples = Mapping[Repetition, float]
"""(seed, repeat) to seconds of training."""

TOO_CLOSE = 3.0
"""Where there is no interval, times that differ by a smaller factor are not ordered. In
the reference run, on a shared machine, undisturbed trials of one line differed by up to 1.84."""
SMALL_BELOW_FLOP = WORTH_MEASURING_FLOP
"""A network is small if its step's products cost less. At 100 GFLOP/s those take 10 microseconds,
as long as the leanest loop takes for everything else, so small steps are mostly overhead."""


class Measure(StrEnum):
    """What the result column of an experiment's table holds."""

    ACCURACY = "test accuracy"
    LOSS = "test loss"
    TRAINING_ACCURACY = "training accuracy"
    TRAINING_LOSS = "training loss"
    OUTPUTS = "outputs"

    @property
    def is_accuracy(self) -> bool:
        return self in (Measure.ACCURACY, Measure.TRAINING_ACCURACY)

    @property
    def is_loss(self) -> bool:
        return self in (Measure.LOSS, Measure.TRAINING_LOSS)


def measure_of(experiment: Experiment) -> Measure:
    """Return what is shown of an experiment: of training rows where none are kept for a test."""
    if experiment.loss is None:
        return Measure.OUTPUTS
    has_test = experiment.data.keeps_test_rows
    if experiment.data.facts.kind == "values":
        return Measure.LOSS if has_test else Measure.TRAINING_LOSS
    return Measure.ACCURACY if has_test else Measure.TRAINING_ACCURACY


def is_halved(experiment: Experiment) -> bool:
    """Whether losses are half of the squared errors."""
    return isinstance(experiment.loss, MeanSquaredError) and experiment.loss.half


class LineState(StrEnum):
    """What may be said of a line's result. The page's classes have these names too."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    DIFFERENT = "different"
    FAILED = "failed"
    ABSENT = "absent"
    NATIVE = "native"


def state_of(judgement: Judgement) -> LineState:
    """Return what a judgement makes of a line that has a result."""
    if judgement.proven:
        return LineState.PROVEN
    return LineState.DIFFERENT if judgement.refuted else LineState.UNPROVEN


@dataclass(frozen=True)
class Line:
    """One line of a table: one loop of a framework, over all seeds and repeats.

    Args:
        accuracy, loss, outputs: of the test rows; of the training rows where the experiment keeps
            none for a test.
        spread: standard deviation of `accuracy` over seeds, None for one seed.
        train, step: seconds of training and of a step, of the undisturbed trials; of all where
            every one was disturbed.
        seeds: how many seeds have a trial that ended well.
        samples: training seconds of every (seed, repeat).
        disturbed: (seed, repeat) of the trials that other processes disturbed, and how, in words.
        phases: median seconds of every phase that was measured, by column.
        peak_rss_mb: largest resident memory.
        fractions: of the two limits, medians.
        products_s: seconds that the matrix products of a step take alone, median of the
            undisturbed trials.
        blas: the library of these products, as its rows name it.
        statuses: of its rows, in order.
        detail: why a row has no result, or a remark of the trial.
        judgement: what its proof says.
        ratio: training time over that of the section's baseline; None for the baseline.
        best: whether it is its framework's most compiled loop that ran.
        recompile_s: seconds of training that seem to be compiling again, median of its trials;
            0 unless more than half of them show that.
        command: what was run, where it is a command of the user's; "" for an adapter.
        stated_s: seconds of training as the program of a command says, median; never ranked.
        steps: fewest and most steps of its trials that ended well; of a library's own solver its
            iterations. None where none are known.
    """

    framework: str
    version: str
    track: Track
    loop: str
    device: str
    threads: int
    accuracy: float | None
    spread: float | None
    loss: float | None
    outputs: str | None
    train: Estimate | None
    step: Estimate | None
    seeds: int
    samples: Samples
    disturbed: Mapping[Repetition, str]
    phases: Mapping[str, float]
    peak_rss_mb: float | None
    fractions: LimitFractions
    products_s: float | None
    blas: str | None
    statuses: tuple[Status, ...]
    detail: str | None
    judgement: Judgement
    ratio: Estimate | None = None
    best: bool = True
    recompile_s: float = 0.0
    command: str = ""
    stated_s: float | None = None
    steps: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """`keras fused`."""
        return f"{self.framework} {self.loop}"

    @property
    def identical(self) -> bool:
        """Whether it follows the given start and batches, unlike a library's own solver."""
        return self.track == Track.IDENTICAL

    @property
    def has_result(self) -> bool:
        """Whether at least one of its trials ended well."""
        return Status.OK in self.statuses

    @property
    def absent(self) -> bool:
        """Whether none of its trials could start here."""
        return set(self.statuses) <= {Status.MISSING, Status.UNSUPPORTED}

    @property
    def proven(self) -> bool:
        """Whether its proof says that it computes what the protocol says."""
        return self.judgement.proven

    @property
    def ranked(self) -> bool:
        """Whether its time may be compared with others'."""
        return self.identical and self.proven and self.train is not None

    @cached_property
    def calm(self) -> Samples:
        """Training seconds of the undisturbed trials."""
        return {key: value for key, value in self.samples.items() if key not in self.disturbed}

    @property
    def is_bound(self) -> bool:
        """Whether its training time is an upper bound: every trial was disturbed."""
        return self.train is not None and not self.calm

    @property
    def ok_count(self) -> int:
        """How many of its trials ended well."""
        return self.statuses.count(Status.OK)

    @property
    def state(self) -> LineState:
        if not self.identical:
            return LineState.NATIVE
        if not self.has_result:
            return LineState.ABSENT if self.absent else LineState.FAILED
        return state_of(self.judgement)


def time_ratio(line: Line, other: Line) -> Estimate | None:
    """Return the training time of a line over another's; None where one of them has none.

    With three undisturbed pairs of trials or more it is paired and has an interval. Otherwise it
    is the ratio of the two times of the table, without an interval.
    """
    if line.train is None or other.train is None:
        return None
    ratios = _ratios(line.calm, other.calm)
    if len(ratios) >= ENOUGH_FOR_AN_INTERVAL:
        return estimate(ratios)
    return Estimate(line.train.value / other.train.value, None, None, len(ratios))


def _ratios(numerators: Samples, denominators: Samples) -> list[float]:
    common = sorted(numerators.keys() & denominators.keys())
    return [numerators[key] / denominators[key] for key in common]


@dataclass(frozen=True)
class Ranking:
    """What may be said of the order of a table's proven lines. All loops take part.

    Args:
        first: the line with the smallest time, an upper bound or not.
        close: undisturbed lines that are not shown to be slower, the quickest first.
        slower: lines that are shown to be slower than the first, the quickest first.
        unplaced: lines of which nothing is said, the quickest first. Their time is an upper bound,
            and not the smallest; or they have too few undisturbed trials to be shown slower than
            the first, although a line with a smaller time is.
        pairs: undisturbed pairs of trials of the first and a line of `close`, the fewest.
    """

    first: Line
    close: tuple[Line, ...] = ()
    slower: tuple[Line, ...] = ()
    unplaced: tuple[Line, ...] = ()
    pairs: int = 0

    @property
    def winner(self) -> Line | None:
        """The fastest line: another is shown to be slower, and none is too close to it."""
        return self.first if self.slower and not self.close else None

    @property
    def tied(self) -> tuple[Line, ...]:
        """Lines that share the first place; none where there is a winner, or nothing to order."""
        return (self.first, *self.close) if self.close else ()

    @property
    def rival(self) -> Line | None:
        """The quickest line of another framework that is shown to be slower, or else any such."""
        leading = {line.framework for line in (self.first, *self.close)}
        others = [line for line in self.slower if line.framework not in leading]
        return next(iter(others or self.slower), None)


def rank(lines: Sequence[Line]) -> Ranking | None:
    """Order the proven lines by training time; None for fewer than two.

    A line is slower than the first if every paired ratio's interval lies above 1, or where there
    are too few undisturbed pairs for an interval, by a factor of at least `TOO_CLOSE`.
    """
    timed = sorted((line for line in lines if line.ranked), key=_time)
    if len(timed) < 2:
        return None
    first, *others = timed
    slower = [line for line in others if is_shown_slower(line, first)]
    open_lines = [line for line in others if line not in slower]
    quickest_slower = min(map(_time, slower), default=math.inf)
    unplaced = [
        line
        for line in open_lines
        if line.is_bound
        or (_pairs(line, first) < ENOUGH_FOR_AN_INTERVAL and _time(line) > quickest_slower)
    ]
    close = [line for line in open_lines if line not in unplaced]
    pairs = min((_pairs(line, first) for line in close), default=0)
    return Ranking(first, tuple(close), tuple(slower), tuple(unplaced), pairs)


def _pairs(line: Line, other: Line) -> int:
    """Return how many undisturbed pairs of trials two lines have."""
    return len(line.calm.keys() & other.calm.keys())


def _time(line: Line) -> float:
    return line.train.value if line.train else 0.0


def is_shown_slower(line: Line, first: Line) -> bool:
    """Whether a line is shown to be slower than the one with the smallest time.

    The first's disturbed times are too long, never too short, so they may serve as proof.
    """
    if line.is_bound or _time(line) <= _time(first):
        return False
    undisturbed = _ratios(line.calm, first.calm)
    if len(undisturbed) >= ENOUGH_FOR_AN_INTERVAL:
        return _above_one(undisturbed)
    return _above_one(_ratios(line.calm, first.samples)) or _time(line) >= TOO_CLOSE * _time(first)


def _above_one(ratios: Sequence[float]) -> bool:
    """Whether enough ratios are above 1: by their interval, or each of them by far."""
    ratio = estimate(ratios)
    if ratio is None or ratio.low is None:
        return False
    return ratio.low > 1 or min(ratios) >= TOO_CLOSE


@dataclass(frozen=True)
class Section:
    """One experiment of a report, on one machine and device, with one number of threads.

    Args:
        machine: that its lines ran on; "" where the report has one machine only.
        device: what its lines ran on; "" where nothing ran.
        threads: of its trials; None where the report has only one number of threads.
        timed: whether times were measured.
        protocol: the protocol part by part, and how long it was run against the full length.
        likeness: what the experiment is most like among those before it; None for nothing.
        absent_classes: part of the rows (`training`, `validation`, `test`) to the classes that none
            of its rows has.
    """

    experiment: Experiment
    device: str
    threads: int | None
    timed: bool
    measure: Measure
    protocol: tuple[Part, ...]
    lines: tuple[Line, ...]
    absent_classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    machine: str = ""
    likeness: Likeness | None = None

    @property
    def caption(self) -> str:
        """The protocol in a line."""
        return as_line(self.protocol)

    @property
    def differing(self) -> frozenset[str]:
        """Names of the parts of the protocol in which it differs from the one it is most like."""
        differences = self.likeness.differences if self.likeness else ()
        return frozenset(difference.part for difference in differences)

    @property
    def result_name(self) -> str:
        """`test accuracy`, `half test loss`: what the result column holds."""
        half = "half " if self.measure.is_loss and is_halved(self.experiment) else ""
        return f"{half}{self.measure}"

    @property
    def place(self) -> str:
        """`cpu`; `cpu, 2 threads` with several numbers of threads; then the machine, of several."""
        threads = None if self.threads is None else count_text(self.threads, "thread")
        machine = f"on {self.machine}" if self.machine else ""
        return ", ".join(filter(None, [self.device, threads, machine]))

    @property
    def baseline(self) -> Line | None:
        """The line by whose training time the others' are divided."""
        ranked = [line for line in self.lines if line.ranked and line.best]
        return next((line for line in ranked if line.ratio is None), None)

    @property
    def is_small(self) -> bool:
        """Whether a step of its network is mostly overhead, see `SMALL_BELOW_FLOP`."""
        return self.experiment.step_flop < SMALL_BELOW_FLOP

    @cached_property
    def ranking(self) -> Ranking | None:
        return rank(self.lines)


@dataclass(frozen=True)
class Report:
    """A run, and what its tables show."""

    run: Run
    sections: Sequence[Section]
