"""A part of a trace, judged: a loop in plain NumPy hands back what it has, right or wrong."""

import dataclasses
import functools

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load, parse
from harness.parity.answer import AnswerError, PartialAnswer
from harness.parity.judgement import Verdict
from harness.parity.partial import PartialVerdict, handed_out, judge_partial
from harness.parity.partial_text import lines_of
from harness.parity.trace import expected_trace, predicted_rows
from harness.start import BatchPlan, initial_parameters
from tests.conftest import protocol as protocol_values

STEPS = 30
WILD = {"name": "sgd", "learning_rate": 0.5}
EVERYTHING = ("losses", "outputs_before", "parameters")


@functools.cache
def protocol(name="xor-mlp", steps=STEPS):
    return handed_out(load(name), steps)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@functools.cache
def trained(mistake="", dtype="float64", steps=STEPS):
    """A loop over `xor-mlp`, written without the harness: (answer, parameters after every step)."""
    experiment = protocol(steps=steps)
    train = data.load(experiment.data, experiment.loss, dtype).train
    x, y = train.inputs, train.targets
    (W1, b1), (W2, b2) = ((W.copy(), b.copy()) for W, b in initial_parameters(experiment, 0, dtype))
    if mistake == "transposed":
        W1 = W1.T.copy()
    forward = lambda x: sigmoid(x @ W1 + b1) @ W2 + b2  # noqa: E731
    outputs = forward(predicted_rows(experiment).astype(dtype))
    parameters = {0: [(W1.copy(), b1.copy()), (W2.copy(), b2.copy())]}
    losses, memory = [], [0.0, 0.0, 0.0, 0.0]
    rates = BatchPlan.of(experiment, 0).segment(0, steps).learning_rates
    for step, rate in enumerate(rates.astype(dtype), start=1):
        a = sigmoid(x @ W1 + b1)
        z = a @ W2 + b2
        rows = 1 if mistake == "summed" else len(x)
        losses.append((np.logaddexp(0, z) - y * z).sum() / rows)
        d2 = (sigmoid(z) - y) / rows
        d1 = (d2 @ W2.T) * (1 if mistake == "no slope" else a * (1 - a))
        gradients = [x.T @ d1, d1.sum(axis=0), a.T @ d2, d2.sum(axis=0)]
        if mistake == "piled up":
            memory = gradients = [g + m for g, m in zip(gradients, memory, strict=True)]
        if mistake == "decay":
            decay, values = dtype_of(0.01, dtype), (W1, b1, W2, b2)
            gradients = [g + decay * v for g, v in zip(gradients, values, strict=True)]
        if mistake == "half the rate":
            rate = rate / 2
        if mistake == "stranger":
            rate = rate * dtype_of(1 + 0.3 * np.sin(step), dtype)
        still = 0 if mistake == "biases stay" else 1
        W1, b1 = W1 - rate * gradients[0], b1 - still * rate * gradients[1]
        W2, b2 = W2 - rate * gradients[2], b2 - still * rate * gradients[3]
        parameters[step] = [(W1.copy(), b1.copy()), (W2.copy(), b2.copy())]
    return np.array(losses, dtype), outputs, parameters


def dtype_of(value, dtype):
    return np.dtype(dtype).type(value)


def answer(mistake="", dtype="float64", parts=EVERYTHING, steps=(0, 1, 2, STEPS)):
    losses, outputs, parameters = trained(mistake, dtype)
    values = {
        "losses": losses,
        "outputs_before": outputs,
        "parameters": {step: parameters[step] for step in steps},
    }
    return PartialAnswer(**{part: values[part] for part in parts})


def judged(*args, **kwargs) -> PartialVerdict:
    return judge_partial(protocol(), 0, answer(*args, **kwargs))


PARTS = [
    (EVERYTHING, (0, 1, 2, STEPS)),
    (("losses",), ()),
    (("outputs_before",), ()),
    (("parameters",), (1,)),
    (("parameters",), (STEPS,)),
    (("parameters",), (0, 5, 17)),
    (("losses", "parameters"), (1, 2)),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("parts", "steps"), PARTS)
def test_a_right_loop_is_never_accused(parts, steps, dtype):
    verdict = judged("", dtype, parts, steps)
    assert verdict.same
    assert not verdict.causes
    assert verdict.digits.dtype == dtype
    assert verdict.judgement.verdict == (
        Verdict.SAME if dtype == "float64" else Verdict.SAME_TO_FLOAT32
    )


MISTAKES = {
    "summed": "the loss is summed over the batch, not averaged",
    "no slope": "the derivative of the hidden activations is missing",
    "piled up": "gradients are added to those of the steps before (no zero_grad)",
    "transposed": "the kernel of layer 1 is transposed",
    "decay": "a weight decay of 0.01 is added on weights and biases (in the gradient)",
    "half the rate": "the learning rate (or the gradient) is 0.5 times the given one",
    "biases stay": "biases are never updated",
}


IN_FLOAT32 = ("decay", "piled up")


@pytest.mark.parametrize(
    ("mistake", "dtype"),
    [(each, "float64") for each in MISTAKES] + [(each, "float32") for each in IN_FLOAT32],
)
def test_losses_alone_show_usual_mistakes(mistake, dtype):
    verdict = judged(mistake, dtype, ("losses",))
    assert verdict.different
    assert MISTAKES[mistake] in verdict.causes


@pytest.mark.parametrize("mistake", ["transposed", "half the rate"])
def test_all_parts_show_usual_mistakes(mistake):
    verdict = judged(mistake)
    assert MISTAKES[mistake] in verdict.causes
    assert verdict.line


@pytest.mark.parametrize(("parts", "steps"), PARTS[:2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_unknown_mistake_is_located_and_not_named(parts, steps, dtype):
    verdict = judged("stranger", dtype, parts, steps)
    assert verdict.different
    assert verdict.causes == ()
    assert verdict.step == 1
    assert "no known cause is shown" in lines_of(verdict)[0]


def test_one_number_names_several_causes_and_what_tells_them_apart():
    verdict = judged("half the rate", parts=("parameters",), steps=(STEPS,))
    assert "the loss is halved" in verdict.causes
    assert MISTAKES["half the rate"] in verdict.causes
    assert verdict.tell_apart == ("losses",)
    assert verdict.step is None  # somewhere in 30 steps
    assert "these would tell the causes apart: losses" in lines_of(verdict)


def test_one_wrong_number_is_no_proof_of_a_fitted_cause():
    losses = trained()[0].copy()
    losses[3] += 1e-3
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses={4: losses[3]}))
    assert verdict.different
    assert verdict.causes == ()


def test_what_is_missing_is_said_with_what_it_would_show():
    names = {each.part: each.shows for each in judged(parts=("losses",)).missing}
    assert list(names) == [
        "parameters at the start",
        "outputs before training",
        "parameters after step 1",
        "parameters after step 2",
        f"parameters after step {STEPS}",
    ]
    assert all(names.values())
    assert judged().missing == ()


def test_adam_hides_its_gradient():
    experiment = protocol("digits-mlp", 3)
    start = initial_parameters(experiment, 0, "float64")
    verdict = judge_partial(experiment, 0, PartialAnswer(parameters={0: start}))
    assert verdict.same
    shows = {each.part: each.shows for each in verdict.missing}
    assert "adam hides" in shows["gradients of the first batch"]
    assert "epsilon's size and place" in shows["parameters after step 1"]


def test_absent_parts_have_no_rung():
    assert judged(parts=("losses",)).compared == ("losses",)
    assert judged(parts=("parameters",), steps=(7,)).compared == ("7 steps",)


# ---------------------------------------------------------------- losses of some steps, digits


def test_losses_of_some_steps():
    losses = trained()[0]
    some = {step: losses[step - 1] for step in (1, 10, 20)}
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=some))
    assert verdict.same
    assert verdict.missing[-1].part == f"losses of {STEPS - 3} of {STEPS} steps"
    wrong = judge_partial(protocol(), 0, PartialAnswer(losses=some | {20: losses[19] * 1.01}))
    assert wrong.different
    assert "step 20" in wrong.judgement.reason


def test_shifted_losses():
    losses = trained("", steps=STEPS + 1)[0]
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=losses[1:]))
    assert verdict.causes == ("losses are those after the update",)  # all rows in every batch


@pytest.mark.parametrize(("digits", "proven"), [(4, False), (6, False), (9, True)])
def test_rounded_numbers_are_compared_as_far_as_they_go(digits, proven):
    losses = [float(f"{loss:.{digits - 1}e}") for loss in trained()[0]]
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=losses))
    assert verdict.same == proven
    assert not verdict.different
    assert verdict.digits.written == digits
    assert f"{digits} digits" in verdict.judgement.reason


def test_rounded_numbers_still_show_a_mistake():
    losses = [round(float(loss), 5) for loss in trained("summed")[0]]
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=losses))
    assert verdict.causes == (MISTAKES["summed"],)


def test_float32_written_in_its_shortest_form_is_float32():
    losses = [float(str(loss)) for loss in trained("", "float32")[0]]
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=losses))
    assert verdict.digits.dtype == "float32"
    assert verdict.same


def test_the_same_arrays_for_every_step():
    _, _, parameters = trained()
    end = parameters[STEPS]
    verdict = judge_partial(protocol(), 0, PartialAnswer(parameters={0: end, 1: end, STEPS: end}))
    assert "hand back copies" in verdict.causes[0]


def test_where_rounding_grows_the_end_proves_nothing_and_accuses_nobody():
    """Pixels of 0 to 16 and a rate of 0.5: a rounding error grows 10,000-fold in 20 steps."""
    values = protocol_values(
        "digits-softmax", data__scale="none", training__optimizer=WILD, quick=None, native=None
    )
    experiment = handed_out(parse(values, "test"))
    end = expected_trace(experiment, 0).parameters[100]
    for moved in (1e-6, 0.1):
        given = PartialAnswer(parameters={100: [(W * (1 + moved), b) for W, b in end]})
        verdict = judge_partial(experiment, 0, given)
        assert verdict.judgement.verdict == Verdict.NOT_COMPARABLE
        assert "rounding grows" in verdict.judgement.reason


def test_a_relu_at_0_excuses_late_losses_in_float32_and_the_first_updates_would_tell():
    experiment = protocol("digits-mlp", 12)
    losses = expected_trace(experiment, 0).losses.astype(np.float32)
    losses[8:] *= np.float32(1.001)
    verdict = judge_partial(experiment, 0, PartialAnswer(losses=losses))
    assert verdict.judgement.verdict == Verdict.NOT_COMPARABLE
    assert "that of step 9 differs" in verdict.judgement.reason
    assert "the parameters after steps 1 and 2, or float64, would tell" in verdict.judgement.reason


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "answer: nothing was handed back"),
        ({"losses": []}, "losses: must be one number of each step"),
        ({"losses": np.zeros(STEPS + 1)}, f"losses: {STEPS + 1} numbers for {STEPS} steps"),
        ({"losses": np.zeros((3, 2))}, r"losses: must be one number of each step.*\(3, 2\)"),
        ({"losses": ["a"]}, "losses: must be real numbers"),
        ({"losses": [1j]}, "losses: must be real numbers"),
        ({"losses": {0: 1.0}}, r"losses: a step must be 1 to 30 \(counted from 1\). Got step 0"),
        ({"losses": {"1": 1.0}}, "losses: a step must be a whole number. Got '1'"),
        ({"outputs_before": np.zeros(3)}, r"outputs before training: must have shape \(4, 1\)"),
        ({"parameters": [1]}, "parameters: must be a mapping of steps"),
        ({"parameters": {31: []}}, r"a step must be 0 to 30 \(0 is the start\)"),
        ({"parameters": {1: []}}, "parameters after step 1: must be a list of"),
        ({"parameters": {1: 7}}, r"parameters after step 1: must be a list of \(W, b\)"),
        (
            {"parameters": {1: [(np.zeros((2, 2)), np.zeros(2)), (np.zeros((1, 2)), np.zeros(1))]}},
            "weights of layer 2 must have shape .* hand back their transpose, `W.T`",
        ),
        (
            {"parameters": {1: [(np.zeros((2, 2)), None), (np.zeros((2, 1)), np.zeros(1))]}},
            r"biases of layer 1 must have shape \(2,\). Got None",
        ),
        (
            {"parameters": {1: [(np.zeros((2, 2)), np.zeros(3)), (np.zeros((2, 1)), np.zeros(1))]}},
            r"biases of layer 1 must have shape \(2,\). Got \(3,\)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(values, message):
    with pytest.raises(AnswerError, match=message):
        judge_partial(protocol(), 0, PartialAnswer(**values))


def test_forms_that_mean_the_same():
    """A flat list, nested lists, biases as a row, losses as a column: all are unambiguous."""
    losses, outputs, parameters = trained()
    end = parameters[STEPS]
    flat = [values for pair in end for values in pair]
    rows = [(W.tolist(), b.reshape(1, -1)) for W, b in end]
    for form in (flat, rows, tuple(end)):
        given = PartialAnswer(
            losses=losses.reshape(-1, 1), outputs_before=outputs.ravel(), parameters={STEPS: form}
        )
        assert judge_partial(protocol(), 0, given).same


def test_not_a_number_differs():
    losses = trained()[0].copy()
    losses[5:] = np.nan
    verdict = judge_partial(protocol(), 0, PartialAnswer(losses=losses))
    assert verdict.different
    assert verdict.causes == ()


@pytest.mark.parametrize(
    ("steps", "name"), [(0, "xor-mlp"), (10**6, "xor-mlp"), (3, "fixed-forward")]
)
def test_a_length_that_the_protocol_does_not_have(steps, name):
    with pytest.raises(ValueError, match="steps: "):
        handed_out(load(name), steps)


def test_a_network_that_only_predicts():
    experiment = handed_out(load("fixed-forward"))
    start = initial_parameters(experiment, 0, "float64")
    verdict = judge_partial(experiment, 0, PartialAnswer(parameters={0: start}))
    assert verdict.same
    assert [each.part for each in verdict.missing] == ["outputs before training"]


def test_nothing_of_the_answer_is_changed():
    given = answer()
    before = dataclasses.replace(given, losses=np.copy(given.losses))
    judge_partial(protocol(), 0, given)
    assert np.array_equal(given.losses, before.losses)
