"""The rules of the contract, one short function each: what holds for every adapter and loop.

A rule gets a `Subject` (an adapter and one of its loops) and raises `BrokenRuleError` with what,
rule and value. What it returns is a remark. The ladder proves that the numbers are right; these
rules are about everything else that the harness relies on.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness import data
from harness.experiment.model import Experiment
from harness.experiment.training import FullBatches
from harness.parity.protocols import every
from harness.parity.reference import Reference
from harness.start import BatchPlan, initial_parameters, task_of
from harness.trainer import (
    Array,
    Batches,
    DeviceUnavailableError,
    Parameters,
    StepTrainer,
    Task,
)

FRAMEWORKS = ("sklearn", "tensorflow", "torch", "jax", "mxnet", "paddle", "cupy")
SYNC_STEPS, SYNC_TRIES, SYNC_TIMES = 150, 5, 8
PRODUCT_SIZE = 256
MANY_STARTS, MANY_STEPS = 3, 25
MANY_TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


class BrokenRuleError(AssertionError):
    """A rule of the contract does not hold; the message says how."""


@dataclass(frozen=True)
class Subject:
    """An adapter, one of its loops, and the precision and device it is checked in."""

    adapter: type[StepTrainer]
    loop: str
    dtype: str = "float64"
    device: str = "cpu"

    def task(self, experiment: Experiment, dtype: str | None = None, seed: int = 0) -> Task:
        """The task of a trial."""
        used = dtype or self.dtype
        prepared = data.load(experiment.data, experiment.loss, used)
        return task_of(
            experiment, prepared, seed=seed, loop=self.loop, dtype=used, device=self.device
        )

    def build(self, experiment: Experiment, dtype: str | None = None, seed: int = 0) -> StepTrainer:
        """A trainer of a protocol."""
        return self.adapter(self.task(experiment, dtype, seed))

    def supported(self, *names: str) -> Experiment:
        """The first of the named protocols that the adapter can follow."""
        for name in (*names, "relu-adam", "sigmoid-adam", "xor-sigmoid-full", "regression"):
            if self.adapter.supports(every()[name]) is None:
                return every()[name]
        raise BrokenRuleError("supports refuses every protocol it is asked about")

    def trained(
        self, experiment: Experiment, *cuts: int, dtype: str | None = None, seed: int = 0
    ) -> tuple[StepTrainer, list[Array | None]]:
        """A trainer after training from cut to cut, and the losses of every piece."""
        trainer = self.build(experiment, dtype, seed)
        plan = BatchPlan.of(experiment, seed)
        losses = []
        for first, last in zip((0, *cuts[:-1]), cuts, strict=True):
            losses.append(run(trainer, plan.segment(first, last)))
        return trainer, losses


Rule = Callable[[Subject], str | None]


def run(trainer: StepTrainer, batches: Batches) -> Array | None:
    """Stage and advance, as a trial does."""
    trainer.stage(batches)
    return trainer.advance(batches)


def difference(found: Parameters, expected: Parameters) -> float:
    """max|a - b| / max|b| over all tensors; one that is all but 0 is measured against 0.001."""
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            if a is not None and b is not None:
                scale = max(float(np.abs(b).max()), 1e-3)
                worst = max(worst, float(np.abs(np.subtract(a, b)).max()) / scale)
    return worst


def demand(holds: bool, what: str) -> None:
    """Raise unless it holds."""
    if not holds:
        raise BrokenRuleError(what)


def tolerance(subject: Subject) -> float:
    """For sums that may be taken in another order."""
    return 1e-11 if subject.dtype == "float64" else 1e-4


# ---------------------------------------------------------------- the rules


def same_start_twice_gives_bitwise_the_same(subject: Subject) -> None:
    """Two trainers of one task end with the same bits."""
    experiment = subject.supported("shuffled-short")
    one, _ = subject.trained(experiment, 12)
    other, _ = subject.trained(experiment, 12)
    gap = difference(one.parameters(), other.parameters())
    demand(gap == 0, f"the same start twice must give bitwise the same. They differ by {gap:.1e}")


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
            demand(np.array_equal(array, copy), "task arrays must not be modified")
            demand(not array.flags.writeable, "task arrays must stay read-only")


def parameters_round_trip_as_copies(subject: Subject) -> None:
    """The given start comes out as it went in, in shape, and changing it changes nothing."""
    experiment = subject.supported("shuffled-short")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    out = trainer.parameters()
    shapes = [tuple(None if v is None else v.shape for v in pair) for pair in out]
    wanted = [tuple(None if v is None else v.shape for v in pair) for pair in task.parameters]
    demand(shapes == wanted, f"parameters must have shapes {wanted}. Got {shapes}")
    gap = difference(out, task.parameters)
    demand(gap == 0, f"parameters() before training must be the given start. Off by {gap:.1e}")
    for pair in out:
        for values in pair:
            if values is not None:
                np.asarray(values)[...] = 7
    gap = difference(trainer.parameters(), task.parameters)
    demand(gap == 0, "parameters() must return copies; changing them changed the trainer")


def unsupported_is_refused_with_a_reason(subject: Subject) -> str:
    """`supports` answers None or a sentence, for every protocol."""
    refused = []
    for name, experiment in every().items():
        reason = subject.adapter.supports(experiment)
        demand(reason is None or (isinstance(reason, str) and len(reason) > 10),
               f"supports must return None or a sentence for {name!r}. Got {reason!r}")  # fmt: skip
        if reason is not None:
            refused.append(name)
    demand(len(refused) < len(every()), "supports refuses every protocol")
    return f"refuses {len(refused)} of {len(every())} protocols" if refused else ""


def a_short_last_batch_is_handled(subject: Subject) -> None:
    """Padding weighs nothing: after an epoch with a short batch the oracle agrees."""
    experiment = subject.supported("sequential-short")
    if not experiment.has_short_batch:
        return
    trainer, _ = subject.trained(experiment, 5)
    gap = difference(trainer.parameters(), _oracle(subject, experiment, 5)[0])
    demand(gap <= tolerance(subject), f"after a short batch the oracle differs by {gap:.1e}")


def losses_are_one_per_step_and_the_oracles(subject: Subject) -> str:
    """`advance` returns (steps,) losses, each before its update; idiomatic loops may give none."""
    experiment = subject.supported("shuffled-short")
    _, (first, rest) = subject.trained(experiment, 1, 6)
    if first is None or rest is None:
        demand(subject.loop == "idiomatic", f"a {subject.loop} loop must return its losses")
        return "the library gives none"
    shapes = np.shape(first), np.shape(rest)
    demand(shapes == ((1,), (5,)), f"losses must have shapes (1,) and (5,). Got {shapes}")
    expected = _oracle(subject, experiment, 6)[1]
    found = np.concatenate([first, rest]).astype(np.float64)
    gap = float(np.abs(np.subtract(found, expected)).max() / np.abs(expected).max())
    demand(gap <= tolerance(subject), f"losses differ from the oracle's by {gap:.1e}")
    return ""


def advance_in_pieces_equals_advance_at_once(subject: Subject) -> None:
    """Nothing is lost or reset between calls."""
    for name in ("relu-adam", "short-batch-momentum-decay", "xor-sigmoid-full"):
        experiment = subject.supported(name)
        whole, _ = subject.trained(experiment, 24)
        pieces, _ = subject.trained(experiment, 1, 9, 10, 24)
        gap = difference(pieces.parameters(), whole.parameters())
        demand(gap <= tolerance(subject), f"{name}: in pieces it differs by {gap:.1e}")


def predictions_are_raw_and_in_order(subject: Subject) -> None:
    """(rows, outputs), for one row as for many, logits or values in the order of the classes."""
    experiment = subject.supported("relu-adam")
    task = subject.task(experiment)
    trainer = subject.adapter(task)
    oracle = Reference(experiment, task.parameters, task.inputs, task.targets)
    for rows in (1, 17, 200):
        inputs = task.inputs[:rows]
        outputs, wanted = np.asarray(trainer.predict(inputs)), oracle.predict(inputs)
        demand(outputs.shape == wanted.shape,
               f"predict must return shape {wanted.shape}. Got {outputs.shape}")  # fmt: skip
        gap = float(np.abs(np.subtract(outputs, wanted)).max() / np.abs(wanted).max())
        demand(gap <= tolerance(subject), f"outputs before training differ by {gap:.1e}")


def seed_and_batches_are_obeyed(subject: Subject) -> None:
    """Another seed gives another start and other batches, and the oracle's result for them."""
    experiment = subject.supported("shuffled-short")
    trainer, _ = subject.trained(experiment, 6, seed=3)
    gap = difference(trainer.parameters(), _oracle(subject, experiment, 6, seed=3)[0])
    demand(gap <= tolerance(subject), f"with seed 3 the oracle differs by {gap:.1e}")


def learning_rates_are_obeyed(subject: Subject) -> None:
    """The rates of the batches replace the optimizer's own: with 0 nothing moves."""
    experiment = subject.supported("relu-adam")
    trainer = subject.build(experiment)
    before = trainer.parameters()
    batches = BatchPlan.of(experiment, 0).segment(0, 2)
    batches.learning_rates[:] = 0
    run(trainer, batches)
    gap = difference(trainer.parameters(), before)
    demand(gap == 0, f"with a learning rate of 0 nothing must move. It moved by {gap:.1e}")


def no_state_is_left_for_the_next_trial(subject: Subject) -> None:
    """A trial of another protocol and precision in between changes nothing."""
    experiment = subject.supported("shuffled-short")
    before, _ = subject.trained(experiment, 6)
    other = subject.supported("xor-sigmoid-full")
    subject.trained(other, 6, dtype=subject.adapter.dtypes[0])
    after, _ = subject.trained(experiment, 6)
    gap = difference(after.parameters(), before.parameters())
    demand(gap == 0, f"after another trial the same one differs by {gap:.1e}")


def many_seeds_is_advance(subject: Subject) -> str:
    """From each of three starts it ends where `advance` ends, and the trainer is untouched.

    Both are asked of one trainer in the middle of its training, whose memory must not leak.
    """
    missing = "no many_seeds: success rates are run seed by seed"
    if subject.adapter.many_seeds is StepTrainer.many_seeds:
        return missing
    for name in ("xor-sigmoid-full", "short-batch-momentum-decay", "mse-no-bias"):
        experiment = _full_batch(subject.supported(name))
        batches = BatchPlan.of(experiment, 0).segment(0, MANY_STEPS)
        starts = [subject.task(experiment, seed=seed).parameters for seed in range(MANY_STARTS)]
        trainer, _ = subject.trained(experiment, MANY_STEPS // 2)
        before = trainer.parameters()
        ends = trainer.many_seeds(starts, batches)
        if ends is None:
            return missing
        gap = difference(trainer.parameters(), before)
        demand(gap == 0, f"{name}: many_seeds moved the trainer's own parameters by {gap:.1e}")
        run(trainer, BatchPlan.of(experiment, 0).segment(MANY_STEPS // 2, MANY_STEPS))
        others = [subject.trained(experiment, MANY_STEPS, seed=s)[0] for s in range(1, MANY_STARTS)]
        alone = [each.parameters() for each in (trainer, *others)]
        demand(len(ends) == MANY_STARTS,
               f"many_seeds must return {MANY_STARTS} ends. Got {len(ends)}")  # fmt: skip
        for seed, (found, expected) in enumerate(zip(ends, alone, strict=True)):
            gap = difference(found, expected)
            demand(
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
        demand(kinds == {dtype} and str(outputs.dtype) == dtype,
               f"asked for {dtype}, parameters are {kinds}, outputs {outputs.dtype}")  # fmt: skip
    asked = subject.task(experiment)
    try:
        trainer = subject.adapter(Task(**{**vars(asked), "device": "cuda"}))
    except DeviceUnavailableError:
        return "no GPU here, and it says so"
    demand(
        str(trainer.device).startswith("cuda"),
        f"asked for cuda, `device` says {trainer.device!r}; raise DeviceUnavailableError",
    )
    return ""


def no_second_framework_is_loaded(subject: Subject) -> str:
    """Lists what its import brought along; that much is remarked, not forbidden."""
    own = subject.adapter.__module__
    loaded = sorted(name for name in FRAMEWORKS if name in sys.modules)
    return f"{own} comes with {', '.join(loaded)}" if loaded else ""


def the_device_is_done_on_return(subject: Subject) -> str:
    """Reading the parameters after `advance` waits for nothing, and more work takes longer.

    Best of five. Timed, so it belongs to `samestep check` and not to the test suite.
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
            batches = _repeated(plan, steps)
            trainer.stage(batches)
            began = time.perf_counter()
            trainer.advance(batches)
            times.append(time.perf_counter() - began)
            began = time.perf_counter()
            trainer.parameters()
            read.append(time.perf_counter() - began)
    demand(min(read) < max(0.5 * min(once), 0.002),
           f"advance must return when the device is done; reading took {min(read):.4f} s after "
           f"{min(once):.4f} s of training")  # fmt: skip
    demand(
        min(more) > 1.5 * min(once),
        f"{SYNC_TIMES} times the work must take longer: {min(once):.4f} s and {min(more):.4f} s",
    )
    step_us = min(more) / (SYNC_TIMES * SYNC_STEPS) * 1e6
    return f"{step_us:.0f} µs a step, read back in {min(read) * 1e6:.0f} µs"


def its_limit_is_all_the_products(subject: Subject) -> str:
    """`matrix_products(times)` computes them all, as often as it is told; or there is none.

    A compiler that sees the same products again computes them once: then 20 rounds take as long
    as 2, and the limit would be a tenth of what it is. Best of five; timed, as the rule above.
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
    demand(
        seconds[20] > 5 * seconds[2],
        f"20 rounds of products must take ten times as long as 2: {seconds[2]:.4f} s and "
        f"{seconds[20]:.4f} s; do they depend on each other, and does it wait for the device?",
    )
    rate = 20 * 5 * 2 * size**3 / seconds[20] * 1e-9  # two layers: five products
    return f"{rate:.0f} GFLOP/s in {subject.dtype}"


RULES: tuple[Rule, ...] = (
    parameters_round_trip_as_copies,
    predictions_are_raw_and_in_order,
    losses_are_one_per_step_and_the_oracles,
    a_short_last_batch_is_handled,
    seed_and_batches_are_obeyed,
    learning_rates_are_obeyed,
    advance_in_pieces_equals_advance_at_once,
    same_start_twice_gives_bitwise_the_same,
    inputs_are_not_modified,
    no_state_is_left_for_the_next_trial,
    many_seeds_is_advance,
    device_and_precision_are_as_asked,
    unsupported_is_refused_with_a_reason,
    no_second_framework_is_loaded,
)
TIMED_RULES: tuple[Rule, ...] = (the_device_is_done_on_return, its_limit_is_all_the_products)
BY_NAME = {rule.__name__: rule for rule in (*RULES, *TIMED_RULES)}


def _oracle(
    subject: Subject, experiment: Experiment, steps: int, seed: int = 0
) -> tuple[Parameters, Array]:
    """(parameters, losses) of the oracle after so many steps."""
    prepared = data.load(experiment.data, experiment.loss, "float64")
    start = initial_parameters(experiment, seed, subject.dtype)
    oracle = Reference(experiment, start, prepared.train.inputs, prepared.train.targets)
    losses = oracle.advance(BatchPlan.of(experiment, seed).segment(0, steps))
    return oracle.parameters(), losses


def _full_batch(experiment: Experiment) -> Experiment:
    """The same protocol with all rows in every step."""
    if experiment.training is None:
        raise ValueError(f"{experiment.name}: has no [training], so no batches")
    batches = FullBatches(order="full")
    training = experiment.training.model_copy(update={"batches": batches})
    return experiment.model_copy(update={"training": training})


def _repeated(plan: BatchPlan, steps: int) -> Batches:
    """The plan's batches over and over."""
    piece = plan.segment(0, plan.steps)
    times = -(-steps // len(piece))
    rows = None if piece.rows is None else np.tile(piece.rows, (times, 1))[:steps]
    return Batches(
        rows, np.tile(piece.sizes, times)[:steps], np.tile(piece.learning_rates, times)[:steps]
    )
