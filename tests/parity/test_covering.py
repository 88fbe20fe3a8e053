"""Which protocols check an adapter, for adapters that support all, little and nothing."""

from typing import get_args

import numpy as np
import pytest

from harness.experiment.loading import load
from harness.experiment.network import ActivationName
from harness.experiment.optimizers import Adagrad, Adam, Adamax, AdamW, AMSGrad, Nadam, RMSprop
from harness.parity.covering import cover, covering, nearest
from harness.parity.covering_text import not_looked_at, refusals, refused_kinds
from harness.parity.functions import KINKS
from harness.parity.kinds import SHORT_BATCH, Kind, all_kinds, kinds_in, kinds_of
from harness.parity.protocols import every
from harness.parity.trace import expected_trace


def supports_all(experiment):
    return None


def softmax_by_sgd(experiment):
    """A small adapter: labels, SGD, ReLU."""
    training = experiment.training
    if training is None or training.l2 or training.schedule:
        return "trains, without extras"
    if training.loss.name != "softmax_cross_entropy" or training.optimizer.name != "sgd":
        return "softmax cross-entropy by sgd only"
    activations = {layer.activation for layer in experiment.network.dense_layers}
    return None if activations <= {"identity", "relu"} else "relu only"


def sigmoid_squares(experiment):
    """A textbook's network: sigmoid everywhere, half the summed squares, row by row."""
    training = experiment.training
    if training is None or training.l2 or training.optimizer.name != "sgd":
        return "plain sgd only"
    loss = training.loss
    if loss.name != "mean_squared_error" or not loss.half or loss.batch != "sum":
        return "half the summed squares only"
    if any(layer.activation != "sigmoid" for layer in experiment.network.dense_layers):
        return "sigmoid only"
    return None if experiment.batch_size == 1 else "one row at a time"


def one_line(experiment):
    training = experiment.training
    if training is None or training.loss.name != "mean_squared_error":
        return "regression only"
    if len(experiment.network.dense_layers) > 1 or experiment.network.outputs > 1:
        return "one linear unit only"
    plain = training.optimizer.name == "sgd" and training.batches.order == "full"
    return None if plain and not training.l2 else "plain descent only"


def test_all_that_a_protocol_can_ask_is_a_kind_of_some_protocol():
    """What the language has: each activation in its place, each form of each rule."""
    names = {kind.name for kind in all_kinds()}
    activations = set(get_args(ActivationName)) - {"step"}
    assert {f"mean squared error behind {name}" for name in activations} <= names
    assert {
        "softmax cross entropy behind identity",
        "binary cross entropy behind identity",
    } <= names
    assert activations | {"step", "elu with alpha"} <= names
    kinks = {(layer, kink) for layer, places in KINKS.items() for kink in places}
    at_kinks = {f"{layer.replace('_', ' ')} at exactly {kink:g}" for layer, kink in kinks}
    assert at_kinks <= names
    assert {
        "softmax cross entropy behind relu",
        "softmax cross entropy behind sigmoid",
        "binary cross entropy behind sigmoid",
    } <= names
    for rule in (Adam, RMSprop, Adagrad, AdamW, AMSGrad, Nadam, Adamax):
        forms = get_args(rule.model_fields["form"].annotation)
        rule_name = get_args(rule.model_fields["name"].annotation)[0]
        assert {f"{rule_name} ({form.replace('_', ' ')})" for form in forms} <= names
    for order in ("full", "sequential", "shuffled", "with replacement"):
        assert order in names
    for loss in ("mean squared error", "binary cross entropy", "softmax cross entropy"):
        assert {f"{loss}: {how} over the batch" for how in ("mean", "sum")} <= names
        assert f"{loss}: a short last batch" in names


@pytest.mark.parametrize(
    "supports", [supports_all, softmax_by_sgd, sigmoid_squares, one_line], ids=lambda f: f.__name__
)
def test_every_kind_that_is_accepted_is_looked_at(supports):
    found = cover(supports)
    assert found.chosen
    assert all(supports(experiment) is None for experiment in found.chosen.values())
    assert found.not_looked_at == ()
    assert set(kinds_in(found.chosen.values())) == set(kinds_in(found.supported.values()))
    assert len(cover(supports, full=True).chosen) == len(found.supported)


def test_a_complete_adapter_is_checked_by_few():
    assert len(covering()) <= 46
    assert set(kinds_in(covering().values())) == set(all_kinds())


def test_a_small_adapter_is_checked_by_what_it_has():
    """No protocol of the ladder has some of these; labels, loss and rule are in every one."""
    chosen = cover(softmax_by_sgd).chosen
    names = set(kinds_in(chosen.values()))
    assert Kind("losses", "softmax cross entropy: sum over the batch") in names
    assert Kind("numbers", "softmax cross entropy of saturated outputs") in names
    assert Kind("numbers", "relu at exactly 0") in names
    assert Kind("networks", "layers without bias") in names
    assert Kind("networks", "several hidden layers") in names
    assert SHORT_BATCH in names


def test_every_loss_comes_with_the_plainest_rule_that_there_is():
    def no_sgd(experiment):
        training = experiment.training
        is_sgd = training is not None and training.optimizer.name == "sgd"
        return "no sgd" if is_sgd else None

    for supports, plainest in ((supports_all, "sgd"), (no_sgd, "momentum")):
        trainings = [each.training for each in cover(supports).chosen.values() if each.training]
        pairs = {(each.loss.name, each.optimizer.name) for each in trainings}
        assert ("softmax_cross_entropy", plainest) in pairs
        assert ("mean_squared_error", plainest) in pairs


def test_what_is_left_out_is_said():
    found = cover(supports_all, only=["relu-adam"])
    said = not_looked_at(found, full=False)
    assert said.startswith("not looked at: ")
    assert "schedules (step decay" in said
    assert "L2 penalties (" in said
    assert said.endswith("no protocol of this check has them; --full has")
    assert "together: " in not_looked_at(cover(supports_all), full=False)
    assert not_looked_at(cover(supports_all, full=True), full=True) == ""
    said = refused_kinds(cover(softmax_by_sgd))
    assert "L2 penalties (any)" in said
    assert "losses (binary cross entropy, mean squared error" in said
    assert "adam, momentum" in said  # whole rules once, not every form of theirs
    assert "Its reasons: " in said


def test_refusals_are_grouped_by_reason():
    reasons = {"one": "no rain", "two": "no rain", "three": "no sun"}
    assert refusals(reasons) == "no rain (one, two); no sun (three)"
    many = {str(number): "no rain" for number in range(9)}
    assert refusals(many) == "no rain (0, 1, 2, 3 and 5 more)"


def test_an_adapter_that_refuses_everything_has_no_protocol():
    found = cover(lambda experiment: "no")
    assert not found.chosen
    assert set(found.refused) >= set(every())


def test_an_adapter_that_refuses_the_ladder_is_checked_on_the_catalogue():
    def logical_and(experiment):
        return None if experiment.training and experiment.data.dataset == "and" else "AND only"

    found = cover(logical_and)
    assert list(found.chosen) == ["and"]
    assert found.chosen["and"].steps <= 100
    assert "xor-mlp" in found.refused


def test_a_protocol_of_the_users_is_chosen_if_it_is_supported():
    mine = load("or").model_copy(update={"name": "mine"})
    for supports, is_chosen in ((softmax_by_sgd, False), (supports_all, True)):
        found = cover(supports, own=[mine])
        assert ("mine" in found.chosen) == is_chosen
        assert ("mine" in found.refused) != is_chosen
    only = cover(lambda e: None if e.name == "mine" else "mine only", own=[mine])
    assert list(only.chosen) == ["mine"]


def test_the_nearest_has_what_is_needed():
    supported = cover(softmax_by_sgd).supported
    assert nearest(supported, "iris") == every()["iris"]
    short = nearest(supported, "sequential-short", SHORT_BATCH)
    assert short.has_short_batch
    assert short.loss.name == "softmax_cross_entropy"
    assert nearest(cover(one_line).supported, "sequential-short", SHORT_BATCH) is None


# ---------------------------------------------------------------- numbers, as the oracle has them


@pytest.mark.parametrize("name", ["far-softmax", "far-bce"])
def test_outputs_are_saturated_and_gradients_large(name):
    trace = expected_trace(every()[name], 0)
    assert np.abs(trace.outputs).max() > 60
    for pair in trace.gradients:
        assert all(np.abs(values).max() > 1 for values in pair)


@pytest.mark.parametrize(
    ("name", "activations"),
    [("relu-at-zero", {"relu", "leaky relu"}), ("relu-at-zero-mse", {"relu"}),
     ("relu-from-zeros", {"relu"}), ("relu-adam", set())],
)  # fmt: skip
def test_a_kink_is_met_at_exactly_0(name, activations):
    numbers = {kind.name for kind in kinds_of(every()[name]) if kind.group == "numbers"}
    met = {text.removesuffix(" at exactly 0") for text in numbers if text.endswith("exactly 0")}
    assert met == activations


# ---------------------------------------------------------------- adapters drawn at random


class Able:
    """An adapter's `supports` that allows some of each part, whatever stands beside it."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)

        def some(values):
            count = random.integers(1, len(values) + 1)
            return set(random.choice(values, count, replace=False).tolist())

        names = [name for name in get_args(ActivationName) if name != "step"]
        self.hidden, self.outputs = some(names), some(names) | {"identity"}
        self.losses = some(["mean_squared_error", "binary_cross_entropy", "softmax_cross_entropy"])
        self.rules = some(["sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam"])
        self.orders = some(["full", "sequential", "shuffled", "with_replacement"])
        self.batch, self.over_outputs = some(["mean", "sum"]), some(["mean", "sum"])
        self.half = some([True, False])
        self.l2, self.schedule, self.without_bias, self.mixed = random.random(4) < 0.5

    def __call__(self, experiment):
        training, layers = experiment.training, experiment.network.dense_layers
        if training is None:
            return "it only trains"
        loss, hidden = training.loss, {layer.activation for layer in layers[:-1]}
        allowed = (
            hidden <= self.hidden
            and (self.mixed or len(hidden) < 2)
            and layers[-1].activation in self.outputs
            and (self.without_bias or all(layer.bias for layer in layers))
            and loss.name in self.losses
            and loss.batch in self.batch
            and getattr(loss, "outputs", "") in {"", *self.over_outputs}
            and (loss.name != "mean_squared_error" or loss.half in self.half)
            and training.optimizer.name in self.rules
            and training.batches.order in self.orders
            and (self.l2 or not training.l2)
            and (self.schedule or not training.schedule)
        )
        return None if allowed else "not that"

    def kinds(self):
        """Names of kinds that it accepts."""
        names = {*self.hidden, "no hidden layer", "one hidden layer", "several hidden layers"}
        names |= {order.replace("_", " ") for order in self.orders}
        names |= self.rules & {"sgd", "momentum", "nesterov"}
        names |= {"layers without bias"} if self.without_bias else set()
        names |= {"step decay"} if self.schedule else set()
        names |= {"halved", "per row", "on weights and biases"} if self.l2 else set()
        for loss in self.losses:
            title, is_square = loss.replace("_", " "), loss == "mean_squared_error"
            names |= {f"{title} behind {o}" for o in (self.outputs if is_square else ["identity"])}
            names |= {f"{title}: {how} over the batch" for how in self.batch}
            if loss != "softmax_cross_entropy":
                names |= {f"{title}: {how} over the outputs" for how in self.over_outputs}
        return names


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full_product) for seed in range(2, 6))]
)
def test_whatever_an_adapter_accepts_is_looked_at(seed):
    able = Able(seed)
    chosen = cover(able).chosen
    assert all(able(experiment) is None for experiment in chosen.values())
    assert able.kinds() <= {kind.name for kind in kinds_in(chosen.values())}
