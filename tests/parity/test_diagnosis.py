"""Every planted mistake is caught and named; correct adapters are never accused."""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import catalogue_names, load, parse
from harness.experiment.proof_length import FEWEST_STEPS, proof_of
from harness.parity import diagnosis, ladder
from harness.parity.covering import covering
from harness.parity.protocols import every
from harness.parity.simulation import mistaken_trace
from harness.parity.subject import Subject
from harness.parity.switches import Switches
from harness.parity.trace import FIRST_20_STEPS, Trace, expected_trace, record
from implementations.numpy_scratch import NumpyTrainer
from tests.conftest import protocol
from tests.parity import planted
from tests.parity.count_mistakes import causes_in, plant
from tests.parity.mutant import Mutant, torch

KNOWN = [(group, mistake) for group, known in planted.GROUPS.items() for mistake in known]
LOCATED = {"dropout, seeded"}
"""Mistakes that no number shows: the generator's draws are not known."""
ONLY_IN_SGD = {"rows of the start"}
"""Other rows are worked out of the gradient, which other update rules hide sooner."""
AMBIGUOUS = {"iris", "diabetes", "xor", "one layer", "saturated"}
"""Protocols from zeros or with few numbers, in which some mistakes are the same computation."""


def protocols():
    """For `test_rounding` too."""
    return planted.every_protocol()


def trace_of(name, mistake, keep_first_20_steps=False):
    return planted.trace_of(protocols()[name], mistake, keep_first_20_steps)


def one_protocol_each():
    """Every known mistake with its protocols, the first of which changes from mistake to mistake.

    By default every 40th of them is planted, in the full product every tenth, every night all.
    """
    for number, (group, mistake) in enumerate(KNOWN):
        names = [name for name, e in planted.protocols_of(group).items() if mistake.fits(e)]
        names = [name for name in names if name not in AMBIGUOUS] or names
        first = number % len(names)
        names = [*names[first:], *names[:first]] if mistake.mistake not in ONLY_IN_SGD else ["sgd"]
        marks = [pytest.mark.nightly if number % 10 else pytest.mark.full_product]
        marks = marks if number % 40 else []
        yield pytest.param(names, mistake, id=mistake.mistake, marks=marks)


@pytest.mark.parametrize(("names", "mistake"), list(one_protocol_each()))
def test_a_planted_mistake_is_caught_and_named(names, mistake):
    """In the first protocol in which it changes anything."""
    counts = (plant(mistake, name) for name in names)
    count = next((count for count in counts if count is not None), None)
    assert count is not None, "it changes nothing in any protocol"
    expected = "located" if mistake.mistake in LOCATED else "named alone"
    assert count.outcome == expected, count.reason


BEYOND_THE_CHECK = {"batch twice every 30"}
"""Its protocols have 24 steps."""


@pytest.mark.full_product
@pytest.mark.parametrize("group", sorted(planted.GROUPS.keys() - {"rates"}))
def test_few_protocols_of_the_check_catch_every_mistake(group):
    """Those that check a complete adapter; mistakes of schedules are of other protocols."""
    able = [
        e
        for e in covering().values()
        if e.training
        and all(getattr(layer, "bias", True) for layer in e.network.layers)
        and (group != "dropout" or e.network.dropout_layers)
        and (group != "images" or e.network.takes_images)
    ]

    def is_caught(mistake, experiment):
        trace = planted.trace_of(experiment, mistake.mistake)
        return not ladder.judge(trace, experiment, 0).proven

    missed = []
    for mistake in planted.GROUPS[group]:
        asked = [e for e in able if mistake.fits(e)]
        if asked and not any(is_caught(mistake, experiment) for experiment in asked):
            missed.append(mistake.mistake)
    assert set(missed) <= BEYOND_THE_CHECK


def reason_of(name, mistake="", adapter=Mutant, experiment=None):
    """What is said of an adapter that is different."""
    experiment = experiment or protocols()[name]
    first, detailed = (
        planted.trace_of(experiment, mistake, keep, adapter) for keep in (False, True)
    )
    judgement = ladder.judge(first, experiment, 0)
    assert judgement.verdict == "different", "not caught"
    return diagnosis.with_cause(judgement, detailed, experiment, 0, first).reason


@pytest.mark.parametrize("name", planted.every_protocol())
def test_a_correct_adapter_is_not_accused(name):
    trace = trace_of(name, "")
    trace = Trace.from_arrays(trace.to_arrays())
    judgement = ladder.judge(trace, protocols()[name], 0)
    assert judgement.proven, judgement.reason


# ---------------------------------------------------------------- no false causes


class Tiny(Mutant):
    """Outputs that are wrong by a little."""

    def _affine(self, x, W, b):
        return super()._affine(x, W, b) * (1 + 1e-10)


def test_an_adapter_that_computes_zeros_where_zeros_are_right(variant):
    """XOR from zeros: outputs and gradients are 0, and so are the losses that it makes up."""

    class Lazy(Mutant):
        def advance(self, batches):
            return np.zeros(len(batches))

    experiment = proof_of(
        variant(
            "xor-single",
            quick=None,
            initializers={"weights": {"name": "zeros"}, "biases": {"name": "zeros"}},
        )
    )
    assert "losses" in reason_of("xor", adapter=Lazy, experiment=experiment)


class Arctangent(Mutant):
    def _activated(self, z, layer, is_last):
        return super()._activated(z, layer, is_last) if is_last else z.atan()


class Stale(Mutant):
    """Updates by the gradient of the step before."""

    def _treated(self, gradients):
        old = getattr(self, "old", gradients)
        self.old = gradients
        return old


class HalfRate(Mutant):
    """Halves the rate of every 10th step."""

    def _rate(self, rate):
        return rate / 2 if self.t % 10 == 0 else rate


class Late(Mutant):
    """Leaves biases alone after step 50."""

    def _update(self, gradients, rate):
        if self.t > 50:
            gradients = [[W, 0 * b] for W, b in gradients]
        super()._update(gradients, rate)


class OtherLoss(Mutant):
    """The focal loss."""

    def _cross_entropy(self, z, y, epsilon):
        losses, _ = super()._cross_entropy(z, y, epsilon)
        return losses * (1 - (-losses).exp()), None


UNKNOWN = [
    *(("iris", adapter) for adapter in (Tiny, Stale, HalfRate, OtherLoss)),
    pytest.param("iris", Late, marks=pytest.mark.full_product),
    ("adam", Arctangent),  # iris has no hidden layer
    *(
        pytest.param("adam", adapter, marks=pytest.mark.full_product)
        for adapter in (Tiny, Stale, HalfRate, Late, OtherLoss)
    ),
]


@pytest.mark.parametrize(("name", "adapter"), UNKNOWN)
def test_what_is_not_known_is_located_and_gets_no_cause(name, adapter):
    reason = reason_of(name, adapter=adapter)
    assert causes_in(reason) == ()
    assert "no known mistake reproduces it" in reason
    assert "look at" in reason


@pytest.mark.parametrize(
    ("name", "every_step"),
    [
        ("iris", 10),
        *(
            pytest.param(*case, marks=pytest.mark.full_product)
            for case in (("iris", 30), ("squared", 10))
        ),
    ],
)
def test_a_batch_trained_twice_is_not_a_transposed_kernel(name, every_step):
    reason = reason_of(name, f"batch twice every {every_step}")
    assert causes_in(reason)[0].endswith("batch is trained twice")
    assert len(causes_in(reason)) == 1


def test_rounding_gets_no_cause():
    """Zeros and balanced classes: the gradient of the biases is all rounding."""
    values = protocol("iris-softmax", quick=None, native=None, data__split={"name": "all"})
    experiment = proof_of(parse(values, "test"))
    prepared = data.load(experiment.data, experiment.loss, "float64")
    trace = record(Subject(NumpyTrainer, "stepwise").build, experiment, prepared, 0, FIRST_20_STEPS)
    assert diagnosis.explain(trace, experiment, 0).causes == ()


def test_a_mistake_without_effect_explains_nothing():
    experiment = protocols()["iris"]
    start = [(W + 1e-6, b) for W, b in expected_trace(experiment, 0).parameters[0]]
    moved = mistaken_trace(experiment, 0, Switches(), start, FIRST_20_STEPS)
    explanation = diagnosis.explain(moved, experiment, 0)
    assert explanation.causes == ("it draws initial weights of its own",)


# ---------------------------------------------------------------- what is seen by sight


def test_a_first_loss_that_is_right_sends_nobody_to_the_rows():
    class Cubic(Mutant):
        def _penalties(self, rows):
            return 0.0, 0.01 * self.pairs[0][0].pow(3).sum()

    reason = reason_of("sgd", adapter=Cubic)
    assert (
        "that of biases of layer 1 and weights of layer 2 and biases of layer 2 is right" in reason
    )
    assert "the rows and the loss of the first step are right; look at the backward pass" in reason


def test_one_factor_of_all_tensors_is_said():
    class Temperature(Mutant):
        def _affine(self, x, W, b):
            z = super()._affine(x, W, b)
            return z / 2 if W is self.pairs[-1][0] else z

    assert "the gradient is 0.5 times the right one in all tensors" in reason_of(
        "iris", adapter=Temperature
    )
    assert "outputs are 0.5 times the right ones" in reason_of("sgd", adapter=Temperature)


def test_predictions_in_another_order_are_seen():
    class Shifted(Mutant):
        def predict(self, inputs):
            return np.roll(super().predict(inputs), 1, axis=0)

    reason = reason_of("sgd", adapter=Shifted)
    assert "outputs are the right ones in another order of rows" in reason
    assert "training's own forward pass is right; look at predict" in reason


def test_losses_of_another_moment_are_told_from_another_update():
    class After(Mutant):
        def advance(self, batches):
            return super().advance(batches) * 0.99

    reason = reason_of("sgd", adapter=After)
    assert "every loss is 0.99 times the right one" in reason
    assert "all parameters are right" in reason


def test_two_mistakes_at_once_are_located():
    class Twice(Mutant):
        def _penalties(self, rows):
            return 0.0, 0.01 * self.pairs[0][0].pow(3).sum()

    reason = reason_of("sgd", "loss halved", Twice)
    assert "gradients: weights of layer 1 differ" in reason
    assert "no known mistake reproduces it" in reason


def test_a_square_kernel_returned_the_wrong_way_round_is_seen():
    class Turned(Mutant):
        def parameters(self):
            return [(W.T.copy() if W.shape == (12, 12) else W, b) for W, b in super().parameters()]

    reason = reason_of("three layers", adapter=Turned)
    assert reason.startswith("the kernel of layer 2 is returned as (outputs, inputs)")


def test_a_layout_and_a_mistake_are_both_named():
    class Both(Mutant):
        def _rate(self, rate):
            return 3 * rate

    reason = reason_of("sgd", "kernels shown as (outputs, inputs)", Both)
    assert (
        "kernels are returned as (outputs, inputs), not (inputs, outputs) and the learn" in reason
    )
    assert "is 3 times the given one" in reason


def test_a_second_run_shows_random_numbers():
    class Noisy(Mutant):
        def _treated(self, gradients):
            return [[v + 1e-3 * torch.randn(v.shape, dtype=v.dtype) for v in p] for p in gradients]

    assert "two runs of it differ, first in gradients" in reason_of("adam", adapter=Noisy)


@pytest.mark.parametrize("name", catalogue_names())
def test_every_protocol_of_the_catalogue_can_be_judged(name):
    short = proof_of(load(name))
    most = FEWEST_STEPS if load(name).network.takes_images else 100
    assert short.steps == min(most, load(name).steps)
    assert hash(short)  # the oracle's traces are cached by it


def test_the_protocols_of_the_check_are_diagnosed_too():
    experiment = every()["relu-adam"]
    prepared = data.load(experiment.data, experiment.loss, "float64")
    assert prepared.train.targets is not None
    assert causes_in(reason_of("", "epsilon 1e-7", experiment=experiment)) == (
        "Adam's epsilon is 1e-07, not 1e-08",
    )
