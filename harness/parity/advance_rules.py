"""The rules of the contract about training: `stage`, `advance` and what they are given."""

import dataclasses

import numpy as np

from harness.parity.kinds import SHORT_BATCH
from harness.parity.outputs import relative_gap
from harness.parity.subject import Subject, difference, require, run
from harness.start import BatchPlan
from harness.trainer import Array


def losses_are_one_per_step_and_the_oracles(subject: Subject) -> str:
    """`advance` returns (steps,) losses, each before its update; idiomatic loops may give none."""
    experiment = subject.supported("shuffled-short")
    _, (first, rest) = subject.trained(experiment, 1, 6)
    if first is None or rest is None:
        require(subject.loop == "idiomatic", f"a {subject.loop} loop must return its losses")
        return "the library gives none"
    shapes = np.shape(first), np.shape(rest)
    require(shapes == ((1,), (5,)), f"losses must have shapes (1,) and (5,). Got {shapes}")
    expected = subject.expected(experiment, 6)[1]
    losses = np.concatenate([first, rest]).astype(np.float64)
    gap = float(np.abs(np.subtract(losses, expected)).max() / np.abs(expected).max())
    require(gap <= subject.tolerance, f"losses differ from the oracle's by {gap:.1e}")
    return ""


def a_short_last_batch_is_handled(subject: Subject) -> None:
    """Padding weighs nothing: after an epoch with a short batch the oracle agrees."""
    experiment = subject.supported("sequential-short", SHORT_BATCH)
    epoch = experiment.steps_per_epoch
    trainer, _ = subject.trained(experiment, epoch)
    gap = difference(trainer.parameters(), subject.expected(experiment, epoch)[0])
    require(gap <= subject.tolerance, f"after a short batch the oracle differs by {gap:.1e}")


def seed_and_batches_are_obeyed(subject: Subject) -> None:
    """Another seed gives another start and other batches, and the oracle's result for them."""
    experiment = subject.supported("shuffled-short")
    trainer, _ = subject.trained(experiment, 6, seed=3)
    gap = difference(trainer.parameters(), subject.expected(experiment, 6, seed=3)[0])
    require(gap <= subject.tolerance, f"with seed 3 the oracle differs by {gap:.1e}")


def learning_rates_are_obeyed(subject: Subject) -> None:
    """The rates of the batches replace the optimizer's own, step by step: 0 moves nothing."""
    experiment = subject.supported("relu-adam")
    trainer = subject.build(experiment)
    before = trainer.parameters()
    batches = BatchPlan.of(experiment, 0).segment(0, 2)
    batches.learning_rates[:] = 0
    run(trainer, batches)
    gap = difference(trainer.parameters(), before)
    require(gap == 0, f"with a learning rate of 0 nothing must move. It moved by {gap:.1e}")
    batches = BatchPlan.of(experiment, 0).segment(0, 6)
    batches.learning_rates[:] *= (1, 0.5, 2, 0.25, 1, 4)
    trainer, oracle = subject.build(experiment), subject.oracle(experiment)
    run(trainer, batches)
    oracle.advance(batches)
    gap = difference(trainer.parameters(), oracle.parameters())
    require(
        gap <= subject.tolerance,
        f"every step has a learning rate of its own. With six that differ the oracle differs by "
        f"{gap:.1e}",
    )


def advance_in_pieces_equals_advance_at_once(subject: Subject) -> None:
    """Nothing is lost or reset between calls."""
    for name in ("relu-adam", "short-batch-momentum-decay", "xor-sigmoid-full"):
        experiment = subject.supported(name)
        whole, _ = subject.trained(experiment, 24)
        pieces, _ = subject.trained(experiment, 1, 9, 10, 24)
        gap = difference(pieces.parameters(), whole.parameters())
        require(gap <= subject.tolerance, f"{name}: in pieces it differs by {gap:.1e}")


def stage_trains_nothing(subject: Subject) -> None:
    """What is staged and never advanced leaves no trace, in parameters, outputs or later steps."""
    experiment = subject.supported("shuffled-short")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    outputs = np.array(trainer.predict(task.inputs[:50]))
    trainer.stage(BatchPlan.of(experiment, 1).segment(0, 6))
    gap = difference(trainer.parameters(), task.parameters)
    require(gap == 0, f"stage must train nothing. Without advance parameters moved by {gap:.1e}")
    gap = relative_gap(np.asarray(trainer.predict(task.inputs[:50])), outputs)
    require(gap == 0, f"stage must train nothing. Without advance outputs moved by {gap:.1e}")
    run(trainer, BatchPlan.of(experiment, 0).segment(0, 6))
    gap = difference(trainer.parameters(), subject.expected(experiment, 6)[0])
    require(
        gap <= subject.tolerance,
        f"batches that were staged and not advanced must leave no trace. Six steps later the "
        f"oracle differs by {gap:.1e}",
    )


def advance_leaves_nothing_for_later(subject: Subject) -> None:
    """Once `advance` has returned, neither its batches nor the task's data are read again."""
    experiment = subject.supported("shuffled-short")
    task = subject.task(experiment)
    inputs, targets = task.inputs.copy(), np.array(task.targets)
    given = dataclasses.replace(task, inputs=_read_only(inputs), targets=_read_only(targets))
    trainer = subject.adapter(given)
    batches = BatchPlan.of(experiment, 0).segment(0, 6)
    losses = run(trainer, batches)
    batches.learning_rates[:] = 0
    batches.sizes[:] = 1
    if batches.rows is not None:
        batches.rows[:] = 0
    inputs[:] = 0
    targets[:] = 0
    expected, expected_losses = subject.expected(experiment, 6)
    gap = difference(trainer.parameters(), expected)
    require(
        gap <= subject.tolerance,
        f"advance must be done when it returns. With batches and data overwritten afterwards the "
        f"oracle differs by {gap:.1e}",
    )
    if losses is not None:
        gap = relative_gap(np.asarray(losses, np.float64), expected_losses)
        require(
            gap <= subject.tolerance,
            f"losses must be computed when advance returns. They differ by {gap:.1e} once batches "
            "and data are overwritten",
        )


def _read_only(array: Array) -> Array:
    """A view that cannot be written to; the array itself can."""
    view = array.view()
    view.flags.writeable = False
    return view
