"""Many starts at once end where each of them ends alone."""

import numpy as np
import pytest

from harness import data
from harness.execute.worker import _attempt
from harness.experiment.loading import load, parse
from harness.experiment.stopping import Patience
from harness.experiment.training import FullBatches
from harness.experiment.vocabulary import Purpose
from harness.parity.protocols import every
from harness.parity.rules import many_seeds_is_advance
from harness.parity.subject import BrokenRuleError, Subject, difference
from harness.registry import installed
from harness.scoring import score
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Batches, StepTrainer
from harness.trial import many_starts
from harness.trial.outcome import Diverged, Outcome, Unsupported
from implementations.numpy_scratch import NumpyTrainer, many_seeds
from tests.conftest import protocol, skip_without
from tests.implementations.tasks import task_of
from tests.trials import trial_of

TRAINED = [
    name
    for name, experiment in every().items()
    if experiment.training
    and not experiment.network.dropout_layers
    and not experiment.network.takes_images
]


def full_batch(experiment):
    training = experiment.training.model_copy(update={"batches": FullBatches(order="full")})
    return experiment.model_copy(update={"training": training})


@pytest.mark.parametrize("name", TRAINED)
def test_numpy_in_every_protocol(name, monkeypatch):
    monkeypatch.setattr(many_seeds, "PRODUCTS", 2 * 1437 * 9 * 10)  # groups of two starts
    experiment = full_batch(every()[name])
    batches = BatchPlan.of(experiment, 0).segment(0, 4)
    starts = [initial_parameters(experiment, seed, "float64") for seed in range(3)]
    ends = NumpyTrainer(task_of(experiment, "stepwise")).many_seeds(starts, batches)
    for seed, end in enumerate(ends):
        alone = NumpyTrainer(task_of(experiment, "stepwise", seed=seed))
        alone.advance(batches)
        assert difference(end, alone.parameters()) < 1e-11


def test_three_hidden_layers():
    experiment = load("xor-deep")
    batches = BatchPlan.of(experiment, 0).segment(0, 20)
    starts = [initial_parameters(experiment, seed, "float64") for seed in (0, 1)]
    ends = NumpyTrainer(task_of(experiment, "stepwise")).many_seeds(starts, batches)
    alone = NumpyTrainer(task_of(experiment, "stepwise", seed=1))
    alone.advance(batches)
    assert difference(ends[1], alone.parameters()) < 1e-12


@pytest.mark.parametrize("name", ["numpy", pytest.param("jax", marks=pytest.mark.full_product)])
def test_the_rule_holds_in_float32(name):
    skip_without(name)
    adapter = installed()[name].load()
    assert many_seeds_is_advance(Subject(adapter, adapter.loops[-1], "float32")) == ""


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_drawn_batches_are_refused(name):
    skip_without(name)
    subject = Subject(installed()[name].load(), "stepwise")
    experiment = every()["shuffled-short"]
    start = subject.task(experiment).parameters
    batches = BatchPlan.of(experiment, 0).segment(0, 2)
    assert subject.build(experiment).many_seeds([start], batches) is None


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("half the rate", "from start 0 many_seeds differs"),
        ("first rate only", "short-batch-momentum-decay: from start 0"),
        ("one step short", "from start 0 many_seeds differs"),
        ("own memory", "short-batch-momentum-decay: from start 0"),
        ("last start for all", "from start 0 many_seeds differs"),
        ("reversed", "from start 0 many_seeds differs"),
        ("one missing", "must return 3 ends. Got 2"),
        ("moves", "moved the trainer's own parameters"),
    ],
)
def test_a_broken_many_seeds_is_caught(mistake, words):
    class Broken(NumpyTrainer):
        def many_seeds(self, starts, batches):
            rates = batches.learning_rates
            match mistake:
                case "half the rate":
                    rates = rates / 2
                case "first rate only":
                    rates = np.full_like(rates, rates[0])
                case "one step short":
                    rates = rates[:-1]
                case "last start for all":
                    starts = [starts[-1]] * len(starts)
                case "reversed":
                    starts = starts[::-1]
                case "one missing":
                    starts = starts[1:]
                case "moves":
                    self.layers[0].W += 1e-9
                case "own memory":
                    return self._one_by_one(starts, batches)
            return super().many_seeds(starts, Batches(None, batches.sizes, rates))

        def _one_by_one(self, starts, batches):
            before, ends = self.parameters(), []
            for start in (*starts, before):
                for layer, (W, b) in zip(self.layers, start, strict=True):
                    layer.W[:], layer.b[:] = W, b
                if start is not before:
                    self.advance(batches)
                    ends.append(self.parameters())
            return ends

    with pytest.raises(BrokenRuleError, match=words):
        many_seeds_is_advance(Subject(Broken, "stepwise"))


# ---------------------------------------------------------------- the trial


def xor(steps=60):
    length = {"training__length": {"steps": steps}, "training__evaluation": {"every_steps": steps}}
    return parse(protocol("xor-mlp", quick=None, **length), "test")


def many_starts_of(experiment, count=4, seed=0, loop="stepwise"):
    return trial_of(
        purpose=Purpose.MANY_STARTS,
        experiment=experiment.name,
        loop=loop,
        seed=seed,
        starts=count,
        dtype="float64",
    )


def trained(experiment, adapter=NumpyTrainer, **changes):
    outcome, trial = Outcome(), many_starts_of(experiment, **changes)
    many_starts.train_many_starts(trial, experiment, adapter, outcome)
    return outcome


def test_every_seed_is_scored_as_if_alone():
    experiment = xor()
    outcome = trained(experiment, seed=5)
    np.testing.assert_array_equal(outcome.arrays["seeds"], [5, 6, 7, 8])
    test = data.load(experiment.data, experiment.loss, "float64").test
    for seed, loss, accuracy in zip(*outcome.arrays.values(), strict=True):
        alone = NumpyTrainer(task_of(experiment, "stepwise", seed=int(seed)))
        alone.advance(BatchPlan.of(experiment, 0).segment(0, 60))
        expected = score(alone.predict(test.inputs), test, experiment.loss)
        assert (loss, accuracy) == pytest.approx(expected, rel=1e-12)
    columns = outcome.columns
    assert columns.test_accuracy == outcome.arrays["seed_accuracy"].mean()
    assert (columns.steps, columns.samples) == (60, 240)
    assert (columns.device, columns.precision) == ("cpu", "float64")


def test_a_worker_tells_by_the_purpose():
    outcome, experiment = Outcome(), xor(8)
    status = _attempt(
        many_starts_of(experiment, 3), experiment, installed()["numpy"], False, 0.0, outcome, True
    )
    assert status == ("ok", None)
    assert outcome.arrays["seed_loss"].shape == (3,)


def test_regression_has_no_accuracy():
    outcome = trained(full_batch(every()["regression"]), count=2)
    assert np.isnan(outcome.arrays["seed_accuracy"]).all()
    assert outcome.columns.test_accuracy is None
    assert outcome.columns.test_loss > 0


def test_what_cannot_be_done_says_why():
    class Without(NumpyTrainer):
        many_seeds = StepTrainer.many_seeds

    with pytest.raises(Unsupported, match="no many_seeds"):
        trained(xor(), Without)
    with pytest.raises(Unsupported, match="not full batch"):
        trained(every()["relu-adam"])
    with pytest.raises(Unsupported, match="has no fused loop"):
        trained(xor(), loop="fused")
    rule = Patience(name="patience", patience_steps=9, growth=2.0, threshold=0.5, every_steps=5)
    early = xor().training.model_copy(update={"stopping": rule})
    with pytest.raises(Unsupported, match="stops early"):
        trained(xor().model_copy(update={"training": early}))
    with pytest.raises(Unsupported, match="trains nothing"):
        trained(load("fixed-forward"))
    with pytest.raises(ValueError, match="positive"):
        trained(xor(), count=0)


@pytest.mark.parametrize("broken", [1, 4])
def test_starts_that_diverge_are_counted_apart(broken):
    class Diverging(NumpyTrainer):
        def many_seeds(self, starts, batches):
            ends = super().many_seeds(starts, batches)
            for end in ends[:broken]:
                end[0][0][:] = np.nan
            return ends

    if broken == 4:
        with pytest.raises(Diverged, match="all 4 starts"):
            trained(xor(), Diverging)
        return
    outcome = trained(xor(), Diverging)
    assert np.isnan(outcome.arrays["seed_accuracy"]).tolist() == [True, False, False, False]
    assert outcome.columns.test_accuracy == outcome.arrays["seed_accuracy"][1:].mean()
    assert outcome.columns.status_detail == "1 of 4 starts diverged"
