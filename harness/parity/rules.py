"""The rules of the contract, one short function each: what holds for every adapter and loop.

A rule gets a `Subject` (an adapter and one of its loops) and raises `BrokenRuleError` with what is
required and what it got. What a rule returns is a remark. The ladder proves that the numbers are
right; these rules are about everything else that the harness relies on.
"""

import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.training import FullBatches
from harness.parity.advance_rules import (
    a_short_last_batch_is_handled,
    advance_in_pieces_equals_advance_at_once,
    advance_leaves_nothing_for_later,
    learning_rates_are_obeyed,
    losses_are_one_per_step_and_the_oracles,
    seed_and_batches_are_obeyed,
    stage_trains_nothing,
)
from harness.parity.output_rules import (
    many_rows_are_predicted_in_order,
    predictions_are_raw_and_in_order,
    predictions_follow_the_parameters,
)
from harness.parity.protocols import every
from harness.parity.subject import NoSuchProtocolError, Subject, difference, require, run
from harness.parity.timed_rules import (
    its_limit_is_all_the_products,
    the_device_is_done_on_return,
    training_is_done_on_the_clock,
)
from harness.start import BatchPlan
from harness.trainer import DeviceUnavailableError, StepTrainer

FRAMEWORKS = ("sklearn", "tensorflow", "torch", "jax", "mxnet", "paddle", "cupy")
MANY_STARTS, MANY_STEPS = 3, 25
MANY_TOLERANCE = {"float64": 1e-10, "float32": 1e-4}

Rule = Callable[[Subject], str | None]


def same_start_twice_gives_bitwise_the_same(subject: Subject) -> None:
    """Two trainers of one task end with the same bits."""
    experiment = subject.supported("shuffled-short")
    one, _ = subject.trained(experiment, 12)
    other, _ = subject.trained(experiment, 12)
    gap = difference(one.parameters(), other.parameters())
    require(gap == 0, f"the same start twice must give bitwise the same. They differ by {gap:.1e}")


def inputs_are_not_modified(subject: Subject) -> None:
    """Training and predicting leave the task's arrays as they are, read-only flags included."""
    experiment = subject.supported("shuffled-short")
    task = subject.task(experiment)
    arrays = [task.inputs, task.targets, *(v for pair in task.parameters for v in pair)]
    before = [None if array is None else array.copy() for array in arrays]
    trainer = subject.adapter(task)
    run(trainer, BatchPlan.of(experiment, 0).segment(0, 6))
    trainer.predict(task.inputs[:50])
    for array, copy in zip(arrays, before, strict=True):
        if array is not None and copy is not None:
            require(np.array_equal(array, copy), "task arrays must not be modified")
            require(not array.flags.writeable, "task arrays must stay read-only")


def parameters_round_trip_as_copies(subject: Subject) -> None:
    """The start is returned as it was given, as copies: changing them changes nothing."""
    experiment = subject.supported("shuffled-short")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    parameters = trainer.parameters()
    shapes = [tuple(None if v is None else v.shape for v in pair) for pair in parameters]
    expected = [tuple(None if v is None else v.shape for v in pair) for pair in task.parameters]
    require(shapes == expected, f"parameters must have shapes {expected}. Got {shapes}")
    gap = difference(parameters, task.parameters)
    require(gap == 0, f"parameters() before training must be the given start. Off by {gap:.1e}")
    for pair in parameters:
        for values in pair:
            if values is not None:
                np.asarray(values)[...] = 7
    gap = difference(trainer.parameters(), task.parameters)
    require(gap == 0, "parameters() must return copies; changing them changed the trainer")


def unsupported_is_refused_with_a_reason(subject: Subject) -> str:
    """`supports` answers None or a sentence, for every protocol."""
    refused = []
    for name, experiment in every().items():
        reason = subject.adapter.refuses(experiment)
        require(
            reason is None or (isinstance(reason, str) and len(reason) > 10),
            f"supports must return None or a sentence for {name!r}. Got {reason!r}",
        )
        if reason is not None:
            refused.append(name)
    subject.supported()  # or every protocol is refused
    return f"refuses {len(refused)} of {len(every())} protocols" if refused else ""


def no_state_is_left_for_the_next_trial(subject: Subject) -> None:
    """A trial of another protocol and precision in between changes nothing."""
    experiment = subject.supported("shuffled-short")
    before, _ = subject.trained(experiment, 6)
    other = subject.supported("xor-sigmoid-full")
    subject.trained(other, 6, dtype=subject.adapter.dtypes[0])
    after, _ = subject.trained(experiment, 6)
    gap = difference(after.parameters(), before.parameters())
    require(gap == 0, f"after another trial the same one differs by {gap:.1e}")


def many_seeds_is_advance(subject: Subject) -> str:
    """From each of three starts it ends where `advance` ends, and the trainer is untouched.

    One trainer does both in the middle of its training, and its memory must not leak.
    """
    missing = "no many_seeds: success rates are run seed by seed"
    if subject.adapter.many_seeds is StepTrainer.many_seeds:
        return missing
    for name in ("xor-sigmoid-full", "short-batch-momentum-decay", "mse-no-bias"):
        experiment = _full_batch(subject.supported(name))
        if subject.adapter.refuses(experiment) is not None:
            raise NoSuchProtocolError(f"not tested: supports refuses {name} with full batches")
        if experiment.network.dropout_layers:
            raise NoSuchProtocolError("not tested: with dropout every seed has masks of its own")
        batches = BatchPlan.of(experiment, 0).segment(0, MANY_STEPS)
        starts = [subject.task(experiment, seed=seed).parameters for seed in range(MANY_STARTS)]
        trainer, _ = subject.trained(experiment, MANY_STEPS // 2)
        before = trainer.parameters()
        ends = trainer.many_seeds(starts, batches)
        if ends is None:
            return missing
        gap = difference(trainer.parameters(), before)
        require(gap == 0, f"{name}: many_seeds moved the trainer's own parameters by {gap:.1e}")
        run(trainer, BatchPlan.of(experiment, 0).segment(MANY_STEPS // 2, MANY_STEPS))
        others = [subject.trained(experiment, MANY_STEPS, seed=s)[0] for s in range(1, MANY_STARTS)]
        alone = [one.parameters() for one in (trainer, *others)]
        require(
            len(ends) == MANY_STARTS, f"many_seeds must return {MANY_STARTS} ends. Got {len(ends)}"
        )
        for seed, (end, expected) in enumerate(zip(ends, alone, strict=True)):
            gap = difference(end, expected)
            require(
                gap <= MANY_TOLERANCE[subject.dtype],
                f"{name}: from start {seed} many_seeds differs from advance by {gap:.1e}",
            )
    return ""


def device_and_precision_are_as_asked(subject: Subject) -> str:
    """Parameters and outputs have the task's dtype; `cuda` is taken or refused, never ignored."""
    experiment = subject.supported("relu-adam")
    for dtype in subject.adapter.dtypes:
        trainer, _ = subject.trained(experiment, 1, dtype=dtype)
        outputs = np.asarray(trainer.predict(subject.task(experiment, dtype).inputs[:3]))
        kinds = {str(v.dtype) for pair in trainer.parameters() for v in pair if v is not None}
        require(
            kinds == {dtype} and str(outputs.dtype) == dtype,
            f"asked for {dtype}, parameters are {kinds}, outputs {outputs.dtype}",
        )
    task = dataclasses.replace(subject.task(experiment), device="cuda")
    try:
        trainer = subject.adapter(task)
    except DeviceUnavailableError:
        return "no GPU here, and it says so"
    require(
        str(trainer.device).startswith("cuda"),
        f"asked for cuda, `device` says {trainer.device!r}; raise DeviceUnavailableError",
    )
    return ""


def no_second_framework_is_loaded(subject: Subject) -> str:
    """Lists the frameworks that its import brought along: a remark, nothing is forbidden."""
    module = subject.adapter.__module__
    loaded = sorted(name for name in FRAMEWORKS if name in sys.modules)
    return f"{module} comes with {', '.join(loaded)}" if loaded else ""


def _full_batch(experiment: Experiment) -> Experiment:
    """The same protocol with all rows in every step."""
    if experiment.training is None:
        raise ValueError(f"{experiment.name}: has no [training], so no batches")
    batches = FullBatches(order="full")
    training = experiment.training.model_copy(update={"batches": batches})
    return experiment.model_copy(update={"training": training})


RULES: tuple[Rule, ...] = (
    parameters_round_trip_as_copies,
    predictions_are_raw_and_in_order,
    many_rows_are_predicted_in_order,
    predictions_follow_the_parameters,
    losses_are_one_per_step_and_the_oracles,
    a_short_last_batch_is_handled,
    seed_and_batches_are_obeyed,
    learning_rates_are_obeyed,
    advance_in_pieces_equals_advance_at_once,
    stage_trains_nothing,
    advance_leaves_nothing_for_later,
    same_start_twice_gives_bitwise_the_same,
    inputs_are_not_modified,
    no_state_is_left_for_the_next_trial,
    many_seeds_is_advance,
    device_and_precision_are_as_asked,
    unsupported_is_refused_with_a_reason,
    no_second_framework_is_loaded,
)
TIMED_RULES: tuple[Rule, ...] = (
    the_device_is_done_on_return,
    training_is_done_on_the_clock,
    its_limit_is_all_the_products,
)
BY_NAME = {rule.__name__: rule for rule in (*RULES, *TIMED_RULES)}
