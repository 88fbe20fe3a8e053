"""A rate that falls on a plateau falls where Keras's and PyTorch's callbacks let it fall."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.loading import ProtocolError, parse
from harness.experiment.plateau import Plateau
from harness.experiment.proof_length import proof_of
from harness.registry import find
from harness.start import BatchPlan
from harness.trial.measure import measure
from harness.trial.outcome import Outcome, Unsupported
from harness.trial.plateau import PlateauTracker
from tests.conftest import protocol
from tests.trials import trial_of

RULE = {
    "watched": "loss", "patience": 2, "factor": 0.5, "min_rate": 0.0, "min_delta": 0.0,
    "relative": False, "every_steps": 10,
}  # fmt: skip
SGD = {"name": "sgd", "learning_rate": 1.0}


class KerasPlateau:
    """The lines of `keras.callbacks.ReduceLROnPlateau` that decide, without a cooldown."""

    def __init__(self, greater, patience, factor, min_rate, min_delta, rate):
        better = (lambda a, b: a > b + min_delta) if greater else (lambda a, b: a < b - min_delta)
        self.better, self.best = better, -math.inf if greater else math.inf
        self.patience, self.factor, self.min_rate = patience, factor, min_rate
        self.rate, self.wait = rate, 0

    def step(self, value):
        if self.better(value, self.best):
            self.best, self.wait = value, 0
            return
        self.wait += 1
        if self.wait >= self.patience:
            if self.rate > self.min_rate:
                self.rate = max(self.rate * self.factor, self.min_rate)
            self.wait = 0


@given(
    st.sampled_from(["loss", "accuracy"]), st.integers(1, 4), st.sampled_from([0.0, 0.125, 0.5]),
    st.sampled_from([0.0, 0.25]), st.lists(st.integers(0, 16), min_size=1, max_size=40),
)  # fmt: skip
def test_it_falls_where_keras_lets_it_fall(watched, patience, min_delta, min_rate, eighths):
    changes = {"watched": watched, "patience": patience, "min_delta": min_delta}
    tracker = PlateauTracker(Plateau(**(RULE | changes | {"min_rate": min_rate})), 1.0)
    keras = KerasPlateau(watched == "accuracy", patience, 0.5, min_rate, min_delta, 1.0)
    for eighth in eighths:
        before = keras.rate
        keras.step(eighth / 8)
        assert tracker.update(eighth / 8) == (keras.rate < before)
        assert tracker.rate == keras.rate


@given(
    st.integers(0, 3), st.sampled_from(["rel", "abs"]), st.sampled_from(["min", "max"]),
    st.lists(st.integers(1, 16), min_size=1, max_size=40),
)  # fmt: skip
def test_it_falls_where_pytorch_lets_it_fall(patience, mode, best, eighths):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, best, 0.5, patience, threshold=0.125, threshold_mode=mode, eps=0.0
    )
    watched = "loss" if best == "min" else "accuracy"
    changes = {"watched": watched, "patience": patience + 1, "min_delta": 0.125}
    tracker = PlateauTracker(Plateau(**(RULE | changes | {"relative": mode == "rel"})), 1.0)
    for eighth in eighths:
        scheduler.step(eighth / 8)
        tracker.update(eighth / 8)
        assert tracker.rate == optimizer.param_groups[0]["lr"]


def plateau_protocol(**changes):
    length = {"training__length": {"steps": 200}, "training__evaluation": {"every_steps": 200}}
    given = {"data__validation": 0.2, "quick": None, "training__optimizer": SGD}
    return parse(protocol(training__plateau=RULE, **(given | length | changes)), "test")


def outcome_of(experiment, **changes):
    outcome = Outcome()
    measure(trial_of(**changes), experiment, find("numpy").load(), outcome)
    return outcome


class Watched:
    """What a trainer is given, and the losses of its validation rows."""

    def __init__(self, monkeypatch):
        adapter = find("numpy").load()
        self.rates = []
        original = adapter.advance

        def advance(trainer, batches):
            self.rates += batches.learning_rates.tolist()
            return original(trainer, batches)

        monkeypatch.setattr(adapter, "advance", advance)


def test_the_rates_of_a_trial_fall(monkeypatch):
    watched = Watched(monkeypatch)
    outcome = outcome_of(plateau_protocol(training__optimizer=SGD | {"learning_rate": 3.0}))
    steps, rates = outcome.arrays["plateau_step"], outcome.arrays["plateau_rate"]
    assert len(steps)
    assert (steps % 10 == 0).all()
    assert rates.tolist() == [3.0 * 0.5 ** (n + 1) for n in range(len(steps))]
    expected = 3.0 * 0.5 ** np.searchsorted(steps, np.arange(200), side="right")
    assert watched.rates[:200] == expected.tolist()


def test_a_loop_of_few_segments_cannot_follow_it():
    from harness.trial.training import check_can_follow

    with pytest.raises(Unsupported, match=r"cannot follow training\.plateau"):
        check_can_follow(plateau_protocol(), "idiomatic")


def test_a_proof_has_a_rate_that_falls_once():
    experiment = plateau_protocol()
    rates = BatchPlan.of(proof_of(experiment), 0).segment(0, 100).learning_rates
    assert rates.tolist() == [1.0] * 50 + [0.5] * 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__validation": 0.0}, "training.plateau: needs validation rows"),
        (
            {"training__plateau": RULE | {"min_rate": 1.0}},
            "min_rate: must be below",
        ),
        (
            {"training__schedule": {"name": "step_decay", "factor": 0.5, "every_steps": 20}},
            "training.plateau: not beside a schedule",
        ),
        (
            {"training__optimizer": {"name": "momentum", "learning_rate": 0.1, "momentum": 0.9}},
            "rate_inside_velocity: state it",
        ),
        ({"training__plateau": RULE | {"factor": 1e-30}}, "state a min_rate of at least"),
    ],
)
def test_what_a_plateau_needs(changes, message):
    changes.setdefault("training__plateau", RULE)
    with pytest.raises(ProtocolError, match=message):
        parse(protocol(**({"data__validation": 0.2, "training__optimizer": SGD} | changes)), "test")


def test_an_accuracy_needs_classes():
    with pytest.raises(ProtocolError, match="has no classes, so no accuracy; watch the 'loss'"):
        parse(
            protocol(
                "diabetes-linear",
                data__validation=0.2,
                training__plateau=RULE | {"watched": "accuracy"},
            ),
            "test",
        )
