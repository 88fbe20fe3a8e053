"""Products of fewer bits than the precision that is timed are told, and their bits counted."""

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load
from harness.experiment.proof_length import proof_of
from harness.parity import ladder, product_bits
from harness.parity.judgement import Judgement, Rung, Verdict, with_proof_as_timed
from harness.parity.reference import Reference
from harness.parity.trace import record
from harness.start import initial_parameters


def shortened(values, bits):
    """The values with so many bits behind the point."""
    fractions, exponents = np.frexp(np.asarray(values))
    return np.ldexp(np.round(np.ldexp(fractions, bits + 1)), exponents - bits - 1)


class Short(Reference):
    """The oracle whose operands of products have fewer bits, as tensor cores have them."""

    bits, forward_too = 23, True

    def _affine(self, a, W, b):
        if self.forward_too:
            a, W = shortened(a, self.bits), shortened(W, self.bits)
        return super()._affine(a, W, b)

    def _weights_gradient(self, a, delta):
        return super()._weights_gradient(shortened(a, self.bits), shortened(delta, self.bits))

    def _inputs_gradient(self, delta, W):
        return super()._inputs_gradient(shortened(delta, self.bits), shortened(W, self.bits))


def judged(name, bits, shown_by="own trainer", forward_too=True):
    experiment = proof_of(load(name), as_timed=True)
    prepared = data.load(experiment.data, experiment.loss, "float32")
    start = initial_parameters(experiment, 0, "float32")

    def build(protocol):
        train = prepared.train
        network = Short(protocol, start, train.inputs, train.targets, "float32")
        network.bits, network.forward_too = bits, forward_too
        return network

    trace = record(build, experiment, prepared, 0, shown_by=shown_by)
    judgement = ladder.judge(trace, experiment, 0, "float32")
    if judgement.verdict == Verdict.DIFFERENT:
        judgement = product_bits.with_precision(judgement, trace, experiment, 0)
    return judgement


EXPERIMENTS = ("digits-mlp", "digits-softmax", "xor-wide", "diabetes-linear")


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("bits", [7, 10])
def test_products_of_few_bits_are_told_and_counted(name, bits):
    judgement = judged(name, bits)
    assert judgement.verdict == Verdict.DIFFERENT
    words = judgement.reason.split("products of about ")[1]
    assert abs(int(words.split()[0]) - bits) <= 1


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("bits", [7, 10, 13])
@pytest.mark.parametrize("forward_too", [True, False])
def test_a_further_step_shows_products_of_few_bits_too(name, bits, forward_too):
    judgement = judged(name, bits, "further step", forward_too)
    assert judgement.verdict == Verdict.DIFFERENT


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("shown_by", ["own trainer", "further step"])
def test_float32_itself_is_not_accused(name, shown_by):
    assert judged(name, 23, shown_by).proven


def test_one_wrong_number_is_no_precision():
    right = np.linspace(1, 2, 100)
    wrong = right.copy()
    wrong[3] *= 1.01
    assert product_bits.product_bits([wrong], [right]) is None
    assert product_bits.product_bits([right * 1.5], [right]) is None


def test_two_proofs_together():
    rung = Rung("outputs", 1e-3, 1e-6, "outputs differ")
    same = Judgement(Verdict.SAME, "", (Rung("start", 0.0, 0.0),))
    right = Judgement(Verdict.SAME_TO_FLOAT32, "", (Rung("outputs", 1e-7, 1e-6),))
    short = Judgement(Verdict.DIFFERENT, "products of about 10 bits", (rung,))
    different = Judgement(Verdict.DIFFERENT, "the loss is halved", ())
    none = Judgement(Verdict.NOT_COMPARABLE, "the proof gave no trace: oom", ())

    assert with_proof_as_timed(same, right).verdict == "same"
    assert with_proof_as_timed(same, right).rungs[-1].name == "float32"
    both = with_proof_as_timed(same, short)
    assert both.verdict == "same, but its float32 is not float32"
    assert both.refuted
    assert not both.proven
    assert both.reason == "products of about 10 bits"
    assert both.first_failure.name == "float32"
    assert with_proof_as_timed(different, right) == different
    assert with_proof_as_timed(same, none).verdict == "not comparable"
