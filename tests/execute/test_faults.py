"""What goes wrong in an adapter becomes a row; the other trials go on."""

import dataclasses
import errno
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from harness import planning
from harness.analysis.noise import disturbances
from harness.execute.folder import FolderInUseError, OtherPlanError, prepare
from harness.execute.listener import Listener
from harness.execute.reruns import rerun_budget_s
from harness.execute.runner import Runner
from harness.execute.worker_process import WorkerProcess
from harness.plan import Request
from harness.results import RunFolder

pytestmark = pytest.mark.xdist_group("processes")

TEMPLATE = """
import ctypes, os, signal, subprocess, sys, time
import numpy as np
from harness.trainer import StepTrainer, ToolMissingError

class Adapter(StepTrainer):
    loops = {loops}

    def __init__(self, task):
        self.task = task
        {init}

    def advance(self, batches):
        {advance}
        return np.zeros(len(batches))

    def parameters(self):
        return [(w.copy(), b.copy()) for w, b in self.task.parameters]

    def predict(self, inputs):
        return np.zeros((len(inputs), 1))
"""

PROTOCOL = """
name = "short"
title = "Four rows, twelve steps"
data = { dataset = "xor", split = { name = "all" } }
network = { inputs = 2, layers = [{ units = 1, activation = "identity" }] }
initializers = { weights = { name = "zeros" }, biases = { name = "zeros" } }

[training]
loss = { name = "binary_cross_entropy", batch = "mean", outputs = "mean" }
optimizer = { name = "sgd", learning_rate = 0.1 }
batches = { order = "full" }
length = { steps = 12 }
evaluation = { every_steps = 6 }
"""


class Recorder(Listener):
    """Remembers everything that a run reports."""

    def __init__(self):
        self.rows, self.tails, self.started_trials, self.done = [], [], [], []
        self.verdicts, self.again, self.finished_at = {}, [], []
        self.reruns, self.gave_up_on, self.lost_trials = [], [], []

    def resumed(self, done):
        self.done = list(done)

    def fetching(self, dataset):
        raise AssertionError("nothing to fetch")

    fetched = None

    def proved(self, trial, judgement, log_tail):
        self.verdicts[trial.framework] = judgement

    def rerunning(self, trials):
        self.again.extend(trials)

    def reran(self, trial, row, kept):
        self.reruns.append(trial)

    def run_again(self, trial, why):
        self.lost_trials.append((trial.framework, why))

    def gave_up(self, count, why):
        self.gave_up_on.append((count, why))

    def started(self, trial):
        self.started_trials.append(trial)

    def finished(self, trial, row, log_tail):
        self.rows.append(row)
        self.tails.append(log_tail)
        self.finished_at.append(time.monotonic())


@pytest.fixture
def short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMESTEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 1)  # a busy machine must not matter here
    file = tmp_path / "short.toml"
    file.write_text(PROTOCOL)
    return str(file)


def adapter(
    tmp_path: Path,
    name: str,
    advance: str = "pass",
    init: str = "pass",
    loops: str = "('stepwise',)",
) -> str:
    file = tmp_path / f"{name}.py"
    indent = " " * 8
    body = TEMPLATE.format(
        init=textwrap.indent(init, indent).strip(),
        advance=textwrap.indent(advance, indent).strip(),
        loops=loops,
    )
    file.write_text(body)
    return str(file)


def slow_adapter(tmp_path: Path, name: str, advance: str) -> str:
    """It leaves a file `begun-*` in the folder once it trains."""
    mark = f"open(f'{tmp_path}/begun-{{os.getpid()}}', 'w').close()"
    return adapter(tmp_path, name, f"{mark}\n{advance}")


def begun(tmp_path: Path) -> int:
    """How many workers train by now."""
    return len(list(tmp_path.glob("begun-*")))


def run(short, folder, *frameworks, timeout_s=60.0, prove=False, timed=True, retries=0, **request):
    plan = planning.make_plan(Request(experiments=(short,), frameworks=frameworks, **request))
    plan = dataclasses.replace(plan, limits=())  # of frameworks that a test does not name
    if not prove:
        plan = dataclasses.replace(plan, proofs=())
    recorder = Recorder()
    Runner(plan, RunFolder(folder), timeout_s, recorder, timed, retries=retries).run()
    return recorder


FAULTS = [
    ("raises", "raise RuntimeError('no luck')", "error", "RuntimeError: no luck"),
    ("exits", "os._exit(3)", "error", "exit code 3"),
    ("ends", "sys.exit(0)", "error", "SystemExit: 0"),
    ("segfaults", "ctypes.string_at(0)", "crashed", "SIGSEGV"),
    ("aborts", "os.abort()", "crashed", "SIGABRT"),
    ("killed", "os.kill(os.getpid(), signal.SIGKILL)", "crashed", "SIGKILL"),
    ("memory", "raise MemoryError('1 TiB')", "oom", "MemoryError"),
    ("gpu", "raise type('OutOfMemoryError', (RuntimeError,), {})('CUDA out of memory')", "oom",
     "CUDA out of memory"),
    ("xla", "raise RuntimeError('RESOURCE_EXHAUSTED: 8 GiB')", "oom", "RESOURCE_EXHAUSTED"),
    ("nan", "return np.full(len(batches), np.nan)", "diverged", "not finite at step 1"),
    ("shape", "return np.zeros(len(batches) + 1)", "error", "one loss per step"),
    ("tool", "raise ToolMissingError('it compiles: install g++')", "missing", "install g++"),
    ("module", "import a_module_that_is_not_there", "missing",
     "in advance: ModuleNotFoundError: No module named 'a_module_that_is_not_there'; it is not"),
    ("swallows", "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\n"
     "except KeyboardInterrupt:\n    pass", "interrupted", "SIGINT"),
    ("realtime", "os.kill(os.getpid(), 36)", "crashed", "SIGRTMIN+2"),
    ("surrogate", "raise ValueError('bad ' + chr(0xdcff))", "error", "bad \\udcff"),
    ("deep", "import json\njson.dumps = lambda *_, **__: '[' * 200_000", "error",
     "the worker's answer is not a row"),
    ("clock", "time.perf_counter = time.perf_counter_ns = time.monotonic = lambda: 0", "ok", None),
    ("prints", "print('x' * 100); os.write(1, b'{}\\n')", "ok", None),
]  # fmt: skip


LIKE_ANOTHER = (
    *("ends", "aborts", "killed", "gpu", "xla", "shape", "tool", "surrogate", "prints"),
)
"""Faults that the worker and its parent treat as they treat another one."""


@pytest.mark.parametrize(
    "faults",
    [
        [fault for fault in FAULTS if fault[0] not in LIKE_ANOTHER],
        pytest.param(
            [fault for fault in FAULTS if fault[0] in LIKE_ANOTHER], marks=pytest.mark.full_product
        ),
    ],
    ids=["each kind", "like another"],
)
def test_a_fault_is_a_row_and_the_rest_goes_on(tmp_path, short, faults):
    """And the same command runs again what failed."""
    statuses = {name: status for name, _, status, _ in faults} | {"good": "ok"}
    adapters = [adapter(tmp_path, name, advance) for name, advance, _, _ in faults]
    adapters.append(adapter(tmp_path, "good"))
    recorder = run(short, tmp_path / "run", *adapters)
    rows = {row.framework: row for row in recorder.rows}
    assert {name: row.status for name, row in rows.items()} == statuses
    for name, _, _, detail in faults:
        assert detail is None or detail in rows[name].status_detail
    assert RunFolder(tmp_path / "run").rows(r.trial for r in recorder.rows) == recorder.rows
    again = run(short, tmp_path / "run", *adapters)
    failed = {name for name, status in statuses.items() if status != "ok"}
    assert {row.framework for row in again.rows} == failed
    assert {trial.framework for trial in again.done} == set(statuses) - failed


CHANGES = [
    ("os.sched_setaffinity(0, set(range(os.cpu_count())) - os.sched_getaffinity(0))",
     "assert len(os.sched_getaffinity(0)) == 1 and max(os.sched_getaffinity(0)) in {cpus}",
     "may run on CPUs"),
    ("os.nice(5)", "assert os.nice(0) == {nice}", "niceness {nice} to"),
    ("os.environ['OMP_NUM_THREADS'] = '7'", "assert os.environ['OMP_NUM_THREADS'] == '1'",
     "the variable OMP_NUM_THREADS"),
    ("os.environ.pop('PATH', None)", "assert 'PATH' in os.environ", "the variable PATH"),
    ("os.chdir('/')", "assert os.getcwd() != '/'", "the working directory"),
    ("os.umask(0o777)", "assert os.umask(0o022) != 0o777", "umask"),
    ("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))",
     "import resource; assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 99",
     "the limit RLIMIT_NOFILE"),
    ("signal.alarm(1000)", "assert not signal.getitimer(signal.ITIMER_REAL)[0]",
     "an alarm is set"),
    ("signal.signal(signal.SIGINT, signal.SIG_IGN)",
     "assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN", "the handler of SIGINT"),
    ("time.perf_counter = lambda: 0", "assert time.perf_counter()", "time.perf_counter"),
]  # fmt: skip


def once(tmp_path, name, does, later="pass"):
    """An adapter whose first trial does something, at every `advance`; the later ones, another."""
    mark = f"{tmp_path}/{name}-ran"
    init = f"self.is_first = not os.path.exists({mark!r})\nopen({mark!r}, 'w').close()"
    advance = f"if self.is_first:\n    {does}\nelse:\n    {later}"
    return adapter(tmp_path, name, advance, init)


def test_what_a_trial_changes_in_its_process_is_said_and_not_inherited(tmp_path, short):
    place = {"cpus": sorted(os.sched_getaffinity(0)), "nice": os.nice(0)}
    changes = "\n    ".join(change for change, _, _ in CHANGES)
    checks = "\n    ".join(check.format(**place) for _, check, _ in CHANGES)
    recorder = run(short, tmp_path / "run", once(tmp_path, "changes", changes, checks), seeds=2)
    first, second = recorder.rows
    assert first.status == "ok"
    assert first.status_detail.startswith("changed its process: ")
    for _, _, said in CHANGES:
        assert said.format(**place) in first.status_detail
    assert (second.status, second.status_detail) == ("ok", None)


def test_what_was_ended_from_outside_is_run_again_so_often(tmp_path, short):
    end = "os.kill(os.getpid(), signal.{})"
    names = [
        once(tmp_path, "killed", end.format("SIGKILL")),
        once(tmp_path, "ended", end.format("SIGTERM")),
        adapter(tmp_path, "always", end.format("SIGKILL")),
        once(tmp_path, "itself", end.format("SIGSEGV")),
    ]
    recorder = run(short, tmp_path / "run", *names, retries=2)
    rows = {row.framework: (row.status, row.status_detail) for row in recorder.rows}
    assert rows == {
        "killed": ("ok", None),
        "ended": ("ok", None),
        "always": ("crashed", "SIGKILL, 3 times"),
        "itself": ("crashed", "SIGSEGV"),
    }
    lost = [("killed", "SIGKILL"), ("ended", "SIGTERM"), *[("always", "SIGKILL")] * 2]
    assert sorted(recorder.lost_trials) == sorted(lost)


def test_a_proof_that_was_ended_from_outside_is_made_again(tmp_path, short):
    killed = "if self.task.dtype == 'float64' and not os.path.exists({mark!r}):\n"
    killed += "    open({mark!r}, 'w').close(); os.kill(os.getpid(), signal.SIGKILL)"
    mine = adapter(tmp_path, "mine", killed.format(mark=str(tmp_path / "killed")))
    recorder = run(short, tmp_path / "run", mine, prove=True, retries=1)
    assert recorder.lost_trials == [("mine", "SIGKILL")]
    assert recorder.verdicts["mine"].status == "ok"


def test_what_takes_the_machines_memory_is_killed_before_the_machine_is(
    tmp_path, short, monkeypatch
):
    monkeypatch.setattr("harness.execute.worker_process.free_bytes", lambda: 500 * 2**20)
    grow = "self.kept = []\nwhile True: self.kept.append(np.ones(2**20)); time.sleep(0.002)"
    greedy, good = adapter(tmp_path, "greedy", grow), adapter(tmp_path, "good")
    recorder = run(short, tmp_path / "run", greedy, good)
    assert [row.status for row in recorder.rows] == ["oom", "ok"]
    said = re.fullmatch(
        r"killed at (\d+) MiB of memory; (\d+) MiB were free for it",
        recorder.rows[0].status_detail.replace(",", ""),
    )
    peak, allowed = map(int, said.groups())
    assert 450 <= allowed < peak < 3 * allowed  # a busy machine looks late


def test_an_adapter_whose_import_raises_is_a_row_and_the_rest_goes_on(tmp_path, short):
    broken = tmp_path / "broken.py"
    broken.write_text(Path(adapter(tmp_path, "good")).read_text() + "\nraise OSError('no licence')")
    recorder = run(short, tmp_path / "run", str(broken), str(tmp_path / "good.py"))
    assert [row.status for row in recorder.rows] == ["error", "ok"]
    assert recorder.rows[0].status_detail.endswith("OSError: no licence")


def test_a_worker_that_was_frozen_says_so(tmp_path, short):
    stop = "subprocess.Popen(['sh', '-c', f'sleep 1; kill -CONT {os.getpid()}']); "
    stop += "os.kill(os.getpid(), signal.SIGSTOP)"
    recorder = run(short, tmp_path / "run", once(tmp_path, "frozen", stop), seeds=2)
    first, second = recorder.rows
    assert first.idle_fraction > 0.5
    assert (second.idle_fraction or 0.0) < 0.5
    assert disturbances([first])[first.trial].startswith("neither computed nor waited for")


def test_a_trace_that_its_adapter_replaces_is_not_comparable(tmp_path, short):
    replace = """
import harness.results, harness.execute.worker as worker
def write(file, arrays):
    file.write_bytes(b'no archive')
harness.results.write_arrays = write
"""
    recorder = run(short, tmp_path / "run", adapter(tmp_path, "mine", init=replace), prove=True)
    (judgement,) = recorder.verdicts.values()
    assert judgement.verdict == "not comparable"
    assert "what it left is no trace" in judgement.reason


WRITES = [
    ("inputs = self.task.inputs; inputs.setflags(write=True); inputs[:] = 0\n    "
     "y = self.task.targets; y.setflags(write=True); y[:] = 1 - y",
     ("training inputs", "training targets")),
    ("w = self.task.parameters[0][0]; w.setflags(write=True); w += 1",
     ("initial weights of layer",)),
    ("batches.sizes[:] = 1", ("the batches",)),
    ("batches.learning_rates[:] = 2", ("the batches",)),
]  # fmt: skip


def test_what_is_written_by_force_is_an_error_and_stays_in_its_trial(tmp_path, short):
    names = [once(tmp_path, f"writes{n}", write) for n, (write, _) in enumerate(WRITES)]
    recorder = run(short, tmp_path / "run", *names, seeds=2)
    rows = {(row.framework, row.seed): row for row in recorder.rows}
    for number, (_, written) in enumerate(WRITES):
        first, second = rows[f"writes{number}", 0], rows[f"writes{number}", 1]
        assert first.status == "error"
        assert "wrote into" in first.status_detail
        assert all(what in first.status_detail for what in written)
        assert (second.status, second.train_accuracy) == ("ok", 0.5)
    assert len({row.data_digest for row in recorder.rows}) == 1


def test_in_lanes_a_crash_is_a_row_and_every_lane_goes_on(tmp_path, short, monkeypatch):
    monkeypatch.setattr("harness.execute.runner.lanes", lambda plan: 2)
    faulty = adapter(tmp_path, "crashes", "os.abort()")
    good = adapter(tmp_path, "good")
    recorder = run(short, tmp_path / "run", faulty, good, seeds=3, timed=False, prove=True)
    statuses = Counter((row.framework, row.status) for row in recorder.rows)
    assert statuses == {("crashes", "crashed"): 3, ("good", "ok"): 3}
    assert sorted(recorder.verdicts) == ["crashes", "good"]
    assert len(list((tmp_path / "run" / "logs").glob("good-*.log"))) <= 2
    assert not _own_processes("harness.execute.worker")


def test_in_lanes_ctrl_c_ends_both_and_keeps_their_rows(tmp_path, short, monkeypatch):
    monkeypatch.setattr("harness.execute.runner.lanes", lambda plan: 2)
    slow = slow_adapter(tmp_path, "slow", "time.sleep(30)")
    ended, pressed = threading.Event(), []

    def ctrl_c():
        while not ended.wait(0.05):
            if begun(tmp_path) == 2:
                pressed.append(time.monotonic())
                signal.raise_signal(signal.SIGINT)
                return

    thread = threading.Thread(target=ctrl_c)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(short, tmp_path / "run", slow, seeds=3, timed=False)
    finally:
        ended.set()
        thread.join()
    assert time.monotonic() - pressed[0] < 15
    rows = (tmp_path / "run/trials").glob("*.json")
    statuses = [json.loads(file.read_text())["status"] for file in rows]
    assert statuses == ["interrupted"] * 2
    assert not _own_processes("harness.execute.worker")


@pytest.mark.parametrize(
    "advance",
    [
        "while True: pass",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); ctypes.PyDLL(None).usleep(60_000_000)",
        "subprocess.run(['sleep', '61'])",
    ],
    ids=["python-loop", "holds-the-lock", "grandchild"],
)
def test_a_hang_is_killed_in_time_with_all_it_started(tmp_path, short, advance, monkeypatch):
    hanging, good = adapter(tmp_path, "hangs", advance), adapter(tmp_path, "good")
    ask = WorkerProcess.ask

    def patient_with_the_good_one(worker, message, timeout_s):
        patient = message["trial"]["framework"] == "good"
        return ask(worker, message, 60.0 if patient else timeout_s)

    monkeypatch.setattr(WorkerProcess, "ask", patient_with_the_good_one)
    began = time.monotonic()
    recorder = run(short, tmp_path / "run", hanging, good, timeout_s=3.0)
    assert recorder.finished_at[0] - began < 15
    assert [(row.framework, row.status) for row in recorder.rows] == [
        ("hangs", "timeout"), ("good", "ok"),
    ]  # fmt: skip
    assert recorder.rows[0].status_detail == "killed after 3 s"
    assert not _own_processes("sleep", "harness.execute.worker")


def _own_processes(*signs):
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            line, status = " ".join(process.cmdline()), process.status()
        except psutil.Error:
            continue
        if any(sign in line for sign in signs) and status != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found


def test_a_worker_that_closes_its_channel_is_still_timed(tmp_path, short):
    closing = adapter(tmp_path, "closes", "os.closerange(3, 200)\nwhile True: pass")
    began = time.monotonic()
    recorder = run(short, tmp_path / "run", closing, timeout_s=3.0)
    assert time.monotonic() - began < 12
    assert recorder.rows[0].status == "timeout"


def test_a_stranger_that_holds_the_pipe_blocks_nobody(tmp_path, short):
    advance = "subprocess.Popen(['sleep', '20'], start_new_session=True); os._exit(3)"
    began = time.monotonic()
    recorder = run(short, tmp_path / "run", adapter(tmp_path, "leaves", advance))
    assert time.monotonic() - began < 12
    assert recorder.rows[0].status == "error"


@pytest.mark.parametrize(
    "detach",
    [
        "subprocess.Popen(['sleep', '{seconds}'], start_new_session=True)",
        pytest.param(
            "subprocess.Popen(['sleep', '{seconds}'], start_new_session=True, env={{}})",
            marks=pytest.mark.full_product,
        ),
        pytest.param(
            "subprocess.run(['setsid', '--fork', 'sleep', '{seconds}'])",
            marks=pytest.mark.full_product,
        ),
        "subprocess.run(['setsid', '--fork', 'env', '-i', '/bin/sleep', '{seconds}'])",
        "subprocess.run(['setsid', '--fork', 'sleep', '{seconds}']); os._exit(3)",
        "subprocess.run(['setsid', '--fork', 'sleep', '{seconds}']); time.sleep(60)",
    ],
    ids=["session", "no-environment", "forked-twice", "both", "then-dies", "then-hangs"],
)
def test_a_detached_process_ends_with_the_run(tmp_path, short, detach):
    seconds = 400 + secrets.randbelow(10**9)
    detaches = adapter(tmp_path, "detaches", detach.format(seconds=seconds))
    run(short, tmp_path / "run", detaches, timeout_s=8.0)
    assert not _processes_of(str(seconds))


def _processes_of(argument):
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        is_over = process.info["status"] == psutil.STATUS_ZOMBIE
        if argument in (process.info["cmdline"] or ()) and not is_over:
            found.append(process)
    return found


def test_the_log_of_a_failure_ends_with_its_exception(tmp_path, short):
    raising = adapter(tmp_path, "raises", "raise RuntimeError('no luck')")
    recorder = run(short, tmp_path / "run", raising, seeds=3)
    assert [tail[-1] for tail in recorder.tails] == ["RuntimeError: no luck"] * 3


def test_a_flood_of_output_neither_blocks_nor_fills_the_disk(tmp_path, short):
    flood = "for _ in range(300):\n    os.write(2, b'x' * 999_999 + b'\\xff')\nraise ValueError"
    recorder = run(short, tmp_path / "run", adapter(tmp_path, "floods", flood))
    assert recorder.rows[0].status == "error"
    assert sum(file.stat().st_size for file in (tmp_path / "run" / "logs").iterdir()) < 2_000_000
    assert len(recorder.tails[0][0]) <= 1000


def test_a_missing_loop_and_an_unsupported_protocol_say_why(tmp_path, short):
    recorder = run(short, tmp_path / "run", adapter(tmp_path, "one"), loops=("fused",))
    assert recorder.rows[0].status == "unsupported"
    assert recorder.rows[0].status_detail == "has no fused loop; it has stepwise"


def test_rows_hold_what_they_promise(tmp_path, short):
    recorder = run(short, tmp_path / "run", "numpy", adapter(tmp_path, "good"), seeds=2)
    row = next(r for r in recorder.rows if r.framework == "numpy" and r.seed == 0)
    assert (row.steps, row.samples, row.device, row.threads) == (12, 48, "cpu", 1)
    assert row.train_accuracy == row.test_accuracy == 0.5
    for name in ("import_s", "build_s", "first_step_s", "train_s", "predict_s", "peak_rss_mb"):
        assert getattr(row, name) > 0
    assert row.step_us_low <= row.step_us <= row.step_us_high
    later = next(r for r in recorder.rows if r.framework == "numpy" and r.seed == 1)
    assert later.import_s is None
    assert later.peak_rss_mb is None
    assert row.data_digest == later.data_digest
    assert len({r.start_digest for r in recorder.rows}) == 1  # zeros, full batch: no seed in it
    arrays = RunFolder(tmp_path / "run").arrays(row.trial)
    assert arrays["step"].tolist() == [1, 6, 12]
    assert arrays["loss"].shape == (12,)
    assert arrays["W1"].shape == (3, 2, 1)
    assert arrays["test_outputs"].shape == (4, 1)


def test_frameworks_take_turns(tmp_path, short):
    recorder = run(short, tmp_path / "run", "numpy", adapter(tmp_path, "good"), seeds=2)
    assert [row.framework for row in recorder.rows] == ["numpy", "good", "good", "numpy"]


def test_a_disturbed_trial_is_run_again_up_to_a_limit(tmp_path, short, monkeypatch):
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 3)
    monkeypatch.setattr("harness.execute.runner.rerun_budget_s", lambda own_s, share: 60.0)

    def disturbed(rows):
        """Seed 0 always, seed 1 at its first attempt; two rows of a trial are both attempts."""
        rows = list(rows)
        again = {t for t, count in Counter(row.trial for row in rows).items() if count > 1}
        calm = {row.trial for row in rows if row.attempt > 1} | again
        return {r.trial: 0.0 if r.seed == 1 and r.trial in calm else 2.0 for r in rows}

    monkeypatch.setattr("harness.analysis.noise.severity", disturbed)
    two = "numpy", adapter(tmp_path, "good")
    recorder = run(short, tmp_path / "run", *two, seeds=2)
    assert [row.seed for row in recorder.rows] == [0, 0, 1, 1]
    assert [trial.seed for trial in recorder.again] == [0, 0, 1, 1, 0, 0]
    assert len(recorder.reruns) == 6
    rows = RunFolder(tmp_path / "run").rows()
    assert {(row.seed, row.attempt) for row in rows} == {(0, 3), (1, 2)}
    assert all(RunFolder(tmp_path / "run").arrays(row.trial) for row in rows)
    again = run(short, tmp_path / "run", *two, seeds=2)  # no attempt is left
    assert not again.rows


def test_where_the_first_reruns_are_disturbed_too_the_others_are_not_made(
    tmp_path, short, monkeypatch
):
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 3)
    monkeypatch.setattr("harness.execute.runner.rerun_budget_s", lambda own_s, share: 60.0)
    busy = "harness.analysis.noise.severity"
    monkeypatch.setattr(busy, lambda rows: {row.trial: 2.0 for row in rows})
    recorder = run(short, tmp_path / "run", "numpy", adapter(tmp_path, "good"), seeds=3)
    assert len(recorder.reruns) == 3
    assert recorder.gave_up_on == [(3, "the first 3 reruns were disturbed too")]


def test_reruns_never_double_a_run():
    assert [rerun_budget_s(own_s, 0.5) for own_s in (1, 20, 30, 100)] == [1, 20, 20, 50]
    assert [rerun_budget_s(own_s, 0.15) for own_s in (1, 20, 100, 400)] == [1, 20, 20, 60]


def test_a_rerun_that_takes_too_long_is_not_begun(tmp_path, short, monkeypatch):
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 2)
    monkeypatch.setattr("harness.execute.runner.rerun_budget_s", lambda own_s, share: 2.0)
    busy = "harness.analysis.noise.severity"
    monkeypatch.setattr(busy, lambda rows: {row.trial: 2.0 for row in rows})
    slow = adapter(tmp_path, "slow", "time.sleep(1.5)")  # of two segments
    recorder = run(short, tmp_path / "run", "numpy", slow)
    assert [trial.framework for trial in recorder.reruns] == ["numpy"]
    assert recorder.gave_up_on == [(1, "2 s of reruns are enough for this run")]


def test_what_is_compared_with_nothing_is_not_run_again(tmp_path, short, monkeypatch):
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 3)
    busy = "harness.analysis.noise.severity"
    monkeypatch.setattr(busy, lambda rows: {row.trial: 2.0 for row in rows})
    assert not run(short, tmp_path / "run", "numpy", seeds=2).again


def test_limits_of_frameworks_that_were_not_asked_for(tmp_path, short, monkeypatch):
    calm = "harness.execute.product_times.disturbances"
    monkeypatch.setattr(calm, lambda rows: {})  # however busy the machine is
    request = Request(experiments=("mnist-five",), frameworks=("numpy",))
    plan = planning.make_plan(request)
    assert plan.limits == ()  # a step of 0.8 MFLOP is all overhead
    wide = Path(short)
    text = PROTOCOL.replace("units = 1", "units = 300").replace('"short"', '"wide"')
    layers = (
        'layers = [{ units = 300, activation = "tanh" }, { units = 300, activation = "tanh" }, '
    )
    text = text.replace("units = 300,", "units = 1,").replace("layers = [", layers)
    wide.write_text(text)
    plan = planning.make_plan(Request(experiments=(short,), frameworks=("sklearn",)))
    limits = [trial for trial in plan.limits if trial.framework == "numpy"]
    plan = dataclasses.replace(plan, proofs=(), limits=tuple(limits))
    folder = RunFolder(tmp_path / "run")
    Runner(plan, folder, 60.0, Recorder()).run()
    (row,) = folder.limit_rows(trial.id for trial in limits)
    assert row.gemm_us > 0
    assert row.train_s is None
    (own,) = folder.rows()
    assert own.gemm_us > 0
    assert list((tmp_path / "cache" / "limits").iterdir())


def test_fresh_processes_in_the_standard_preset(tmp_path, short):
    recorder = run(short, tmp_path / "run", "numpy", preset="standard", seeds=2)
    assert all(row.import_s is not None for row in recorder.rows)


def test_a_folder_of_another_plan_is_left_alone(tmp_path, short):
    run(short, tmp_path / "run", "numpy")
    with pytest.raises(OtherPlanError, match=r"holds another plan .* --out"):
        run(short, tmp_path / "run", "numpy", seeds=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OtherPlanError, match="is not empty and holds no run"):
        run(short, tmp_path / "mine", "numpy")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_two_runs_do_not_share_a_folder(tmp_path, short):
    slow = adapter(tmp_path, "slow", "time.sleep(0.7)")
    thread = threading.Thread(target=run, args=(short, tmp_path / "run", slow))
    thread.start()
    deadline = time.monotonic() + 10
    while not (tmp_path / "run" / "plan.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(FolderInUseError, match="another samestep"):
        run(short, tmp_path / "run", slow)
    thread.join()


def test_a_damaged_row_is_set_aside_and_run_again(tmp_path, short):
    recorder = run(short, tmp_path / "run", "numpy", seeds=3)
    files = [tmp_path / "run" / "trials" / f"{row.trial}.json" for row in recorder.rows]
    files[0].write_text(files[0].read_text()[:-40])
    files[1].write_text(files[2].read_text())
    again = run(short, tmp_path / "run", "numpy", seeds=3)
    assert {row.seed for row in again.rows} == {0, 1}
    assert len(list((tmp_path / "run" / "trials").glob("*.bad"))) == 2


def test_a_full_disk_ends_the_run_and_keeps_what_is_written(tmp_path, short, monkeypatch):
    write, written = RunFolder.write_row, []

    def full_after_one(folder, row):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder.trials))
        written.append(row)
        write(folder, row)

    monkeypatch.setattr(RunFolder, "write_row", full_after_one)
    with pytest.raises(OSError, match="No space left"):
        run(short, tmp_path / "run", "numpy", seeds=3)
    assert RunFolder(tmp_path / "run").rows() == written
    assert not _own_processes("harness.execute.worker")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert len(run(short, tmp_path / "run", "numpy", seeds=3).rows) == 2


def test_arrays_that_cannot_be_written_are_an_error_of_their_trial(tmp_path, short):
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)); "
    full += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    recorder = run(short, tmp_path / "run", adapter(tmp_path, "full", full))
    (row,) = recorder.rows
    assert row.status == "error"
    assert row.status_detail.startswith("its arrays cannot be written (File too large)")


def test_a_changed_adapter_is_run_again(tmp_path, short):
    mine = adapter(tmp_path, "mine")
    run(short, tmp_path / "run", mine)
    assert not run(short, tmp_path / "run", mine).rows
    adapter(tmp_path, "mine", "x = 1")
    assert len(run(short, tmp_path / "run", mine).rows) == 1


def test_a_folder_that_cannot_be_written_is_refused_before_any_trial(tmp_path, short):
    (tmp_path / "file").write_text("")
    plan = planning.make_plan(Request(experiments=(short,), frameworks=("numpy",)))
    with pytest.raises(OSError):  # noqa: PT011 (NotADirectoryError or PermissionError)
        prepare(RunFolder(tmp_path / "file" / "run"), plan)


def _start(tmp_path, short, *frameworks):
    command = [sys.executable, "-m", "harness", "report", short, "--out", "run"]
    command += ["--frameworks", ",".join(frameworks)]
    return subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def _workers_once_it_trains(process, tmp_path):
    """The processes of the command, as soon as the slow adapter is at work."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if begun(tmp_path):
            return psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    raise AssertionError("no worker came up")


@pytest.mark.parametrize(
    "sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full_product)]
)
def test_ctrl_c_keeps_what_is_done_and_goes_on_later(tmp_path, short, sign):
    slow = slow_adapter(tmp_path, "slow", "time.sleep(20)")
    process = _start(tmp_path, short, "numpy", slow)
    workers = _workers_once_it_trains(process, tmp_path)
    process.send_signal(sign)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from here" in errors
    assert "report.md" in out
    rows = RunFolder(tmp_path / "run").rows()
    assert {row.framework: row.status for row in rows} == {"numpy": "ok", "slow": "interrupted"}
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.parametrize("between_s", [0.0, 0.05, 0.3])
def test_a_second_ctrl_c_ends_it_at_once(tmp_path, short, between_s):
    slow = slow_adapter(tmp_path, "slow", "ctypes.PyDLL(None).usleep(60_000_000)")
    process = _start(tmp_path, short, "numpy", slow)
    workers = _workers_once_it_trains(process, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(between_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    rows = {row.framework: row.status for row in RunFolder(tmp_path / "run").rows()}
    assert rows.pop("slow", "interrupted") == "interrupted"
    assert rows == {"numpy": "ok"}
    adapter(tmp_path, "slow")
    assert [row.framework for row in run(short, tmp_path / "run", "numpy", slow).rows] == ["slow"]


@pytest.mark.parametrize(
    "sign", [signal.SIGKILL, pytest.param(signal.SIGUSR2, marks=pytest.mark.full_product)]
)
def test_kill_9_leaves_no_orphan_and_loses_nothing(tmp_path, short, sign):
    seconds = str(400 + secrets.randbelow(10**9))
    detach = f"subprocess.run(['setsid', '--fork', 'sleep', '{seconds}'])"
    slow = slow_adapter(tmp_path, "slow", f"{detach}; ctypes.PyDLL(None).usleep(30_000_000)")
    process = _start(tmp_path, short, "numpy", slow)
    workers = _workers_once_it_trains(process, tmp_path)
    while not (detached := _processes_of(seconds)):
        time.sleep(0.05)
    process.send_signal(sign)
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(set(workers) - set(detached), timeout=30)
    assert not alive
    assert _processes_of(seconds)  # nothing is left that could end it, until the next run
    adapter(tmp_path, "slow")
    recorder = run(short, tmp_path / "run", "numpy", slow)
    assert [trial.framework for trial in recorder.done] == ["numpy"]
    assert [row.framework for row in recorder.rows] == ["slow"]
    assert not _processes_of(seconds)
    stored = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert len(stored["trials"]) == 2
