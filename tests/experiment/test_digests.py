"""Digests are pinned: rows of earlier runs are told apart from other protocols by them."""

import pytest

from harness.experiment.loading import digest, load, parse
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
}
"""As they were before protocols had a generator, exact constants or early stopping."""


@pytest.mark.parametrize("name", DIGESTS)
def test_a_digest_stays_what_it_was(name):
    assert digest(load(name)) == DIGESTS[name]


@pytest.mark.parametrize(
    "changes",
    [
        {"constants": "exact"},
        {"data__split": {"name": "rows", "train": [[0, 1437]], "test": [[1437, 1797]]}},
        {"data__split": {"name": "sklearn", "test": 0.2, "seed": 0, "stratified": True}},
        {
            "generator": {
                "name": "numpy_legacy", "seed": 0, "weights": "inputs_first", "order": "afresh",
            }
        },
        {
            "data__validation": 0.1,
            "training__stopping": {
                "name": "patience", "patience_steps": 90, "growth": 2, "threshold": 0.995,
                "every_epochs": 1,
            },
        },
        {"initializers__biases": [{"name": "zeros"}, {"name": "zeros"}]},
        {"initializers__biases": {"name": "constant", "value": 0.0}},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_is_added_changes_the_digest_and_reads_back(changes):
    changed = parse(protocol(**changes), "test")
    assert digest(changed) != DIGESTS["digits-mlp"]
    again = parse(changed.model_dump(mode="json"), "test")
    assert again == changed
    assert digest(again) == digest(changed)


def test_stating_the_default_changes_nothing():
    assert digest(parse(protocol(constants="float32"), "test")) == DIGESTS["digits-mlp"]
