"""Rules of the contract, each broken by an adapter that is right in all else."""

import copy
import dataclasses
import threading

import numpy as np
import pytest

from harness.parity.clocked_work import problem_with_clock, repeated
from harness.parity.outputs import (
    many_rows,
    outputs_of,
    problem_with_order,
    problem_with_outputs,
    relative_gap,
)
from harness.parity.protocols import every
from harness.parity.rules import BY_NAME
from harness.parity.subject import BrokenRuleError, NoSuchProtocolError, Subject, difference
from harness.start import BatchPlan
from implementations.numpy_scratch import NumpyTrainer


class ReversesManyRows(NumpyTrainer):
    def predict(self, inputs):
        outputs = super().predict(inputs)
        return np.concatenate([outputs[:1000], outputs[1000:][::-1]])


class RoundsManyRows(NumpyTrainer):
    def predict(self, inputs):
        outputs = super().predict(inputs)
        return outputs if len(inputs) < 5_000 else outputs.astype("f").astype(outputs.dtype)


class PredictsFromTheStart(NumpyTrainer):
    def __init__(self, task):
        super().__init__(task)
        self.first = NumpyTrainer(task)

    def predict(self, inputs):
        return self.first.predict(inputs)


class RemembersPredictions(NumpyTrainer):
    def predict(self, inputs):
        self.seen = {**getattr(self, "seen", {})}
        return self.seen.setdefault(len(inputs), super().predict(inputs))


class TrainsInStage(NumpyTrainer):
    def stage(self, batches):
        self.losses = super().advance(batches)

    def advance(self, batches):
        return self.losses


class TrainsAShadowInStage(NumpyTrainer):
    """The result of `stage` shows only after `advance`: nothing but the clock tells."""

    def stage(self, batches):
        self.shadow = copy.deepcopy(self.__dict__.get("now", self.__dict__))
        shadow = NumpyTrainer.__new__(NumpyTrainer)
        shadow.__dict__ = self.shadow
        self.losses = shadow.advance(batches)

    def advance(self, batches):
        losses, now = self.losses, self.shadow
        self.__dict__.update(now)
        return losses


class TrainsWhenAsked(NumpyTrainer):
    """`advance` only remembers, and copies what it remembers."""

    loops = ("idiomatic",)

    def __init__(self, task):
        inputs, targets = task.inputs.copy(), np.array(task.targets)
        super().__init__(dataclasses.replace(task, inputs=inputs, targets=targets))
        self.pending = []

    def advance(self, batches):
        self.pending.append(copy.deepcopy(batches))

    def catch_up(self):
        pending, self.pending = self.pending, []
        for batches in pending:
            super().advance(batches)

    def parameters(self):
        self.catch_up()
        return super().parameters()

    def predict(self, inputs):
        self.catch_up()
        return super().predict(inputs)


class TrainsOnTheGivenWhenAsked(TrainsWhenAsked):
    """As above, but it remembers the very arrays that it was given."""

    def __init__(self, task):
        NumpyTrainer.__init__(self, task)
        self.pending = []

    def advance(self, batches):
        self.pending.append(batches)


class TrainsInTheBackground(TrainsWhenAsked):
    def advance(self, batches):
        self.catch_up()
        self.pending = [threading.Thread(target=self.train, args=(copy.deepcopy(batches),))]
        self.pending[0].start()

    def train(self, batches):
        NumpyTrainer.advance(self, batches)

    def catch_up(self):
        for thread in self.pending:
            thread.join()


class TakesItsOwnRate(NumpyTrainer):
    def advance(self, batches):
        if batches.learning_rates.any():
            batches = dataclasses.replace(
                batches, learning_rates=np.full(len(batches), self.task.optimizer.learning_rate)
            )
        return super().advance(batches)

    def __init__(self, task):
        super().__init__(task)
        self.task = task


BREAKS = [
    (ReversesManyRows, "many_rows_are_predicted_in_order", "row 1,00"),
    (RoundsManyRows, "many_rows_are_predicted_in_order", "than alone"),
    (PredictsFromTheStart, "predictions_follow_the_parameters", "after 3 steps"),
    (RemembersPredictions, "predictions_follow_the_parameters", "after 3 steps"),
    (TrainsInStage, "stage_trains_nothing", "must train nothing"),
    (TrainsInStage, "training_is_done_on_the_clock", "stage trains, off the clock"),
    (TrainsAShadowInStage, "training_is_done_on_the_clock", "stage trains, off the clock"),
    (TrainsOnTheGivenWhenAsked, "advance_leaves_nothing_for_later", "when it returns"),
    (TrainsWhenAsked, "training_is_done_on_the_clock", "before its steps are done"),
    (TrainsInTheBackground, "training_is_done_on_the_clock", "before its steps are done"),
    (TakesItsOwnRate, "learning_rates_are_obeyed", "a learning rate of its own"),
]


@pytest.mark.parametrize(
    ("adapter", "rule", "words"), BREAKS, ids=lambda v: getattr(v, "__name__", v)
)
def test_what_breaks_a_rule_is_said(adapter, rule, words):
    with pytest.raises(BrokenRuleError, match=words):
        BY_NAME[rule](Subject(adapter, adapter.loops[-1]))


@pytest.mark.parametrize("rule", sorted({rule for _, rule, _ in BREAKS}))
def test_they_hold_for_a_right_one(rule):
    BY_NAME[rule](Subject(NumpyTrainer, "stepwise"))


# ---------------------------------------------------------------- adapters that support little


class OnlySquares(NumpyTrainer):
    @classmethod
    def supports(cls, experiment):
        training = experiment.training
        if training is None or training.l2 or training.schedule:
            return "no extras here"
        squares = training.loss.name == "mean_squared_error" and training.optimizer.name == "sgd"
        return None if squares else "squared error by sgd only"


class OnlyRowsThroughSigmoids(NumpyTrainer):
    """No protocol of the ladder is like that."""

    @classmethod
    def supports(cls, experiment):
        training = experiment.training
        if training is None or training.l2 or experiment.batch_size > 1:
            return "one row at a time"
        if training.loss.name != "mean_squared_error" or training.optimizer.name != "sgd":
            return "squared error by sgd only"
        layers = experiment.network.layers
        return None if {layer.activation for layer in layers} == {"sigmoid"} else "sigmoid only"


NEED_OTHER_BATCHES = ("a_short_last_batch_is_handled", "many_seeds_is_advance")


@pytest.mark.parametrize("rule", sorted(set(BY_NAME) - {"its_limit_is_all_the_products"}))
@pytest.mark.parametrize(
    "adapter",
    [pytest.param(OnlySquares, marks=pytest.mark.full_product), OnlyRowsThroughSigmoids],
)
def test_rules_run_on_any_protocol_that_is_supported(adapter, rule):
    if adapter is OnlyRowsThroughSigmoids and rule in NEED_OTHER_BATCHES:
        with pytest.raises(NoSuchProtocolError, match="not tested: supports refuses"):
            BY_NAME[rule](Subject(adapter, "stepwise"))
    else:
        BY_NAME[rule](Subject(adapter, "stepwise"))


def test_a_rule_without_a_protocol_says_so():
    class OnlyFullBatches(NumpyTrainer):
        @classmethod
        def supports(cls, experiment):
            full = experiment.training and experiment.training.batches.order == "full"
            return None if full else "full batches only"

    with pytest.raises(NoSuchProtocolError, match="a short last batch"):
        BY_NAME["a_short_last_batch_is_handled"](Subject(OnlyFullBatches, "stepwise"))


def test_an_adapter_that_trains_nothing_breaks_its_rules():
    class Nothing(NumpyTrainer):
        @classmethod
        def supports(cls, experiment):
            return "this one cannot train" if experiment.training else None

    with pytest.raises(BrokenRuleError, match="every protocol that trains"):
        BY_NAME["learning_rates_are_obeyed"](Subject(Nothing, "stepwise"))


# ---------------------------------------------------------------- what a report may ask


def test_outputs_are_held_against_the_parameters():
    subject = Subject(NumpyTrainer, "stepwise", "float32")
    experiment = every()["relu-adam"]
    trainer, _ = subject.trained(experiment, 5)
    inputs = subject.task(experiment).inputs[:300]
    outputs, parameters = trainer.predict(inputs), trainer.parameters()
    assert outputs_of(experiment, parameters, inputs).dtype == np.float64
    assert problem_with_outputs(experiment, parameters, inputs, outputs, "float32") == ""
    start = subject.task(experiment).parameters
    problem = problem_with_outputs(experiment, start, inputs, outputs, "float32")
    assert "not those of its parameters()" in problem


def test_gaps_are_relative_and_know_what_is_not_finite():
    assert relative_gap(np.array([1.0, 2.1]), np.array([1.0, 2.0])) == pytest.approx(0.05)
    assert relative_gap(np.array([1.0, np.inf]), np.array([1.0, np.inf])) == 0
    assert relative_gap(np.array([1.0, np.nan]), np.array([1.0, 2.0])) == np.inf
    assert relative_gap(np.zeros(2), np.zeros(3)) == np.inf


def test_order_and_clock_of_a_right_trainer_are_right():
    subject = Subject(NumpyTrainer, "stepwise", "float32")
    experiment = every()["relu-adam"]
    trainer = subject.build(experiment)
    inputs = many_rows(subject.task(experiment).inputs)
    assert inputs.shape == (10_000, 64)
    assert inputs.dtype == np.float32
    assert len(np.unique(inputs, axis=0)) == len(inputs)
    assert problem_with_order(trainer, inputs, "float32") == ""
    plan = BatchPlan.of(experiment, 0)
    assert problem_with_clock(trainer, lambda steps: repeated(plan, steps), inputs[:2]) == ""


def test_repeated_batches_go_on_as_long_as_is_needed():
    plan = BatchPlan.of(every()["short-batch-momentum-decay"], 0)
    batches = repeated(plan, 100)
    assert len(batches) == 100
    assert batches.rows.shape == (100, 300)
    assert len(repeated(BatchPlan.of(every()["regression"], 0), 7)) == 7


def test_asking_for_the_clock_moves_next_to_nothing():
    subject = Subject(NumpyTrainer, "stepwise")
    experiment = every()["mse-half-sum"]
    trainer, plan = subject.build(experiment), BatchPlan.of(experiment, 0)
    before = trainer.parameters()
    inputs = subject.task(experiment).inputs[:2]
    assert problem_with_clock(trainer, lambda steps: repeated(plan, steps), inputs) == ""
    assert 0 < difference(trainer.parameters(), before) < 0.1
