"""Digests are pinned, because rows of earlier runs are recognised by them."""

import copy
import pickle

import pytest

from harness.experiment.loading import load, parse
from harness.experiment.training import Length
from tests.conftest import protocol

DIGESTS = {
    "and": "73a40215a7cc190a",
    "or": "345ae9f98616617d",
    "xor-single": "8ea9441fe2117325",
    "xor-flip": "40f4e1666df7e270",
    "xor-poly": "5532a501399f2593",
    "xor-mlp": "44140e36ca3e3a5d",
    "xor-wide": "1dc24d559a49eea2",
    "xor-deep": "6415d8bc8c4281b4",
    "fixed-forward": "f58511141e7f9f31",
    "diabetes-linear": "525d10bc1c7259c6",
    "iris-softmax": "492d708096b16125",
    "digits-softmax": "4743ad0c63e87de0",
    "digits-mlp": "f852e1268c0fe76f",
    "mnist-five": "5de20b27d58c6c68",
    "mnist-softmax": "c0d9629a920e257f",
    "mnist-mlp": "3d3d6174d7ea982a",
    "mnist-wide": "bfd01973a34f696c",
    "mnist-deep": "c582a9d95e720b10",
    "fashion-mlp": "abf36fbe8eaf5988",
}
"""All but the last are from before protocols had a generator, exact constants or stopping."""
ORDER_DIGESTS = {
    "afresh": "e9d5c3c968052cb4",
    "reshuffle_each_epoch": "e9d5c3c968052cb4",
    "onwards": "2f5666b6fca0089b",
    "continue_shuffling": "2f5666b6fca0089b",
}
"""Of digits-mlp with a generator of this order; computed when only the earlier words existed."""


def generator(order):
    return {"name": "numpy_legacy", "seed": 0, "weights": "inputs_first", "order": order}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_digest_stays_the_same(name):
    assert load(name).digest == DIGESTS[name]


@pytest.mark.parametrize("order", ORDER_DIGESTS)
def test_an_order_has_the_same_digest_by_either_word(order):
    experiment = parse(protocol(generator=generator(order)), "test")
    assert experiment.digest == ORDER_DIGESTS[order]
    assert experiment.generator.order in ("reshuffle_each_epoch", "continue_shuffling")


def test_the_earlier_words_mean_the_words_of_today():
    for earlier, today in (("afresh", "reshuffle_each_epoch"), ("onwards", "continue_shuffling")):
        one, other = (parse(protocol(generator=generator(word)), "t") for word in (earlier, today))
        assert one == other
        assert one.model_dump(mode="json")["generator"]["order"] == today


STEP_DECAY = {"name": "step_decay", "factor": 0.5, "every_epochs": 5}
WARM_UP = {"steps": 9, "start": 0.0, "by": "step", "first": "changed", "schedule_waits": True}


def test_a_schedule_of_before_has_the_digest_of_before():
    stated = {"first": "unchanged", "warm_up": None}
    experiments = [
        parse(protocol(training__schedule=schedule), "test")
        for schedule in (STEP_DECAY, STEP_DECAY | stated)
    ]
    assert [each.digest for each in experiments] == ["8877454dce89f30c"] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"constants": "exact"},
        {"data__split": {"name": "rows", "train": [[0, 1437]], "test": [[1437, 1797]]}},
        {"data__split": {"name": "sklearn", "test": 0.2, "seed": 0, "stratified": True}},
        {"generator": generator("reshuffle_each_epoch")},
        {
            "data__validation": 0.1,
            "training__stopping": {
                "name": "patience",
                "patience_steps": 90,
                "growth": 2,
                "threshold": 0.995,
                "every_epochs": 1,
            },
        },
        {"training__schedule": STEP_DECAY | {"first": "changed"}},
        {"training__schedule": STEP_DECAY | {"warm_up": WARM_UP}},
        {"training__schedule": {"name": "constant", "warm_up": WARM_UP | {"schedule_waits": None}}},
        {"initializers__biases": [{"name": "zeros"}, {"name": "zeros"}]},
        {"initializers__biases": {"name": "constant", "value": 0.0}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_added_field_changes_the_digest_and_reads_back(changes):
    changed = parse(protocol(**changes), "test")
    assert changed.digest != DIGESTS["digits-mlp"]
    again = parse(changed.model_dump(mode="json"), "test")
    assert again == changed
    assert again.digest == changed.digest


def test_stating_the_default_changes_nothing():
    assert parse(protocol(constants="float32"), "test").digest == DIGESTS["digits-mlp"]


NATIVE = {
    "framework": "sklearn",
    "estimator": "MLPClassifier",
    "parameters": {"hidden_layer_sizes": [64]},
}


def test_a_copy_with_changed_fields_has_its_own_digest():
    """The digest is cached, and pydantic copies cached values with all others."""
    full = parse(protocol(native=[NATIVE]), "test")
    assert full.digest == DIGESTS["digits-mlp"]
    shorter = full.of_length(Length(epochs=3))
    length_3 = protocol(native=[NATIVE], training__length={"epochs": 3})
    assert shorter.digest == parse(length_3, "test").digest != full.digest
    exact = full.model_copy(update={"constants": "exact"}, deep=True)
    assert exact.digest == parse(protocol(constants="exact"), "test").digest != full.digest
    assert exact.model_copy(update={"constants": "float32"}).digest == full.digest


def test_the_cached_digest_is_invisible():
    used, fresh = (parse(protocol(native=[NATIVE]), "test") for _ in range(2))
    dumped = used.model_dump(mode="json")
    assert used.digest == DIGESTS["digits-mlp"]
    assert used == fresh
    assert used.model_dump(mode="json") == dumped == fresh.model_dump(mode="json")
    assert used.model_dump_json() == fresh.model_dump_json()
    for copied in (copy.copy(used), copy.deepcopy(used), pickle.loads(pickle.dumps(used))):
        assert copied == fresh
        assert copied.digest == used.digest
