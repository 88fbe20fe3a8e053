"""The table `[training.schedule]`: the learning rate of every step, each with its formula.

r is the optimizer's learning rate, n the stated length or interval, and t counts the steps
(`by = "step"`) or the epochs (`by = "epoch"`) that are over, so it is 0 at first. Where
`first = "changed"`, t is one more: the rate has changed once before the first step. `by` is also
the unit of n; by step, an n stated in epochs is counted in steps.

Keras (`keras.optimizers.schedules`) and Optax count steps from 0: `by = "step"`,
`first = "unchanged"`. So does PyTorch, whose `scheduler.step()` comes after the step or the epoch;
called before the first one, as until PyTorch 1.1, it is `first = "changed"`.
`harness.start.rates` computes the rates.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.experiment.fields import Count, Fraction, Frozen, Interval, Length, PositiveNumber

By = Literal["step", "epoch"]
First = Literal["unchanged", "changed"]
Rate = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
AtLeastOne = Annotated[float, Field(strict=True, ge=1, le=1e6)]
Flag = Annotated[bool, Field(strict=True)]


class WarmUp(Length):
    """The rate grows linearly at first: it is multiplied by start + (1 - start) min(t / n, 1).

    Goyal et al. (2017) state it for large batches. PyTorch: `LinearLR(start_factor=start,
    total_iters=n)`. Keras: `CosineDecay(warmup_steps=n)`. Optax: `warmup_cosine_decay_schedule`.
    Loops that multiply by (step + 1) / n with steps from 0 are start = 0.0, first = "changed".

    Args:
        steps, epochs: n, at most the length of training.
        start: the share of the rate at t = 0, at least 0 and below 1.
        by: whether t counts steps or epochs.
        first: whether t of the first step is 0 (`unchanged`) or 1 (`changed`).
        schedule_waits: whether the schedule begins when the warm-up is over, as in Keras and in
            PyTorch's `SequentialLR`; otherwise its t counts from the first step, as in
            `ChainedScheduler`. Must be stated unless the schedule is `constant`.
    """

    start: Fraction
    by: By
    first: First
    schedule_waits: Flag | None = None

    @model_validator(mode="after")
    def _unit(self) -> Self:
        _check_unit(self.by, self.epochs, "epochs")
        return self

    def in_steps(self, steps_per_epoch: int) -> int:
        """Return the length in steps."""
        return self.steps or (self.epochs or 0) * steps_per_epoch


class Warmed(Frozen):
    """What every schedule may have.

    Args:
        warm_up: how the rate grows at first; by default it does not.
    """

    warm_up: WarmUp | None = None

    @model_validator(mode="after")
    def _waits(self) -> Self:
        if self.warm_up is not None and self.warm_up.schedule_waits is None:
            raise ValueError(
                "state warm_up.schedule_waits: true where the schedule begins after the warm-up, "
                "false where it counts from the first step"
            )
        return self


class Constant(Frozen):
    """The rate is r, after a warm-up. Without one, leave the schedule out.

    Args:
        name: `constant`.
        warm_up: must be stated.
    """

    name: Literal["constant"]
    warm_up: WarmUp | None = None

    @model_validator(mode="after")
    def _warms_up(self) -> Self:
        if self.warm_up is None:
            raise ValueError("a constant rate needs no schedule: leave it out, or state warm_up")
        if self.warm_up.schedule_waits is not None:
            raise ValueError(
                "warm_up.schedule_waits: a constant rate does not wait; leave it out. "
                f"Got {str(self.warm_up.schedule_waits).lower()}"
            )
        return self


class StepDecay(Interval, Warmed):
    """r factor^floor(t / n): the rate is multiplied by `factor` after every interval.

    t counts epochs where n is in epochs. Keras and Optax: `ExponentialDecay(decay_rate=factor,
    staircase=True)`. PyTorch: `StepLR(step_size=n, gamma=factor)`.

    Args:
        name: `step_decay`.
        factor: above 0 and below 1.
        first: whether t of the first step is 0 (`unchanged`, the default) or 1 (`changed`).
    """

    name: Literal["step_decay"]
    factor: Share
    first: First = "unchanged"

    @property
    def by(self) -> By:
        """What t counts: the unit of the interval."""
        return "epoch" if self.every_epochs else "step"


class Periodic(Interval, Warmed):
    """A schedule with an interval n.

    Args:
        by: whether t counts steps or epochs.
        first: whether t of the first step is 0 (`unchanged`) or 1 (`changed`).
    """

    by: By
    first: First

    @model_validator(mode="after")
    def _unit(self) -> Self:
        _check_unit(self.by, self.every_epochs, "every_epochs")
        return self


class ExponentialDecay(Periodic):
    """r factor^(t / n), continuously; `step_decay` is the staircase.

    Keras and Optax: `ExponentialDecay(decay_steps=n, decay_rate=factor)`. PyTorch:
    `ExponentialLR(gamma=factor)`, n = 1.

    Args:
        name: `exponential_decay`.
        factor: above 0 and below 1.
    """

    name: Literal["exponential_decay"]
    factor: Share


class InverseTimeDecay(Periodic):
    """r / (1 + factor t / n); with a staircase, floor(t / n) in place of t / n.

    Keras: `InverseTimeDecay(decay_steps=n, decay_rate=factor)`; `decay=factor` of its earlier
    optimizers is n = 1 by step.

    Args:
        name: `inverse_time_decay`.
        factor: above 0.
        staircase: whether the rate changes after every interval alone.
    """

    name: Literal["inverse_time_decay"]
    factor: PositiveNumber
    staircase: Flag


class PowerDecay(Periodic):
    """r / (1 + t / n)^power.

    With power 0.5 and n = 1 it is the inverse square root. scikit-learn: `invscaling` of
    `SGDClassifier`, power_t = power, n = 1, by step, batches of one row. (That of
    `MLPClassifier` counts rows, and changes after an epoch.)

    Args:
        name: `power_decay`.
        power: above 0 and at most 10.
    """

    name: Literal["power_decay"]
    power: Annotated[float, Field(strict=True, gt=0, le=10)]


class PiecewiseConstant(Warmed):
    """r until the first boundary, then the rate stated for each: rates[i] where t >= boundary i.

    Boundaries are steps or epochs that are over. PyTorch: `MultiStepLR` (milestones; its rates
    are r gamma, r gamma^2, ...). Optax: `piecewise_constant_schedule`. Keras changes one step
    later: `PiecewiseConstantDecay(boundaries=[b - 1, ...], values=[r, ...])`.

    Args:
        name: `piecewise_constant`.
        at_steps, at_epochs: the boundaries, rising. Give one of them.
        rates: as many as boundaries.
        first: whether t of the first step is 0 (`unchanged`) or 1 (`changed`).
    """

    name: Literal["piecewise_constant"]
    at_steps: tuple[Count, ...] | None = None
    at_epochs: tuple[Count, ...] | None = None
    rates: tuple[PositiveNumber, ...]
    first: First

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.at_steps is None) == (self.at_epochs is None):
            raise ValueError("give either at_steps or at_epochs")
        name = "at_epochs" if self.at_steps is None else "at_steps"
        if not self.boundaries:
            raise ValueError(
                f"{name}: must have a boundary; for a constant rate leave out schedule"
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise ValueError(f"{name}: must rise. Got {list(self.boundaries)}")
        if len(self.rates) != len(self.boundaries):
            raise ValueError(
                f"rates: one for each of the {len(self.boundaries)} boundaries in {name}; before "
                f"the first it is the optimizer's learning_rate. Got {len(self.rates)}"
            )
        return self

    @property
    def boundaries(self) -> tuple[int, ...]:
        """The boundaries in their unit."""
        return self.at_steps or self.at_epochs or ()

    @property
    def by(self) -> By:
        """What t counts: the unit of the boundaries."""
        return "epoch" if self.at_steps is None else "step"


class Finite(Length, Warmed):
    """A schedule with a length n.

    Args:
        by: whether t counts steps or epochs.
        first: whether t of the first step is 0 (`unchanged`) or 1 (`changed`).
    """

    by: By
    first: First

    @model_validator(mode="after")
    def _unit(self) -> Self:
        _check_unit(self.by, self.epochs, "epochs")
        return self

    def in_steps(self, steps_per_epoch: int) -> int:
        """Return the length in steps."""
        return self.steps or (self.epochs or 0) * steps_per_epoch


class PolynomialDecay(Finite):
    """end_rate + (r - end_rate) (1 - min(t / n, 1))^power.

    Keras: `PolynomialDecay(decay_steps=n, end_learning_rate=end_rate, power=power)`. PyTorch:
    `PolynomialLR(total_iters=n, power=power)`, end_rate = 0; `LinearLR(start_factor=1,
    end_factor=end_rate / r, total_iters=n)`, power 1. Optax: `polynomial_schedule`,
    `linear_schedule`.

    Args:
        name: `polynomial_decay`.
        end_rate: at least 0 and below the learning rate.
        power: above 0 and at most 10; 1 is a straight line.
    """

    name: Literal["polynomial_decay"]
    end_rate: Rate
    power: Annotated[float, Field(strict=True, gt=0, le=10)]


class CosineDecay(Finite):
    """end_rate + (r - end_rate) (1 + cos(pi min(t / n, 1))) / 2 (Loshchilov and Hutter 2017).

    Keras: `CosineDecay(decay_steps=n, alpha=end_rate / r)`. Optax: `cosine_decay_schedule`.
    PyTorch: `CosineAnnealingLR(T_max=n, eta_min=end_rate)`, whose rate rises again after n.

    Args:
        name: `cosine_decay`.
        end_rate: at least 0 and below the learning rate.
    """

    name: Literal["cosine_decay"]
    end_rate: Rate


class CosineRestarts(Finite):
    """SGDR (Loshchilov and Hutter 2017): cosine decay that begins again whenever it is over.

    Cycle i = 0, 1, ... has the length n growth^i; u counts from its beginning. The rate is
    end_rate + (r - end_rate) peak_factor^i (1 + cos(pi u / (n growth^i))) / 2.

    Keras: `CosineDecayRestarts(first_decay_steps=n, t_mul=growth, m_mul=peak_factor,
    alpha=end_rate / r)`. PyTorch: `CosineAnnealingWarmRestarts(T_0=n, T_mult=growth,
    eta_min=end_rate)`, peak_factor 1.

    Args:
        name: `cosine_restarts`.
        end_rate: at least 0 and below the learning rate.
        growth: 1 or more.
        peak_factor: above 0 and at most 1.
    """

    name: Literal["cosine_restarts"]
    end_rate: Rate
    growth: AtLeastOne
    peak_factor: Annotated[float, Field(strict=True, gt=0, le=1)]


class OneCycle(Finite):
    """1cycle (Smith and Topin 2018): up to r, and down to far below the start.

    From low = r / start_divisor at t = 0 to r at t = p n - 1, and down to low / end_divisor at
    t = n - 1, where it stays; p is `rising`. With three phases it is low again at t = 2 p n - 2.
    Between these points the rate is linear in t, or half a cosine.

    PyTorch: `OneCycleLR(max_lr=r, total_steps=n, pct_start=rising, div_factor=start_divisor,
    final_div_factor=end_divisor, anneal_strategy="cos" or "linear", three_phase=three_phases,
    cycle_momentum=False)`. The momentum of a protocol stays as it is.

    Args:
        name: `one_cycle`.
        rising: the share of n in which the rate rises, above 0 and below 1; at most 0.5 with
            three phases.
        start_divisor, end_divisor: 1 or more.
        annealing: `cosine` or `linear`.
        three_phases: whether it falls in two phases.
    """

    name: Literal["one_cycle"]
    rising: Share
    start_divisor: AtLeastOne
    end_divisor: AtLeastOne
    annealing: Literal["cosine", "linear"]
    three_phases: Flag

    @model_validator(mode="after")
    def _phases(self) -> Self:
        if self.three_phases and self.rising > 0.5:
            raise ValueError(
                "rising: at most 0.5 with three_phases, because the rate falls for as long as it "
                f"rises. Got {self.rising:g}"
            )
        return self

    def turns(self, n: int) -> tuple[float, ...]:
        """Return the t at which the phases end, of a cycle of length n."""
        if self.three_phases:
            return self.rising * n - 1, 2 * self.rising * n - 2, n - 1
        return self.rising * n - 1, n - 1


Schedule = Annotated[
    Constant
    | StepDecay
    | ExponentialDecay
    | InverseTimeDecay
    | PowerDecay
    | PiecewiseConstant
    | PolynomialDecay
    | CosineDecay
    | CosineRestarts
    | OneCycle,
    Field(discriminator="name"),
]


def _check_unit(by: By, epochs: int | None, field: str) -> None:
    if by == "epoch" and epochs is None:
        raise ValueError(
            f'by = "epoch" needs {field}: the rate changes only between epochs. State {field}, or '
            'by = "step"'
        )
