"""The rules of the contract about predictions."""

import numpy as np

from harness.parity.outputs import (
    many_rows,
    outputs_of,
    problem_with_order,
    problem_with_outputs,
    relative_gap,
)
from harness.parity.subject import Subject, require, run
from harness.start import BatchPlan


def predictions_are_raw_and_in_order(subject: Subject) -> None:
    """`predict` returns (rows, outputs) for one row or many, raw, in the order of the classes."""
    experiment = subject.supported("relu-adam")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    for rows in (1, 17, 200):
        inputs = task.inputs[:rows]
        outputs = np.asarray(trainer.predict(inputs))
        expected = outputs_of(experiment, task.parameters, inputs)
        require(
            outputs.shape == expected.shape,
            f"predict must return shape {expected.shape}. Got {outputs.shape}",
        )
        gap = relative_gap(outputs, expected)
        require(gap <= subject.tolerance, f"outputs before training differ by {gap:.1e}")


def many_rows_are_predicted_in_order(subject: Subject) -> None:
    """Predictions of 10,000 rows are those of slices of them, and the oracle's."""
    experiment = subject.supported("relu-adam")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    inputs = many_rows(task.inputs)
    expected = outputs_of(experiment, task.parameters, inputs)
    require(
        np.shape(trainer.predict(inputs)) == expected.shape,
        f"predict of {len(inputs):,} rows must return shape {expected.shape}",
    )
    problem = problem_with_order(trainer, inputs, subject.dtype)
    require(not problem, problem)
    off = relative_gap(np.asarray(trainer.predict(inputs)), expected)
    require(off <= subject.tolerance, f"outputs of {len(inputs):,} rows differ by {off:.1e}")


def predictions_follow_the_parameters(subject: Subject) -> None:
    """After any training, outputs are what the network makes of `parameters()` at that time."""
    experiment = subject.supported("relu-adam")
    task, plan = subject.task(experiment), BatchPlan.of(experiment, 0)
    trainer = subject.adapter(task)
    inputs = task.inputs[:200]
    for first, last in ((0, 0), (0, 3), (3, 12)):
        if last:
            run(trainer, plan.segment(first, last))
        outputs = np.asarray(trainer.predict(inputs))
        problem = problem_with_outputs(
            experiment, trainer.parameters(), inputs, outputs, subject.dtype
        )
        require(not problem, f"after {last} steps {problem}")
