"""Numbers as sources have them: targets -1 and 1, pixels from 0.01, targets 0.01 and 0.99."""

import pytest

from harness import data
from harness.parity import ladder
from harness.parity.subject import Subject
from harness.parity.trace import record
from harness.registry import installed
from tests.conftest import has_another_backend
from tests.implementations.tasks import experiment_of

SQUARED = {"name": "mean_squared_error", "half": True, "batch": "mean", "outputs": "sum"}
XAVIER = {"name": "glorot_uniform"}
FIVE = ("numpy", "sklearn", "keras", "torch", "jax")
PROTOCOLS = {
    "xor with tanh, -1 and 1": experiment_of(
        "xor-mlp",
        data__target_values=[-1.0, 1.0],
        network__layers=[
            {"units": 4, "activation": "tanh"},
            {"units": 1, "activation": "tanh"},
        ],
        training__loss=SQUARED,
    ),
    "three species with linear outputs, -1 and 1": experiment_of(
        "iris-softmax", data__target_values=[-1.0, 1.0], training__loss=SQUARED
    ),
    "the book's digits, 0.01 and 0.99": experiment_of(
        "digits-softmax",
        data__scale="hundredth_to_one",
        data__target_values=[0.01, 0.99],
        network__layers=[
            {"units": 5, "activation": "sigmoid"},
            {"units": 10, "activation": "sigmoid"},
        ],
        initializers__weights=XAVIER,
        training__loss=SQUARED,
    ),
}
PRESENT = [name for name in FIVE if not installed()[name].missing and not has_another_backend(name)]


def fast_loop(name):
    """The last loop that starts fast."""
    framework = installed()[name]
    return [loop for loop in framework.loops if loop not in framework.slow_to_start][-1]


@pytest.mark.parametrize("name", PRESENT)
@pytest.mark.parametrize("experiment", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_framework_computes_the_same(name, experiment):
    framework = installed()[name]
    subject = Subject(framework.load(), fast_loop(name), framework.dtypes[-1])
    reason = subject.adapter.refuses(experiment)
    if name == "sklearn" and experiment.network.output_layer.activation != "identity":
        assert "chooses its output activation by the loss" in reason
        pytest.skip(reason)
    assert reason is None
    prepared = data.load(experiment.data, experiment.loss, subject.dtype)
    trace = record(lambda asked: subject.build(asked, subject.dtype), experiment, prepared, seed=0)
    judgement = ladder.judge(trace, experiment, 0, subject.dtype)
    assert judgement.proven, judgement.reason
