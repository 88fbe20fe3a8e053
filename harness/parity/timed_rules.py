"""The rules of the contract that are timed: they belong to `samestep check`, not to the tests."""

import time

import numpy as np

from harness.parity.clocked_work import problem_with_clock, repeated
from harness.parity.subject import Subject, require, run
from harness.start import BatchPlan

SYNC_STEPS, SYNC_TRIES, SYNC_TIMES = 150, 5, 8
PRODUCT_SIZE = 256


def the_device_is_done_on_return(subject: Subject) -> str:
    """Reading the parameters after `advance` waits for nothing, and more work takes longer.

    The best of five counts.
    """
    experiment = subject.supported("relu-adam")
    plan = BatchPlan.of(experiment, 0)
    trainer = subject.build(experiment)
    run(trainer, plan.segment(0, 1))
    once: list[float] = []
    more: list[float] = []
    read: list[float] = []
    for _ in range(SYNC_TRIES):
        for times, steps in ((once, SYNC_STEPS), (more, SYNC_TIMES * SYNC_STEPS)):
            batches = repeated(plan, steps)
            trainer.stage(batches)
            began = time.perf_counter()
            trainer.advance(batches)
            times.append(time.perf_counter() - began)
            began = time.perf_counter()
            trainer.parameters()
            read.append(time.perf_counter() - began)
    require(
        min(read) < max(0.5 * min(once), 0.002),
        f"advance must return when the device is done; reading took {min(read):.4f} s after "
        f"{min(once):.4f} s of training",
    )
    require(
        min(more) > 1.5 * min(once),
        f"{SYNC_TIMES} times the work must take longer: {min(once):.4f} s and {min(more):.4f} s",
    )
    step_us = min(more) / (SYNC_TIMES * SYNC_STEPS) * 1e6
    return f"{step_us:.0f} µs a step, read back in {min(read) * 1e6:.0f} µs"


def training_is_done_on_the_clock(subject: Subject) -> None:
    """What `stage` and later readings take does not grow with the steps as training does."""
    experiment = subject.supported("relu-adam")
    plan = BatchPlan.of(experiment, 0)
    trainer = subject.build(experiment)
    inputs = subject.task(experiment).inputs[:2]
    problem = problem_with_clock(trainer, lambda steps: repeated(plan, steps), inputs)
    require(not problem, problem)


def its_limit_is_all_the_products(subject: Subject) -> str:
    """`matrix_products(times)` computes them all, `times` times; or there is none.

    A compiler that sees the same products again computes them once: then 20 rounds take as long
    as 2, and the limit would be a tenth of what it is. The best of five counts.
    """
    trainer = subject.build(subject.supported("relu-adam"))
    size = PRODUCT_SIZE
    square = np.full((size, size), 1 / size, subject.dtype)
    multiply = trainer.matrix_products([(square, square, square)] * 2)
    if multiply is None:
        return "no matrix_products: the columns of limits stay empty"
    multiply(1)
    seconds: dict[int, float] = {}
    for _ in range(SYNC_TRIES):
        for times in (2, 20):
            began = time.perf_counter()
            multiply(times)
            elapsed = time.perf_counter() - began
            seconds[times] = min(seconds.get(times, elapsed), elapsed)
    require(
        seconds[20] > 5 * seconds[2],
        f"20 rounds of products must take ten times as long as 2: {seconds[2]:.4f} s and "
        f"{seconds[20]:.4f} s; do they depend on each other, and does it wait for the device?",
    )
    rate = 20 * 5 * 2 * size**3 / seconds[20] * 1e-9  # two layers: five products
    return f"{rate:.0f} GFLOP/s in {subject.dtype}"
