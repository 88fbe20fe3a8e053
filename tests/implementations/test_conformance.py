"""Every entered adapter, every loop: the ladder on every protocol, and every rule of the contract.

Known deviations would be listed here as `(adapter, rule): reason`; there are none.
"""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load
from harness.parity import conformance, ladder
from harness.parity.conformance import RULES, Subject
from harness.parity.protocols import COVERING, covering, every
from harness.parity.trace import record
from harness.registry import installed

CELLS = [
    (name, loop)
    for name, framework in installed().items()
    for loop in framework.loops
    if not framework.missing
]
cells = pytest.mark.parametrize(("name", "loop"), CELLS, ids=[f"{n}-{lo}" for n, lo in CELLS])


def subject_of(name, loop):
    return Subject(installed()[name].load(), loop)


@cells
@pytest.mark.parametrize("protocol", every())
def test_every_protocol_is_followed(name, loop, protocol):
    subject, experiment = subject_of(name, loop), every()[protocol]
    reason = subject.adapter.supports(experiment)
    if reason:
        pytest.skip(reason)
    prepared = data.load(experiment.data, experiment.loss, "float64")
    judgement = ladder.judge(record(subject.build, experiment, prepared, 0), experiment, 0)
    assert judgement.verdict == "same", judgement.reason


@cells
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_holds(name, loop, rule):
    rule(subject_of(name, loop))


@cells
def test_in_float32_it_stays_within_the_measured_tolerance(name, loop):
    subject, experiment = subject_of(name, loop), every()["adam-hat"]
    prepared = data.load(experiment.data, experiment.loss, "float32")
    trace = record(lambda e: subject.build(e, "float32"), experiment, prepared, 0)
    judgement = ladder.judge(trace, experiment, 0, "float32")
    assert judgement.verdict == "same to float32", judgement.reason


@cells
def test_the_fixed_forward_pass_of_the_post(name, loop):
    experiment = load("fixed-forward")
    trainer = subject_of(name, loop).build(experiment)
    outputs = trainer.predict(np.array([[1.0, 0.5]]))
    np.testing.assert_allclose(outputs, [[0.31682708, 0.69627909]], atol=5e-9)


def test_the_covering_set_covers():
    chosen, all_ = covering(), every()
    assert len(chosen) <= 12
    assert set(COVERING) <= set(all_)

    def kinds(experiments):
        found = set()
        for experiment in experiments.values():
            found |= {layer.activation for layer in experiment.network.layers[:-1]}
            if experiment.training:
                training = experiment.training
                found |= {training.loss.name, training.optimizer.name, training.batches.order}
                found |= {"l2"} if training.l2 else set()
                found |= {"decay"} if training.schedule else set()
        return found

    assert kinds(all_) - kinds(chosen) <= {"identity", "gelu_tanh", "sequential"}


@pytest.mark.parametrize("broken", ["loses state", "returns views", "ignores rates", "float32"])
def test_a_broken_rule_is_said(broken):
    from implementations.numpy_scratch import NumpyTrainer

    class Broken(NumpyTrainer):
        def advance(self, batches):
            if broken == "loses state":
                self.rule.t = 0
            if broken == "ignores rates":
                batches.learning_rates[:] = 1e-3
            return super().advance(batches)

        def parameters(self):
            if broken == "returns views":
                return [(layer.W, layer.b) for layer in self.layers]
            found = super().parameters()
            return (
                [(W.astype("f"), b.astype("f")) for W, b in found]
                if broken == "float32"
                else (found)
            )

    said = []
    for rule in RULES:
        try:
            rule(Subject(Broken, "stepwise"))
        except conformance.BrokenRuleError as error:
            said.append(f"{rule.__name__}: {error}")
    assert {
        "loses state": "in pieces it differs",
        "returns views": "must return copies",
        "ignores rates": "nothing must move",
        "float32": "asked for",
    }[broken] in "\n".join(said)
