"""Which lane proves what, and in whose process."""

import contextlib
import dataclasses
import os

import psutil
import pytest

from harness.clock.environment import allowed_cpus, pin
from harness.execute.listener import Listener
from harness.execute.proving import WORTH_A_PROCESS, _Queue
from harness.execute.runner import Runner
from harness.execute.worker_process import WorkerProcess
from harness.experiment.vocabulary import Purpose
from harness.plan import Request
from harness.planning import make_plan
from harness.results import RunFolder
from tests.trials import trial_of

pytestmark = pytest.mark.xdist_group("processes")


def proofs(framework, count):
    return [
        dataclasses.replace(
            trial_of(framework=framework, experiment=f"e{number}"),
            purpose=purpose,
            dtype=dtype,
        )
        for number in range(count)
        for purpose, dtype in (
            (Purpose.PROOF, "float64"),
            (Purpose.PROOF_AS_TIMED, "float32"),
        )
    ]


def names(taken):
    return [(proof.framework, proof.dtype, proof.experiment) for proof in taken]


def row(framework, first_step_s):
    @dataclasses.dataclass
    class Row:
        framework: str
        first_step_s: float | None

    return Row(framework, first_step_s)


def test_one_lane_takes_framework_by_framework_what_compiles_longest_first():
    rows = [row("keras", 1.0), row("keras", 1.0), row("jax", 1.5), row("torch", None)]
    queue = _Queue([*proofs("torch", 2), *proofs("jax", 2), *proofs("keras", 2)], rows)
    taken = [queue.take(0) for _ in range(12)]
    order = [("float32", "e0"), ("float32", "e1"), ("float64", "e0"), ("float64", "e1")]
    assert names(taken) == [(f, *place) for f in ("keras", "jax", "torch") for place in order]
    assert queue.take(0) is None


def test_two_lanes_stay_with_their_frameworks():
    queue = _Queue([*proofs("keras", 2), *proofs("jax", 1)], [row("keras", 1.0)])
    assert names([queue.take(0), queue.take(1), queue.take(1)]) == [
        ("keras", "float32", "e0"),
        ("jax", "float32", "e0"),
        ("jax", "float64", "e0"),
    ]
    assert queue.take(1) is None  # three of keras left, too few for a second process
    assert [proof.dtype for proof in iter(lambda: queue.take(0), None)] == [
        "float32", "float64", "float64"]  # fmt: skip


def test_an_idle_lane_helps_where_much_is_left():
    queue = _Queue(proofs("keras", WORTH_A_PROCESS), [])
    queue.take(0)
    assert queue.take(1).framework == "keras"
    left = []
    while (proof := queue.take(len(left) % 2)) is not None:
        left.append(proof)
    assert len(left) == 2 * WORTH_A_PROCESS - 2  # none is lost


@pytest.fixture
def started(monkeypatch):
    """The frameworks of all worker processes that are started."""
    frameworks = []
    start = WorkerProcess.__init__

    def spy(self, setup, environment, log, run=""):
        frameworks.append(setup["framework"]["name"])
        start(self, setup, environment, log, run)

    monkeypatch.setattr(WorkerProcess, "__init__", spy)
    return frameworks


class Proved(Listener):
    def __init__(self):
        self.verdicts, self.reasons, self.rows = [], [], []

    def finished(self, trial, row, log_tail):
        self.rows.append(row)

    def proved(self, trial, judgement, log_tail):
        self.verdicts.append(judgement.verdict)
        self.reasons.append(judgement.reason)


def run(plan, folder, monkeypatch, **options):
    monkeypatch.setattr("harness.execute.runner.lanes", lambda plan: 2)
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 1)
    listener = Proved()
    Runner(plan, RunFolder(folder), 60.0, listener, **options).run()
    return listener


def test_the_processes_that_trained_prove(tmp_path, cache, started, monkeypatch):
    """Both precisions, and whichever lane: a framework is imported once."""
    request = Request(("fixed-forward", "xor-single"), ("numpy", "sklearn"), dtype="float32")
    plan = dataclasses.replace(make_plan(request), limits=())
    listener = run(plan, tmp_path / "run", monkeypatch)
    assert sorted(started) == ["numpy", "sklearn"]
    assert [row.status for row in listener.rows] == ["ok"] * 4
    assert sorted(listener.verdicts) == ["same"] * 4 + ["same to float32"] * 2


def test_proofs_follow_trials_in_lanes(tmp_path, cache, started, monkeypatch):
    """A process dies with the thread that started it, so lanes leave none to the proofs."""
    request = Request(("xor-single",), ("numpy", "sklearn"), timed=False)
    listener = run(make_plan(request), tmp_path / "run", monkeypatch, timed=False)
    assert sorted(listener.verdicts) == ["same", "same", "same to float32", "same to float32"]
    assert all(row.train_s is None for row in listener.rows)


OWN_RATE = """
from implementations.numpy_scratch import NumpyTrainer

class OwnRate(NumpyTrainer):
    loops = ("stepwise",)

    def advance(self, batches):
        batches.learning_rates[:] = self.task.optimizer.learning_rate
        return super().advance(batches)
"""
SHORT_GRADIENTS = """
import numpy as np
from implementations.numpy_scratch import NumpyTrainer

class ShortGradients(NumpyTrainer):
    loops = ("stepwise",)

    def advance(self, batches):
        if self.task.dtype == "float64":
            return super().advance(batches)
        before = self.parameters()
        losses = super().advance(batches)
        for layer, (W, _) in zip(self.layers, before):
            layer.W[:] = W + (layer.W - W).astype(np.float16)
        return losses
"""


@pytest.mark.parametrize(
    ("source", "verdicts", "words"),
    [
        (OWN_RATE, ["same", "same to float32"], ""),
        (SHORT_GRADIENTS, ["different", "same"], "float16 and TF32 have 10"),
    ],
)
def test_a_gradient_that_differs_at_the_end_is_looked_at_in_a_trainer_of_its_own(
    source, verdicts, words, tmp_path, cache, monkeypatch
):
    """The further step has a rate of 1, which an adapter need not have asked for."""
    (tmp_path / "own.py").write_text(source)
    request = Request(("digits-softmax",), (str(tmp_path / "own.py"),), dtype="float32")
    plan = dataclasses.replace(make_plan(request), limits=())
    listener = run(plan, tmp_path / "run", monkeypatch)
    assert sorted(listener.verdicts) == verdicts
    assert words in " ".join(listener.reasons)


def test_a_process_that_changes_its_lane_takes_all_its_threads_along():
    cpus = allowed_cpus()
    if len(cpus) < 2:
        pytest.skip("one CPU has one lane")
    before = {thread.id: None for thread in psutil.Process().threads()}
    assert len(before) >= 1
    try:
        for lane, cpu in ((0, cpus[-1]), (1, cpus[-2]), (0, cpus[-1])):
            assert pin(1, lane, cpus) is None
            assert allowed_cpus() == [cpu]
            now = [affinity_of(thread) for thread in before]
            assert {tuple(each) for each in now if each} == {(cpu,)}
    finally:
        pin(len(cpus), 0, cpus)
    assert allowed_cpus() == cpus


def affinity_of(thread):
    """The CPUs of a thread; none if it has ended."""
    with contextlib.suppress(ProcessLookupError):
        return sorted(os.sched_getaffinity(thread))
    return []
