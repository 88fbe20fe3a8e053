# ruff: noqa: E501
"""Learning rates that change: the formulas, their laws, and what PyTorch and Keras compute."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.loading import ProtocolError, check_whole, parse
from harness.experiment.rate_checks import lowest_rate
from harness.experiment.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    PowerDecay,
    StepDecay,
    WarmUp,
)
from harness.start import BatchPlan
from harness.start.rates import learning_rates
from tests.conftest import protocol

RATE, EPOCH, STEPS = 0.1, 7, 100
COUNTED = {"by": "step", "first": "unchanged"}


def rates(schedule, count=STEPS, epoch=EPOCH):
    return learning_rates(schedule, RATE, epoch, np.arange(count))


# ---------------------------------------------------------------- laws

firsts, units = st.sampled_from(["unchanged", "changed"]), st.sampled_from(["step", "epoch"])
lengths, shares = st.integers(1, 60), st.floats(0.01, 0.99)


@st.composite
def counted(draw, steps="steps", epochs="epochs"):
    by = draw(units)
    unit = epochs if by == "epoch" or draw(st.booleans()) else steps
    return {unit: draw(lengths), "by": by, "first": draw(firsts)}


@st.composite
def falling(draw):
    """A schedule whose rate never rises."""
    every, course = draw(counted("every_steps", "every_epochs")), draw(counted())
    share, end = draw(shares), draw(st.sampled_from([0.0, 0.001, 0.05]))
    unit = {name: every[name] for name in every if name.startswith("every")}
    values = (
        (StepDecay, {"name": "step_decay", "factor": share, "first": every["first"], **unit}),
        (ExponentialDecay, {"name": "exponential_decay", "factor": share, **every}),
        (InverseTimeDecay, {"name": "inverse_time_decay", "factor": share, "staircase": False, **every}),
        (InverseTimeDecay, {"name": "inverse_time_decay", "factor": 9.0, "staircase": True, **every}),
        (PowerDecay, {"name": "power_decay", "power": 3 * share, **every}),
        (PolynomialDecay, {"name": "polynomial_decay", "power": 3 * share, "end_rate": end, **course}),
        (CosineDecay, {"name": "cosine_decay", "end_rate": end, **course}),
    )  # fmt: skip
    model, fields = draw(st.sampled_from(values))
    return model.model_validate(fields)


@st.composite
def any_schedule(draw):
    """Any schedule without a warm-up."""
    course, end = draw(counted()), draw(st.sampled_from([0.0, 0.001, 0.05]))
    growth, peak = draw(st.sampled_from([1.0, 1.5, 2.0])), draw(st.sampled_from([1.0, 0.5]))
    restarts = {"end_rate": end, "growth": growth, "peak_factor": peak}
    boundaries = sorted(draw(st.sets(lengths, min_size=1, max_size=4)))
    pieces = {"at_steps": boundaries, "rates": [draw(shares) for _ in boundaries]}
    restarting = CosineRestarts.model_validate({"name": "cosine_restarts", **restarts, **course})
    piecewise = {"name": "piecewise_constant", "first": draw(firsts), **pieces}
    return draw(
        st.one_of(
            falling(), st.just(restarting), st.just(PiecewiseConstant.model_validate(piecewise))
        )
    )


@given(falling())
def test_a_decay_begins_at_the_rate_and_never_rises(schedule):
    found = rates(schedule)
    assert (np.diff(found) <= 0).all()
    assert found[0] <= RATE
    if schedule.first == "unchanged":
        assert found[0] == RATE
    assert (found >= getattr(schedule, "end_rate", 0.0) - 1e-15).all()


@given(any_schedule())
def test_rates_are_within_their_bounds(schedule):
    found = rates(schedule)
    largest = max([RATE, *getattr(schedule, "rates", ())])
    assert ((found >= 0) & (found <= largest * (1 + 1e-15))).all()
    if schedule.name != "cosine_restarts":  # a cycle may end just after a step
        above_0 = found[found > 1e-9 * RATE]  # at the end of a cosine rounding may leave 1e-17
        assert (above_0 >= lowest_rate(schedule, RATE, EPOCH, STEPS) * (1 - 1e-9)).all()


@given(any_schedule(), st.integers(0, STEPS), st.integers(0, STEPS))
def test_a_rate_does_not_depend_on_the_segment(schedule, one, other):
    start, stop = sorted((one, other))
    part = learning_rates(schedule, RATE, EPOCH, np.arange(start, stop))
    assert part.tolist() == rates(schedule)[start:stop].tolist()


@given(any_schedule())
def test_changed_at_first_is_a_step_or_an_epoch_ahead(schedule):
    other = "changed" if schedule.first == "unchanged" else "unchanged"
    flipped = schedule.model_copy(update={"first": other})
    sooner, later = (schedule, flipped) if other == "unchanged" else (flipped, schedule)
    ahead = EPOCH if schedule.by == "epoch" else 1
    assert rates(sooner).tolist() == rates(later, STEPS + ahead)[ahead:].tolist()


@given(any_schedule())
def test_by_epoch_the_rate_is_that_of_steps_of_one_epoch_each(schedule):
    """An epoch has one rate; and where an epoch is one step, both units are the same."""
    found = rates(schedule, 10 * EPOCH)
    if schedule.by == "epoch":
        epochs = found.reshape(10, EPOCH)
        assert (epochs == epochs[:, :1]).all()
        assert epochs[:, 0].tolist() == rates(schedule, 10, epoch=1).tolist()


@given(any_schedule(), counted(), st.sampled_from([0.0, 0.1, 0.5]))
def test_a_warm_up_grows_to_the_schedule_without_a_jump(schedule, length, start):
    warm_up = {"start": start, "schedule_waits": True, **length}
    warm_up = WarmUp.model_validate(warm_up)
    steps = warm_up.in_steps(EPOCH)
    found = rates(schedule.model_copy(update={"warm_up": warm_up}), steps + STEPS)
    assert (np.diff(found[:steps]) >= 0).all()
    assert found[steps:].tolist() == rates(schedule).tolist()
    n = length.get("epochs") if length["by"] == "epoch" else steps
    first = 1 if length["first"] == "changed" else 0
    assert found[0] == pytest.approx(RATE * (start + (1 - start) * min(first / n, 1)), rel=1e-12)
    assert found[steps - 1] >= RATE * (1 - (1 - start) / n) * (1 - 1e-12)  # one part is left
    together = schedule.model_copy(
        update={"warm_up": warm_up.model_copy(update={"schedule_waits": False})}
    )
    share = found[:steps] / RATE
    assert rates(together)[:steps] == pytest.approx(share[:STEPS] * rates(schedule)[:steps])
    assert rates(together)[steps:].tolist() == rates(schedule)[steps:].tolist()


def test_one_cycle_meets_its_points():
    cycle = {"name": "one_cycle", "steps": 41, "rising": 0.5, "start_divisor": 10.0, **COUNTED}
    for annealing, three in itertools.product(("cosine", "linear"), (False, True)):
        schedule = {"end_divisor": 100.0, "annealing": annealing, "three_phases": three}
        schedule = OneCycle.model_validate(cycle | schedule | {"steps": 42})
        found = rates(schedule, 60)
        assert found[0] == pytest.approx(RATE / 10)
        assert found[20] == pytest.approx(RATE)
        assert found[20] == found.max()
        assert found[41:] == pytest.approx(RATE / 1000)
        if three:
            assert found[40] == pytest.approx(RATE / 10)
        assert (np.diff(found[:21]) > 0).all()
        assert (np.diff(found[20:42]) < 0).all()


# ---------------------------------------------------------------- other libraries


def of_torch(make, steps=60, per_epoch=False):
    """PyTorch's rates, its scheduler called after every step or epoch."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=RATE)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the order of calls, and deprecations inside schedulers
        scheduler = make(torch.optim.lr_scheduler, optimizer)
        for step in range(1, steps + 1):
            found.append(optimizer.param_groups[0]["lr"])
            if not per_epoch or step % EPOCH == 0:
                scheduler.step()
    return found


CYCLE = {"steps": 60, "rising": 0.3, "start_divisor": 25.0, "end_divisor": 1e4, **COUNTED}
WARM = {"steps": 5, "start": 0.2, **COUNTED}
EPOCHS = {"by": "epoch", "first": "unchanged"}


def one_cycle(**changes):
    return lambda s, o: s.OneCycleLR(o, RATE, total_steps=61, cycle_momentum=False, **changes)


TORCH = {
    "StepLR": ({"name": "step_decay", "factor": 0.3, "every_steps": 9}, lambda s, o: s.StepLR(o, 9, 0.3)),
    "ExponentialLR": (
        {"name": "exponential_decay", "factor": 0.9, "every_steps": 1, **COUNTED},
        lambda s, o: s.ExponentialLR(o, 0.9),
    ),
    "MultiStepLR": (
        {"name": "piecewise_constant", "at_steps": [8, 30], "rates": [RATE * 0.1, RATE * 0.01], "first": "unchanged"},
        lambda s, o: s.MultiStepLR(o, [8, 30], 0.1),
    ),
    "PolynomialLR": (
        {"name": "polynomial_decay", "steps": 40, "end_rate": 0.0, "power": 2.0, **COUNTED},
        lambda s, o: s.PolynomialLR(o, 40, 2.0),
    ),
    "LinearLR": (
        {"name": "polynomial_decay", "steps": 40, "end_rate": RATE * 0.3, "power": 1.0, **COUNTED},
        lambda s, o: s.LinearLR(o, 1.0, 0.3, 40),
    ),
    "CosineAnnealingLR": (
        {"name": "cosine_decay", "steps": 60, "end_rate": 0.01, **COUNTED},
        lambda s, o: s.CosineAnnealingLR(o, 60, 0.01),
    ),
    "CosineAnnealingWarmRestarts": (
        {"name": "cosine_restarts", "steps": 7, "end_rate": 0.01, "growth": 2.0, "peak_factor": 1.0, **COUNTED},
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, 2, 0.01),
    ),
    "OneCycleLR": (
        CYCLE | {"steps": 61, "name": "one_cycle", "annealing": "cosine", "three_phases": False},
        one_cycle(),
    ),
    "OneCycleLR, linear, three phases": (
        CYCLE | {"steps": 61, "name": "one_cycle", "annealing": "linear", "three_phases": True},
        one_cycle(anneal_strategy="linear", three_phase=True),
    ),
    "LinearLR as a warm-up": (
        {"name": "constant", "warm_up": WARM},
        lambda s, o: s.LinearLR(o, 0.2, 1.0, 5),
    ),
    "SequentialLR": (
        {"name": "cosine_decay", "steps": 55, "end_rate": 0.0, "warm_up": WARM | {"schedule_waits": True}, **COUNTED},
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.2, 1.0, 5), s.CosineAnnealingLR(o, 55)], [5]),
    ),
    "ChainedScheduler": (
        {"name": "exponential_decay", "factor": 0.9, "every_steps": 1, "warm_up": WARM | {"schedule_waits": False}, **COUNTED},
        lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.2, 1.0, 5), s.ExponentialLR(o, 0.9)]),
    ),
    "StepLR, called after epochs": ({"name": "step_decay", "factor": 0.5, "every_epochs": 2}, lambda s, o: s.StepLR(o, 2, 0.5)),
    "CosineAnnealingLR, called after epochs": (
        {"name": "cosine_decay", "epochs": 9, "end_rate": 0.0, **EPOCHS},
        lambda s, o: s.CosineAnnealingLR(o, 9),
    ),
}  # fmt: skip


def experiment_of(schedule, steps=60, **changes):
    """A protocol of seven steps an epoch."""
    batches = {"order": "shuffled", "size": 206, "last": "keep"}
    values = protocol(
        "digits-mlp", quick=None, training__schedule=schedule, training__batches=batches,
        training__length={"steps": steps}, training__evaluation={"every_steps": steps},
        training__optimizer={"name": "sgd", "learning_rate": RATE}, **changes,
    )  # fmt: skip
    return parse(values, "rates")


@pytest.mark.parametrize("name", TORCH)
def test_the_rates_are_those_of_pytorchs_scheduler(name):
    schedule, make = TORCH[name]
    found = of_torch(make, per_epoch="epochs" in name)
    ours = BatchPlan.of(experiment_of(schedule, constants="exact"), 0).segment(0, 60)
    assert ours.learning_rates == pytest.approx(found, rel=1e-9, abs=1e-15)


def keras_restarts(t, first=7, t_mul=1.5, m_mul=0.8, alpha=0.1):
    """`CosineDecayRestarts`: the restart by a logarithm, as Keras has it."""
    part = t / first
    i = math.floor(math.log(1 - part * (1 - t_mul)) / math.log(t_mul))
    part = (part - (1 - t_mul**i) / (1 - t_mul)) / t_mul**i
    return RATE * ((1 - alpha) * 0.5 * m_mul**i * (1 + math.cos(math.pi * part)) + alpha)


KERAS = {
    "ExponentialDecay": (
        {"name": "exponential_decay", "factor": 0.5, "every_steps": 9, **COUNTED},
        lambda t: RATE * 0.5 ** (t / 9),
    ),
    "ExponentialDecay, staircase": (
        {"name": "step_decay", "factor": 0.5, "every_steps": 9},
        lambda t: RATE * 0.5 ** math.floor(t / 9),
    ),
    "InverseTimeDecay": (
        {"name": "inverse_time_decay", "factor": 0.5, "every_steps": 9, "staircase": False, **COUNTED},
        lambda t: RATE / (1 + 0.5 * t / 9),
    ),
    "InverseTimeDecay, staircase": (
        {"name": "inverse_time_decay", "factor": 0.5, "every_steps": 9, "staircase": True, **COUNTED},
        lambda t: RATE / (1 + 0.5 * math.floor(t / 9)),
    ),
    "decay of the earlier optimizers": (
        {"name": "inverse_time_decay", "factor": 1e-6, "every_steps": 1, "staircase": False, **COUNTED},
        lambda t: RATE * (1 / (1 + 1e-6 * t)),
    ),
    "PiecewiseConstantDecay": (
        {"name": "piecewise_constant", "at_steps": [9, 21], "rates": [0.05, 0.01], "first": "unchanged"},
        lambda t: RATE if t <= 8 else 0.05 if t <= 20 else 0.01,  # its boundaries are 8 and 20
    ),
    "PolynomialDecay": (
        {"name": "polynomial_decay", "steps": 40, "end_rate": 0.01, "power": 0.5, **COUNTED},
        lambda t: (RATE - 0.01) * (1 - min(t, 40) / 40) ** 0.5 + 0.01,
    ),
    "CosineDecay": (
        {"name": "cosine_decay", "steps": 40, "end_rate": 0.01, **COUNTED},
        lambda t: RATE * (0.9 * 0.5 * (1 + math.cos(math.pi * min(t, 40) / 40)) + 0.1),
    ),
    "CosineDecay with a warm-up": (
        {"name": "cosine_decay", "steps": 40, "end_rate": 0.0, **COUNTED,
         "warm_up": {"steps": 6, "start": 0.5, "schedule_waits": True, **COUNTED}},
        lambda t: 0.05 + 0.05 * t / 6 if t < 6 else RATE * 0.5 * (1 + math.cos(math.pi * min(t - 6, 40) / 40)),
    ),
    "CosineDecayRestarts": (
        {"name": "cosine_restarts", "steps": 7, "end_rate": 0.01, "growth": 1.5, "peak_factor": 0.8, **COUNTED},
        keras_restarts,
    ),
    "invscaling of scikit-learn's SGDClassifier": (
        {"name": "power_decay", "power": 0.25, "every_steps": 1, **COUNTED},
        lambda t: RATE / math.pow(t + 1, 0.25),  # its t counts from 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KERAS)
def test_the_rates_are_those_of_the_formula_in_keras(name):
    schedule, formula = KERAS[name]
    ours = BatchPlan.of(experiment_of(schedule, constants="exact"), 0).segment(0, 60)
    assert ours.learning_rates == pytest.approx([formula(t) for t in range(60)], rel=1e-9)


def test_rates_are_rounded_to_float32_at_the_end():
    schedule = {"name": "exponential_decay", "factor": 0.9, "every_steps": 1, **COUNTED}
    ours = BatchPlan.of(experiment_of(schedule), 0).segment(0, 60).learning_rates
    exact = np.array([RATE * 0.9**t for t in range(60)])
    assert ours.tolist() == exact.astype(np.float32).tolist()


# ---------------------------------------------------------------- what cannot be

COSINE = {"name": "cosine_decay", "steps": 40, "end_rate": 0.0, **COUNTED}
PIECES = {"name": "piecewise_constant", "at_steps": [5, 9], "rates": [0.1, 0.2], "first": "changed"}
RESTARTS = COSINE | {"name": "cosine_restarts", "growth": 2.0, "peak_factor": 1.0}
ONE = CYCLE | {"name": "one_cycle", "annealing": "cosine", "three_phases": False}
INVERSE = {"name": "inverse_time_decay", "factor": 1.0, "every_steps": 2, "staircase": True, **COUNTED}  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (PIECES | {"at_steps": [9, 5]}, "at_steps: must rise. Got [9, 5]"),
        (PIECES | {"at_steps": [9, 9]}, "at_steps: must rise. Got [9, 9]"),
        (PIECES | {"at_steps": []}, "at_steps: must have a boundary"),
        (PIECES | {"rates": [0.1]}, "rates: one for each of the 2 boundaries in at_steps"),
        (PIECES | {"rates": [0.1, 0.0]}, "rates[1]: must be greater than 0"),
        (PIECES | {"at_epochs": [3]}, "give either at_steps or at_epochs"),
        (PIECES | {"at_steps": [0, 5]}, "at_steps[0]: must be greater than or equal to 1"),
        (COSINE | {"steps": 0}, "steps: must be greater than or equal to 1. Got 0"),
        (COSINE | {"epochs": 3}, "give either steps or epochs"),
        (COSINE | {"by": "epoch"}, 'by = "epoch" needs epochs'),
        (INVERSE | {"by": "epoch"}, 'by = "epoch" needs every_epochs'),
        (INVERSE | {"factor": -1.0}, "factor: must be greater than 0"),
        (COSINE | {"end_rate": 0.1}, "end_rate: must be below the optimizer's learning_rate, 0.1"),
        (COSINE | {"end_rate": -0.1}, "end_rate: must be greater than or equal to 0"),
        (COSINE | {"end_rate": 1e-39}, "must be 0 or at least 1.2e-38"),
        (RESTARTS | {"growth": 0.5}, "growth: must be greater than or equal to 1"),
        (RESTARTS | {"peak_factor": 0.0}, "peak_factor: must be greater than 0"),
        (ONE | {"rising": 0.6, "three_phases": True}, "rising: at most 0.5 with three_phases"),
        (ONE | {"steps": 3}, "rising: the rate must rise for more than one step. Got 0.3 of 3"),
        (ONE | {"start_divisor": 0.5}, "start_divisor: must be greater than or equal to 1"),
        ({"name": "constant"}, "a constant rate needs no schedule: leave it out, or state warm_up"),
        (COSINE | {"warm_up": WARM}, "state warm_up.schedule_waits"),
        ({"name": "constant", "warm_up": WARM | {"schedule_waits": True}}, "leave it out. Got true"),
        ({"name": "constant", "warm_up": WARM | {"start": 1.0}}, "warm_up.start: must be less than 1"),
        ({"name": "constant", "warm_up": WARM | {"by": "epoch"}}, 'by = "epoch" needs epochs'),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_words(schedule, said):
    with pytest.raises(ProtocolError) as refused:
        experiment_of(schedule)
    assert said in str(refused.value)


@pytest.mark.parametrize("field", ["by", "first", "end_rate"])
def test_no_convention_is_a_hidden_default(field):
    with pytest.raises(ProtocolError, match=f"schedule.{field}: missing"):
        experiment_of({name: value for name, value in COSINE.items() if name != field})


@pytest.mark.parametrize(
    ("quick", "said"),
    [
        (None, "must be over when training ends, after 5 steps. Got 6"),
        (
            {"length": {"steps": 2}},
            "quick.length: with it, training.schedule.warm_up: must be over",
        ),
    ],
)
def test_a_warm_up_is_over_in_a_whole_training_but_not_in_a_proof(quick, said):
    warm_up = WARM | {"steps": 6 if quick is None else 5}
    schedule = {"name": "constant", "warm_up": warm_up}
    experiment = experiment_of(schedule, steps=5)
    experiment = parse(experiment.model_dump(mode="json") | {"quick": quick}, "cut")
    with pytest.raises(ProtocolError) as refused:
        check_whole(experiment, "mine.toml")
    assert said in str(refused.value)
