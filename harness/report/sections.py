"""Rows to the lines of a table: one per framework, loop and track, over seeds and repeats."""

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import Estimate, estimate, paired_ratio
from harness.analysis.limits import LimitFractions, Setting, fractions_of_limits
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey
from harness.results import Row

LOOPS = ("idiomatic", "stepwise", "fused")
"""Slowest first, as adapters list them; the last one that ran is the framework's best."""
PHASES = ("import_s", "build_s", "first_step_s", "train_s", "predict_s", "total_s", "target_s")
NATIVE = Judgement(Verdict.NOT_COMPARABLE, "a library's own solver", ())
UNPROVEN = Judgement(Verdict.NOT_COMPARABLE, "no proof was made", ())

Verdicts = Mapping[CellKey, Judgement]
Samples = Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Line:
    """One line of a table: one loop of a framework, over all seeds and repeats.

    Args:
        accuracy, loss, outputs: of the test rows.
        spread: standard deviation of `accuracy` over seeds, None for one seed.
        train, step: seconds of training and of a step.
        samples: training seconds of every (seed, repeat).
        ratio: training time over that of the section's baseline, paired; None for itself.
        phases: median seconds of every phase that was measured.
        peak_rss_mb: largest resident memory.
        fractions: of the two limits, medians.
        noisy: how many of its rows were measured on a disturbed machine.
        best: whether it is its framework's most compiled loop that ran.
    """

    framework: str
    version: str
    track: str
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
    status: str
    detail: str | None
    judgement: Judgement
    ratio: Estimate | None = None
    best: bool = True

    @property
    def proven(self) -> bool:
        """Whether this cell is known to compute what the protocol says."""
        return self.judgement.proven

    @property
    def ranked(self) -> bool:
        """Whether its time may be compared with others'."""
        return self.track == "identical" and self.proven and self.train is not None


def parity(row: Row, verdicts: Verdicts) -> Judgement:
    """The verdict on the cell that a row is of."""
    if row.track == "native":
        return NATIVE
    if row.status in ("missing", "unsupported"):
        return Judgement(Verdict.NOT_COMPARABLE, row.status, ())
    return verdicts.get(CellKey(row.experiment, row.framework, row.loop), UNPROVEN)


@dataclass(frozen=True)
class Facts:
    """What is derived from all rows of a run, by trial or cell."""

    verdicts: Verdicts
    noise: Mapping[str, str]
    limits_us: Mapping[Setting, float]


def lines(rows: Sequence[Row], outputs: Callable[[Row], str | None], facts: Facts) -> list[Line]:
    """Lines of one experiment on one device, in the order of their first row; native last."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.track, row.framework, row.loop), []).append(row)
    order = sorted(groups, key=lambda key: key[0] == "native")
    made = [_line(groups[key], outputs, facts) for key in order]
    made = [dataclasses.replace(line, best=line is _best(made, line)) for line in made]
    baseline = _baseline(made)
    return [dataclasses.replace(line, ratio=_ratio(line, baseline)) for line in made]


def _best(made: Sequence[Line], line: Line) -> Line:
    """The most compiled loop that ran, of the line's framework and track."""
    if line.track == "native":
        return line
    cell = line.framework, line.track
    same = [other for other in made if (other.framework, other.track) == cell]
    return max(same, key=lambda other: (other.status.split(",")[0].endswith("ok"), _rank(other)))


def _rank(line: Line) -> int:
    return LOOPS.index(line.loop) if line.loop in LOOPS else -1


def _baseline(made: Sequence[Line]) -> Line | None:
    """What the others' times are divided by: NumPy's best loop, or else the first."""
    ranked = [line for line in made if line.ranked and line.best]
    named = [line for line in ranked if line.framework == "numpy"]
    return next(iter(named or ranked), None)


def _ratio(line: Line, baseline: Line | None) -> Estimate | None:
    if baseline is None or not line.ranked:
        return None
    if (line.framework, line.loop) == (baseline.framework, baseline.loop):
        return None
    return paired_ratio(line.samples, baseline.samples)


def _line(rows: list[Row], outputs: Callable[[Row], str | None], facts: Facts) -> Line:
    good = [row for row in rows if row.status == "ok"]
    shown = good[0] if good else rows[0]
    accuracies = _of_seeds(good, lambda row: row.test_accuracy)
    samples = {(r.seed, r.repeat): r.train_s for r in good if r.train_s}
    quiet = [row for row in good if row.trial not in facts.noise]
    measured = [fractions_of_limits(row, facts.limits_us) for row in quiet or good]
    phases = {name: _middle([getattr(row, name) for row in good]) for name in PHASES}
    memory = [row.peak_rss_mb for row in good if row.peak_rss_mb]
    return Line(
        framework=shown.framework,
        version=shown.framework_version,
        track=shown.track,
        loop=shown.loop,
        device=shown.device,
        accuracy=statistics.fmean(accuracies) if accuracies else None,
        spread=statistics.stdev(accuracies) if len(accuracies) > 1 else None,
        loss=_middle(_of_seeds(good, lambda row: row.test_loss)),
        outputs=outputs(shown) if good else None,
        train=estimate(list(samples.values())),
        step=estimate([row.step_us * 1e-6 for row in good if row.step_us]),
        samples=samples,
        phases={name: value for name, value in phases.items() if value is not None},
        peak_rss_mb=max(memory, default=None),
        fractions=LimitFractions(
            _middle([f.of_machine for f in measured]), _middle([f.of_own for f in measured])
        ),
        noisy=sum(row.trial in facts.noise for row in good),
        status=_status(rows),
        detail=next((row.status_detail for row in rows if row.status != "ok"), shown.status_detail),
        judgement=parity(shown, facts.verdicts),
    )


def _of_seeds(rows: list[Row], value: Callable[[Row], float | None]) -> list[float]:
    """One value per seed: repeats of a seed compute the same."""
    found = {row.seed: value(row) for row in rows}
    return [value for value in found.values() if value is not None]


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _status(rows: list[Row]) -> str:
    """`ok`, or `2 ok, 1 timeout` where they differ."""
    statuses = [row.status for row in rows]
    names = sorted(set(statuses), key=lambda status: status != "ok")
    if len(names) == 1:
        return names[0]
    return ", ".join(f"{statuses.count(name)} {name}" for name in names)
