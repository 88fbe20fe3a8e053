"""A schedule of learning rates in words."""

from collections.abc import Iterator

from harness.experiment.fields import Interval
from harness.experiment.schedules import (
    Constant,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    Finite,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    PowerDecay,
    Schedule,
    StepDecay,
)
from harness.report.text import count_text


def schedule_text(schedule: Schedule) -> str:
    """Return such as `rate times 0.5 every 5 epochs, warm-up over 100 steps from 0`."""
    return ", ".join(_parts(schedule))


def _parts(schedule: Schedule) -> Iterator[str]:
    if not isinstance(schedule, Constant):
        yield _course(schedule)
        if schedule.by == "epoch" and not isinstance(schedule, StepDecay | PiecewiseConstant):
            yield "changed between epochs only"
        if schedule.first == "changed":
            yield f"the first {schedule.by} after the first change"
    warm_up = schedule.warm_up
    if warm_up is not None:
        length = _length(warm_up.steps, warm_up.epochs)
        share = f"{warm_up.start:g} of the rate" if warm_up.start else "0"
        wait = ", then the schedule" if warm_up.schedule_waits else ""
        yield f"warm-up over {length} from {share}{wait}"


def _course(schedule: Schedule) -> str:
    if isinstance(schedule, Finite):
        return _to_an_end(schedule, _length(schedule.steps, schedule.epochs))
    if isinstance(schedule, PiecewiseConstant):
        pairs = zip(schedule.rates, schedule.boundaries, strict=True)
        return "rate " + ", ".join(
            f"{rate:g} after {count_text(boundary, schedule.by)}" for rate, boundary in pairs
        )
    every = ""
    if isinstance(schedule, Interval):
        every = _length(schedule.every_steps, schedule.every_epochs)
    match schedule:
        case StepDecay():
            return f"rate times {schedule.factor:g} every {every.removeprefix('1 ')}"
        case ExponentialDecay():
            return f"exponential decay by {schedule.factor:g} in {every}"
        case InverseTimeDecay():
            stairs = ", in a staircase" if schedule.staircase else ""
            return f"rate over 1 + {schedule.factor:g} t / {every}{stairs}"
        case PowerDecay():
            return f"rate over (1 + t / {every})^{schedule.power:g}"
    return schedule.name.replace("_", " ")


def _to_an_end(schedule: Finite, length: str) -> str:
    match schedule:
        case PolynomialDecay():
            course = "linear" if schedule.power == 1 else f"polynomial (power {schedule.power:g})"
            return f"{course} decay to {schedule.end_rate:g} over {length}"
        case CosineDecay():
            return f"cosine decay to {schedule.end_rate:g} over {length}"
        case CosineRestarts():
            growth = "" if schedule.growth == 1 else f", each {schedule.growth:g} times as long"
            return f"cosine restarts, the first cycle of {length}{growth}"
        case OneCycle():
            return f"1cycle over {length}"
    return f"over {length}"


def _length(steps: int | None, epochs: int | None) -> str:
    return count_text(steps, "step") if steps else count_text(epochs or 0, "epoch")
