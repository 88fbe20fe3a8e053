"""Every entered adapter, every loop: the ladder on every protocol, and every rule of the contract.

Known deviations would be listed here as `(adapter, rule): reason`; there are none. Keras on
another backend than this process's has its tests in processes of their own: see
`test_keras_backends.py`.
"""

from dataclasses import replace

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load
from harness.parity import ladder
from harness.parity.covering import covering
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.parity.rules import RULES, many_seeds_is_advance
from harness.parity.subject import BrokenRuleError, Subject, run
from harness.parity.trace import prepared_of, record
from harness.registry import installed
from harness.start import BatchPlan, initial_parameters
from tests.conftest import BRIEF, COMPILING, has_another_backend, skip_without

SHORT = "short-batch-momentum-decay"
FEW = ("relu-adam", "regression", SHORT, "xor-sigmoid-full")
ITS_OWN_RULE = "mse-behind-tanh"
"""Adam with epsilon hat, a penalty and a decaying rate, in short batches."""
SAME = {"float64": "same", "float32": "same to float32"}
STATE = "no_state_is_left_for_the_next_trial"
FEW_RULES = ("learning_rates_are_obeyed", STATE, "predictions_are_raw_and_in_order")
BOTH = ("steps", "gradients")
FLOAT32 = ("adam-hat", "relu-adam", "short-batch-momentum-decay")
CELLS = [
    (name, loop)
    for name, framework in installed().items()
    for loop in framework.loops
    if not framework.missing and not has_another_backend(name)
]


OWN_FUSED = ("tensorflow", "keras-jax", "flax")
"""Adapters of `BRIEF` whose fused loop runs a plan of fixed size."""


def is_slow(name, loop):
    """Whether a loop compiles so long that few tests run it, and in one process."""
    return loop in installed()[name].slow_to_start


def is_last(name, loop):
    """Whether a loop is the last of its framework, which compiles most."""
    return loop == installed()[name].loops[-1]


def marks(by_default, *cell):
    """What a test is marked with that belongs to the default run, or only to the full product."""
    slow = [pytest.mark.xdist_group("slow to start")] if cell and is_slow(*cell) else []
    return slow + ([] if by_default else [pytest.mark.full_product])


cells = pytest.mark.parametrize(
    ("name", "loop"),
    [
        pytest.param(
            name,
            loop,
            id=f"{name}-{loop}",
            marks=marks(name not in BRIEF or is_last(name, loop)),
        )
        for name, loop in CELLS
    ],
)


def every_cell_with(values, *, in_full=()):
    """Parametrize over every cell with every value (`str`, or a function with a name).

    The values of `in_full` take a compiler many minutes: by default only frameworks without one
    have them.
    """
    return [
        pytest.param(
            name,
            loop,
            value,
            id=f"{getattr(value, '__name__', value)}-{name}-{loop}",
            marks=marks(
                not (name in (*COMPILING, *BRIEF) or is_slow(name, loop)) or value not in in_full,
                name,
                loop,
            ),
        )
        for value in values
        for name, loop in CELLS
        if is_last(name, loop) or name not in BRIEF
    ]


def subject_of(name, loop):
    """A cell in its adapter's most precise dtype."""
    return Subject(installed()[name].load(), loop, installed()[name].dtypes[-1])


def judged(subject, protocol, dtype="float64", *, parts=BOTH):
    """The oracle's judgement of a protocol of the ladder; skipped where it is not supported.

    `parts` are what the adapter does; the oracle does the other part in its place.
    """
    experiment = every()[protocol]
    reason = subject.adapter.refuses(experiment)
    if reason:
        pytest.skip(reason)
    prepared = data.load(experiment.data, experiment.loss, dtype)

    def build(asked):
        if ("steps" if asked is experiment else "gradients") in parts:
            return subject.build(asked, dtype)
        exact = prepared_of(experiment)
        start = initial_parameters(experiment, 0, "float64")
        return Reference(asked, start, exact.train.inputs, exact.train.targets)

    as_in_a_worker = dtype == "float64" and parts == BOTH
    shown_by = "first update" if as_in_a_worker else "own trainer"
    trace = record(build, experiment, prepared, 0, shown_by=shown_by)
    return ladder.judge(trace, experiment, 0, dtype)


BEYOND_COVERING = [name for name in every() if name not in covering()]


def protocols_of(name, loop):
    """What a cell follows: by default, in the full product besides, and every night besides."""
    if name in BRIEF:
        if is_last(name, loop):
            return (SHORT, ITS_OWN_RULE), (*FEW, *tuple(covering())[::3]), covering()
        return (), (SHORT,), FEW
    if is_slow(name, loop):
        return (), (SHORT, ITS_OWN_RULE), FEW
    if name in COMPILING:
        if loop == "stepwise":  # it compiles the step that `fused` has in its loop
            return (SHORT,), FEW, every()
        return (*FEW, ITS_OWN_RULE) if is_last(name, loop) else (SHORT,), covering(), every()
    if name == "torch":
        return covering(), every(), ()
    return every(), (), ()


def marks_of(cases, value, name, loop):
    """The marks of a cell with a protocol or rule; None where it does not have it.

    `cases` are its protocols or rules by default, in full, and every night.
    """
    by_default, in_full, every_night = cases
    if value in {*by_default, *in_full}:
        return marks(value in by_default, name, loop)
    return [pytest.mark.nightly] if value in every_night else None


PROTOCOLS_OF_CELLS = [
    pytest.param(name, loop, protocol, id=f"{protocol}-{name}-{loop}", marks=found)
    for protocol in every()
    for name, loop in CELLS
    if (found := marks_of(protocols_of(name, loop), protocol, name, loop)) is not None
]


@pytest.mark.parametrize(("name", "loop", "protocol"), PROTOCOLS_OF_CELLS)
def test_every_protocol_is_followed(name, loop, protocol):
    """With its gradient, which a framework that compiles would compile by itself."""
    with_gradient = name not in COMPILING or protocol in covering() or not is_last(name, loop)
    parts = BOTH if with_gradient else ("steps",)
    subject = subject_of(name, loop)
    judgement = judged(subject, protocol, subject.dtype, parts=parts)
    assert judgement.verdict == SAME[subject.dtype], judgement.reason


@pytest.mark.nightly
@pytest.mark.parametrize("protocol", BEYOND_COVERING)
@pytest.mark.parametrize(
    ("name", "loop"),
    [cell for cell in CELLS if cell[0] in COMPILING and is_last(*cell)],
)
def test_the_gradients_that_are_left_out_above(name, loop, protocol):
    judgement = judged(subject_of(name, loop), protocol, parts=("gradients",))
    assert judgement.verdict == "same", judgement.reason


def rules_of(name, loop):
    """What a cell is held to: by default, in the full product besides, and every night besides."""
    all_rules = tuple(rule.__name__ for rule in RULES)
    if is_slow(name, loop):
        return (), (), FEW_RULES
    if name in BRIEF:
        return ((STATE,), FEW_RULES, all_rules) if is_last(name, loop) else ((), (), ())
    if name in COMPILING:
        if loop == "stepwise":
            return (), (), all_rules
        return FEW_RULES if is_last(name, loop) else (), all_rules, ()
    return all_rules, (), ()


RULES_OF_CELLS = [
    pytest.param(name, loop, rule, id=f"{rule.__name__}-{name}-{loop}", marks=found)
    for rule in RULES
    for name, loop in CELLS
    if (found := marks_of(rules_of(name, loop), rule.__name__, name, loop)) is not None
]


@pytest.mark.parametrize(("name", "loop", "rule"), RULES_OF_CELLS)
def test_every_rule_holds(name, loop, rule):
    rule(subject_of(name, loop))


@pytest.mark.parametrize(("name", "loop", "protocol"), every_cell_with(FLOAT32, in_full=FLOAT32))
def test_in_float32_it_stays_within_the_measured_tolerance(name, loop, protocol):
    judgement = judged(subject_of(name, loop), protocol, "float32")
    assert judgement.verdict == "same to float32", judgement.reason


@cells
def test_the_fixed_forward_pass_of_the_post(name, loop):
    experiment = load("fixed-forward")
    subject = subject_of(name, loop)
    outputs = subject.build(experiment).predict(np.array([[1.0, 0.5]], subject.dtype))
    atol = 5e-9 if subject.dtype == "float64" else 1e-7
    np.testing.assert_allclose(outputs, [[0.31682708, 0.69627909]], atol=atol)


@cells
def test_the_products_of_a_limit_are_of_any_shape(name, loop):
    """No two dimensions are equal, so that a product taken the wrong way round raises."""
    subject, random = subject_of(name, loop), np.random.default_rng(0)
    trainer = subject.build(subject.supported("relu-adam"))
    widths = ((5, 4), (4, 3), (3, 2))
    shapes = [((7, inputs), (inputs, units), (7, units)) for inputs, units in widths]
    operands = [
        tuple(random.normal(size=shape).astype(subject.dtype) for shape in layer)
        for layer in shapes
    ]
    multiply = trainer.matrix_products(operands)
    if multiply is None:
        pytest.skip("no matrix_products: the columns of limits stay empty")
    for times in (1, 3):
        assert multiply(times) is None


# ---------------------------------------------------------------- longer than one piece


def planning_seven_steps(name, monkeypatch):
    """Its fused loop, which then runs a longer segment in pieces, the last of them not full."""
    skip_without(name)
    subject = subject_of(name, "fused")
    monkeypatch.setattr(f"{subject.adapter.__module__}.PLANNED_STEPS", 7)
    return subject


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=marks(name not in BRIEF)) for name in ("keras", "jax", *OWN_FUSED)],
)
@pytest.mark.parametrize("protocol", ["short-batch-momentum-decay", "xor-sigmoid-full"])
def test_a_segment_longer_than_its_plan(name, protocol, monkeypatch):
    judgement = judged(planning_seven_steps(name, monkeypatch), protocol)
    assert judgement.verdict == "same", judgement.reason


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks(name == "jax")) for name in ("jax", *BRIEF[:2])]
)
@pytest.mark.parametrize("loop", ["stepwise", "fused"])
def test_one_program_serves_every_segment(name, loop):
    """Whatever its length, and though the state of the first comes from elsewhere."""
    skip_without(name)
    subject, experiment = subject_of(name, loop), every()["relu-adam"]
    trainer, plan = subject.build(experiment), BatchPlan.of(experiment, 0)
    for first, last in ((0, 1), (1, 2), (2, 9)):
        run(trainer, plan.segment(first, last))
    program = trainer.segment_compiled if loop == "fused" else trainer.step_compiled
    count = getattr(program, "_cache_size", None) or program.experimental_get_tracing_count
    assert count() == 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks(name == "jax")) for name in ("jax", *OWN_FUSED[1:])]
)
def test_several_steps_a_turn(name):
    """As on a GPU. The last turn of a segment may have fewer."""
    skip_without(name)
    subject = subject_of(name, "fused")

    class Unrolled(subject.adapter):
        def __init__(self, task):
            super().__init__(task)
            self.unrolled = 3

    judgement = judged(replace(subject, adapter=Unrolled), "short-batch-momentum-decay")
    assert judgement.verdict == "same", judgement.reason


@pytest.mark.xdist_group("jax")
def test_many_seeds_longer_than_its_plan(monkeypatch):
    assert many_seeds_is_advance(planning_seven_steps("jax", monkeypatch)) == ""


# ---------------------------------------------------------------- the `fit` calls of Keras


def fits_of(protocol, monkeypatch):
    """(rows, epochs) of every `fit` of the 24 steps."""
    skip_without("keras")
    subject, experiment, fits = subject_of("keras", "idiomatic"), every()[protocol], []
    trainer = subject.build(experiment)
    monkeypatch.setattr(
        trainer.model, "fit", lambda x, y, epochs, **_: fits.append((len(x), epochs))
    )
    run(trainer, BatchPlan.of(experiment, 0).segment(0, experiment.steps))
    return fits


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize(
    ("protocol", "rows"),
    [
        ("relu-adam", [24 * 32]),
        # a rate of its own in each step of the warm-up
        ("momentum-rate-inside-decay", [32] * 4 + [6 * 32, 10 * 32, 4 * 32]),
        ("shuffled-dropped", [24 * 300]),
        ("shuffled-short", [1437] * 4 + [1200]),
        ("l2-weights", [1437] * 4 + [1200]),
        ("l2-weights-per-row", [1200, 237] * 4 + [1200]),
        ("short-batch-momentum-decay", [1437] * 4 + [1200]),  # the rate changes between epochs
        ("regression", [24 * 353]),
    ],
)
def test_a_fit_is_as_long_as_can_be(protocol, rows, monkeypatch):
    assert fits_of(protocol, monkeypatch) == [(each, 1) for each in rows]


@pytest.mark.xdist_group("keras")
def test_large_full_batches_are_epochs_of_fit(monkeypatch):
    skip_without("keras")
    at_most, step_bytes = "implementations.keras_parts.fit_calls.REPEATED_BYTES", 353 * 10 * 8
    monkeypatch.setattr(at_most, 24 * step_bytes)
    assert fits_of("regression", monkeypatch) == [(24 * 353, 1)]
    monkeypatch.setattr(at_most, 24 * step_bytes - 1)
    assert fits_of("regression", monkeypatch) == [(353, 24)]
    monkeypatch.setattr(at_most, 0)
    judgement = judged(subject_of("keras", "idiomatic"), "regression")
    assert judgement.verdict == "same", judgement.reason


# ---------------------------------------------------------------- the rules and the ladder itself


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
            pairs = super().parameters()
            return (
                [(W.astype("f"), b.astype("f")) for W, b in pairs] if broken == "float32" else pairs
            )

    broken_rules = []
    for rule in RULES:
        try:
            rule(Subject(Broken, "stepwise"))
        except BrokenRuleError as error:
            broken_rules.append(f"{rule.__name__}: {error}")
    assert {
        "loses state": "in pieces it differs",
        "returns views": "must return copies",
        "ignores rates": "nothing must move",
        "float32": "asked for",
    }[broken] in "\n".join(broken_rules)
