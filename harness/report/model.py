"""What a report is made of: a line per framework and loop, in sections; and who is fastest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL, Estimate, paired_ratio
from harness.analysis.limits import LimitFractions
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Status, Track
from harness.parity.judgement import Judgement
from harness.run import Run

Samples = Mapping[tuple[int, int], float]
"""(seed, repeat) to seconds of training."""


class Measure(StrEnum):
    """What the result column of an experiment's table holds."""

    ACCURACY = "accuracy"
    LOSS = "loss"
    OUTPUTS = "outputs"


def measure_of(experiment: Experiment) -> Measure:
    if experiment.loss is None:
        return Measure.OUTPUTS
    return Measure.LOSS if experiment.data.facts.kind == "values" else Measure.ACCURACY


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
        accuracy, loss, outputs: of the test rows.
        spread: standard deviation of `accuracy` over seeds, None for one seed.
        train, step: seconds of training and of a step.
        samples: training seconds of every (seed, repeat).
        phases: median seconds of every phase that was measured, by column.
        peak_rss_mb: largest resident memory.
        fractions: of the two limits, medians.
        noisy: how many of its rows were measured on a disturbed machine.
        statuses: of its rows, in order.
        detail: why a row has no result, or a remark of the trial.
        judgement: what its proof says.
        ratio: training time over that of the section's baseline, paired; None for the baseline.
        best: whether it is its framework's most compiled loop that ran.
    """

    framework: str
    version: str
    track: Track
    loop: str
    device: str
    accuracy: float | None
    spread: float | None
    loss: float | None
    outputs: str | None
    train: Estimate | None
    step: Estimate | None
    samples: Samples
    phases: Mapping[str, float]
    peak_rss_mb: float | None
    fractions: LimitFractions
    noisy: int
    statuses: tuple[Status, ...]
    detail: str | None
    judgement: Judgement
    ratio: Estimate | None = None
    best: bool = True

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

    @property
    def state(self) -> LineState:
        if not self.identical:
            return LineState.NATIVE
        if not self.has_result:
            return LineState.ABSENT if self.absent else LineState.FAILED
        return state_of(self.judgement)


class NoRanking(StrEnum):
    """Why no line is called fastest although several could be."""

    TOO_FEW_RUNS = "too few runs"
    ALL_NOISY = "all noisy"


@dataclass(frozen=True)
class Ranking:
    """Which line of a table may be called fastest.

    Args:
        winner: the fastest line. The ratio of every other line to it has an interval above 1.
        tied: without a winner the quickest line, then those not clearly slower.
        reason: why there is neither.
        without_noisy: whether lines measured on a disturbed machine were left out.
    """

    winner: Line | None = None
    tied: tuple[Line, ...] = ()
    reason: NoRanking | None = None
    without_noisy: bool = False


def rank(lines: Sequence[Line]) -> Ranking | None:
    """Return which line is fastest by paired ratios; None for fewer than two comparable lines."""
    ranked = [line for line in lines if line.ranked]
    if len(ranked) < 2:
        return None
    if any(len(line.samples) < ENOUGH_FOR_AN_INTERVAL for line in ranked):
        return Ranking(reason=NoRanking.TOO_FEW_RUNS)
    quiet = [line for line in ranked if not line.noisy]
    if not quiet:
        return Ranking(reason=NoRanking.ALL_NOISY)
    quickest = min(quiet, key=lambda line: line.train.value if line.train else 0)
    others = [line for line in quiet if line is not quickest]
    close = [line for line in others if not _clearly_slower(line, quickest)]
    without_noisy = len(quiet) < len(ranked)
    if close:
        return Ranking(tied=(quickest, *close), without_noisy=without_noisy)
    return Ranking(winner=quickest, without_noisy=without_noisy)


def _clearly_slower(line: Line, quickest: Line) -> bool:
    ratio = paired_ratio(line.samples, quickest.samples)
    return ratio is not None and ratio.low is not None and ratio.low > 1


@dataclass(frozen=True)
class Section:
    """One experiment of a report, on one device.

    Args:
        device: what its lines ran on; "" where nothing ran.
        caption: the protocol in a line, and how long it was run against the full length.
    """

    experiment: Experiment
    device: str
    measure: Measure
    caption: str
    lines: tuple[Line, ...]

    @property
    def baseline(self) -> Line | None:
        """The line by whose training time the others' are divided."""
        ranked = [line for line in self.lines if line.ranked and line.best]
        return next((line for line in ranked if line.ratio is None), None)

    @cached_property
    def ranking(self) -> Ranking | None:
        return rank(self.lines)


@dataclass(frozen=True)
class Report:
    """A run, and what its tables show."""

    run: Run
    sections: Sequence[Section]
