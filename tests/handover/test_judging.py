"""Planted mistakes are named where the arrays show them, and nobody is accused without."""

import re
from pathlib import Path

import numpy as np
import pytest

from harness.experiment.network import Dense
from harness.experiment.training import L2
from harness.handover import judging, writing
from harness.handover.folder import HandoverError, protocol_of_steps
from harness.parity.protocols import every
from harness.start import initial_parameters
from tests.handover.conftest import answer_of, experiment_of, hand_back

DECAY = L2.model_construct(strength=5e-5, half=False, per_row=False, on="all")
MISTAKES = [
    ("small-sgd", {"softmax_twice": True}, "^softmax is applied twice"),
    ("small-sgd", {"gradient_scale": "rows", "loss_scale": "rows"}, "summed over the batch"),
    ("small-sgd", {"penalty": DECAY, "penalty_where": "gradient"}, r"a weight decay of 0\.0001"),
    ("small-sgd", {"own_rate": 0.05}, "the learning rate.* is 0.5 times the given one"),
    ("small-sgd", {"rows": "in order"}, "takes the rows in their own order"),
    ("small-sgd", {"rate_factors": ((1.0, 0.0), (1.0, 0.0))}, "^biases are never updated"),
    ("small-sgd", {"accumulated": "always"}, "no zero_grad"),
    ("small-sgd", {"added_momentum": 0.9}, r"^a momentum of 0\.9 is added"),
    ("small-sgd", {"activation": Dense(units=1, activation="identity")}, "have identity, not sig"),
    ("small-sgd", {"slope_missing": "hidden"}, "derivative of the hidden activations is missing"),
    ("small-sgd", {"slope_missing": "hidden biases"}, "gradient of hidden biases lacks the deriv"),
    ("small-sgd", {"slope_at_outputs": True}, "is taken at their outputs, not at z"),
    ("small-sgd", {"padding": True}, "padded rows count"),
    ("small-sgd", {"losses": "after"}, "losses are those after the update"),
    ("small-sgd", {"targets": "next class"}, "labels are off by one"),
    ("small-adam", {"rule": (("form", "epsilon_hat"),)}, "Adam has the epsilon-hat form"),
    ("small-adam", {"rule": (("epsilon", 1e-7),)}, "Adam's epsilon is 1e-07, not 1e-08"),
    ("small-adam", {"bias_correction": "none"}, "Adam has no bias correction"),
    ("small-momentum", {"dampening": 0.9}, "momentum is dampened"),
    ("small-momentum", {"rule": (("name", "nesterov"),)}, "momentum is Nesterov's"),
    ("xor-mlp", {"transposed": 0}, "kernel of layer 1 is transposed|every kernel is transposed"),
    ("xor-mlp", {"climbs": True}, "sign of the update is flipped"),
]  # fmt: skip
BY_DEFAULT = {"softmax_twice", "padding", "own_rate", "transposed", "activation"}
"""A diagnosis takes seconds where the mistake is one of the last that are tried."""


def marked(mistakes):
    for name, mistake, words in mistakes:
        marks = [] if BY_DEFAULT & {*mistake} else [pytest.mark.full_product]
        yield pytest.param(name, mistake, words, id=" ".join([name, *mistake]), marks=marks)


@pytest.mark.parametrize(("name", "mistake", "words"), list(marked(MISTAKES)))
def test_a_mistake_is_named(export, name, mistake, words):
    exported = export(name)
    hand_back(exported, answer_of(experiment_of(name), **mistake))
    finding, _ = judging.check(exported)
    assert not finding.holds
    assert re.search(words, finding.remark), finding.remark
    assert "README.md" in finding.remark  # where it says so
    assert "seen first in" in finding.remark


@pytest.mark.parametrize(("name", "mistake", "words"), list(marked(MISTAKES)))
def test_losses_alone_accuse_nobody_falsely(export, name, mistake, words):
    exported = export(name)
    answer = answer_of(experiment_of(name), **mistake)
    hand_back(exported, {"losses": answer["losses"]})
    finding, remarks = judging.check(exported)
    assert not finding.holds
    unnamed = "no known mistake reproduces it" in finding.remark
    assert unnamed or re.search(words, finding.remark), finding.remark
    if unnamed:
        assert any("parameters_after_step_1 was not handed back; it would" in r for r in remarks)


RIGHT = ["xor-mlp", "iris-softmax", "small-sgd", "small-adam", "small-momentum", "fixed-forward"]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_the_same(export, name):
    exported = export(name, seed=2)
    answer = answer_of(experiment_of(name), seed=2)
    hand_back(exported, answer)
    finding, remarks = judging.check(exported)
    assert (finding.holds, remarks) == (True, [])
    assert finding.judgement.verdict == "same"
    for part in answer:
        if "/" not in part:  # each alone, too
            hand_back(exported, {part: answer[part]})
            assert judging.check(exported)[0].holds, part


def test_constants_rounded_to_float32_are_right_too(export):
    exported = export("small-adam")
    hand_back(exported, answer_of(experiment_of("small-adam"), rounded=True))
    finding, _ = judging.check(exported)
    assert finding.holds
    assert "constants rounded to float32" in finding.remark


@pytest.mark.full_product
@pytest.mark.parametrize("name", every())
def test_every_protocol_is_the_same_by_itself(tmp_path, name):
    """Of the small protocols of the check: with constants as written, and rounded."""
    experiment = protocol_of_steps(every()[name], 8)
    writing.write(tmp_path / "d", experiment, 0, "float64")
    for rounded in (False, True):
        hand_back(tmp_path / "d", answer_of(experiment, rounded=rounded))
        finding, remarks = judging.check(tmp_path / "d")
        assert (finding.holds, remarks) == (True, []), finding.remark


def test_another_start(export):
    exported, experiment = export("small-sgd"), experiment_of("small-sgd")
    hand_back(exported, answer_of(experiment, start=initial_parameters(experiment, 5, "float64")))
    assert "it draws initial weights of its own" in judging.check(exported)[0].remark


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_float32_is_judged_as_float32(export, dtype):
    exported = export("small-sgd", dtype=dtype)
    answer = answer_of(experiment_of("small-sgd"))
    hand_back(exported, {name: array.astype(np.float32) for name, array in answer.items()})
    finding, remarks = judging.check(exported)
    assert finding.judgement.verdict == "same to float32"
    assert finding.holds
    assert any("digits of float32" in remark for remark in remarks)
    answer = answer_of(experiment_of("small-sgd"), softmax_twice=True)
    hand_back(exported, {name: array.astype(np.float32) for name, array in answer.items()})
    finding, _ = judging.check(exported)
    assert not finding.holds


def test_few_digits_leave_it_open(export):
    exported = export("xor-mlp")
    losses = answer_of(experiment_of("xor-mlp"))["losses"]
    (exported / "answer/losses.csv").write_text("\n".join(f"{loss:.4f}" for loss in losses))
    finding, remarks = judging.check(exported)
    assert (finding.holds, finding.is_undecided) == (False, True)
    assert "as far as the 4 digits go" in finding.remark
    assert any("written with 17 digits" in remark for remark in remarks)


def test_losses_of_other_steps(export):
    exported = export("xor-mlp")
    losses = answer_of(experiment_of("xor-mlp"))["losses"]
    hand_back(exported, {"losses": np.append(0.0, losses[:-1])})
    assert "losses are shifted by one step" in judging.check(exported)[0].remark
    hand_back(exported, {"losses": 4 * losses})
    assert "summed over the batch" in judging.check(exported)[0].remark


@pytest.mark.parametrize("also_step_0", [True, False])
def test_square_kernels_as_pytorch_has_them(export, also_step_0):
    exported = export("xor-mlp")
    answer = answer_of(experiment_of("xor-mlp"))
    turned = {n: a.T if n.endswith("weights_1") else a for n, a in answer.items()}
    if not also_step_0:
        turned = {n: a for n, a in turned.items() if "step_0" not in n}
    hand_back(exported, turned)
    assert "handed back as (outputs, inputs)" in judging.check(exported)[0].remark


def test_what_is_not_finite_is_said(export):
    exported = export("xor-mlp")
    answer = answer_of(experiment_of("xor-mlp"))
    answer["losses"][4] = np.nan
    answer["parameters_after_step_8/biases_2"][0] = np.inf
    hand_back(exported, answer)
    remark = judging.check(exported)[0].remark
    assert "the loss of step 5 is nan; parameters_after_step_8 has numbers that are not" in remark


def test_edited_inputs_are_said(export):
    exported = export("xor-mlp")
    losses = answer_of(experiment_of("xor-mlp"))["losses"]
    hand_back(exported, {"losses": losses})
    np.save(exported / "inputs.npy", np.zeros((4, 2)))
    finding, remarks = judging.check(exported)
    assert finding.holds
    assert "changed or removed since the export: inputs.npy" in remarks
    hand_back(exported, {"losses": losses + 0.1})
    remark = judging.check(exported)[0].remark
    assert remark.startswith("inputs.npy is not as exported, so other numbers may have gone in")


def test_what_is_missing_is_said(export):
    exported = export("small-adam")
    answer = answer_of(experiment_of("small-adam"))
    hand_back(exported, {"losses": answer["losses"]})
    (remark,) = judging.check(exported)[1]
    assert remark.startswith("not handed back, and so not compared: parameters_after_step_0, ")
    hand_back(exported, {"losses": answer["losses"] * 1.01})
    remarks = judging.check(exported)[1]
    assert any(
        "parameters_after_step_1 was not" in r and "epsilon's size and place" in r for r in remarks
    )


def test_a_folder_of_another_kind(tmp_path):
    with pytest.raises(HandoverError, match="has no protocol"):
        judging.check(tmp_path)


def test_the_readme_shows_what_is_said(export):
    text = (Path(judging.__file__).parent / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^BROKEN .*?\)\n```", text, re.DOTALL | re.MULTILINE)
    exported = export("xor-mlp", steps=20)
    scale = {"gradient_scale": "rows", "loss_scale": "rows"}
    hand_back(exported, answer_of(experiment_of("xor-mlp", 20), **scale))
    finding, _ = judging.check(exported)
    said = f"BROKEN d answer ladder: xor-mlp ({finding.remark})"
    assert " ".join(shown.removesuffix("```").split()) == said
