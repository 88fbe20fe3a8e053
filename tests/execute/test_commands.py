"""An entrant that is a command: proven by its answer, never timed; whatever it does is a row."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness import planning
from harness.command_line import parse
from harness.execute.left_processes import MARK
from harness.execute.runner import Runner
from harness.experiment.loading import parse as parse_protocol
from harness.handover import judging
from harness.plan import Plan, Request
from harness.registry import UnknownFrameworkError, find
from harness.results import RunFolder
from harness.run import load_run
from tests.conftest import protocol
from tests.execute.test_faults import PROTOCOL as ZEROS
from tests.execute.test_faults import Recorder

pytestmark = pytest.mark.xdist_group("processes")

PROTOCOL = ZEROS.replace('weights = { name = "zeros" }', 'weights = { name = "glorot_uniform" }')
SCRIPTS = Path(__file__).parents[1] / "scripts"
PYTHON = Path(sys.executable).name
TRAIN = f"cmd: {PYTHON} train.py"
HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
answer = folder / "answer"
rates = np.load(folder / "learning_rates.npy")
steps = len(rates)
names = ("weights_1", "biases_1")
X, y = np.load(folder / "inputs.npy"), np.load(folder / "targets.npy")
W, b = (np.load(folder / "start" / f"{name}.npy") for name in names)

def train(rate_times=1.0):
    global W, b
    answer, losses = {}, []
    for step, rate in enumerate(rates.tolist(), start=1):
        z = X @ W + b
        losses.append(np.mean(np.logaddexp(0, z) - y * z))
        delta = (1 / (1 + np.exp(-z)) - y) / len(X)
        W, b = W - rate * rate_times * X.T @ delta, b - rate * rate_times * delta.sum(axis=0)
        for name, values in zip(names, (W, b)):
            if step in (1, 2, steps):
                answer[f"parameters_after_step_{step}/{name}"] = values
    return {"losses": losses, **answer}

def hand_back(**answer):
    np.savez(folder / "answer.npz", **answer)
"""
RIGHT = "hand_back(**train(), train_s=0.25)"


@pytest.fixture
def short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMESTEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 1)
    file = tmp_path / "short.toml"
    file.write_text(PROTOCOL)
    return str(file)


@pytest.fixture
def command(tmp_path):
    """Write a script, and return the command that runs it."""

    def write(body: str, name: str = "train.py", folder: str = "{folder}") -> str:
        (tmp_path / name).write_text(HEAD + textwrap.dedent(body), encoding="utf-8")
        return f"cmd:{sys.executable} '{name}' {folder}"

    return write


def plan_of(short, *frameworks, **request):
    plan = planning.make_plan(Request(experiments=(short,), frameworks=frameworks, **request))
    return dataclasses.replace(plan, limits=())


def run(short, folder, *frameworks, timeout_s=60.0, prove=False, fresh=False, **request):
    plan = plan_of(short, *frameworks, **request)
    if not prove:
        plan = dataclasses.replace(plan, proofs=())
    recorder = Recorder()
    Runner(plan, RunFolder(folder), timeout_s, recorder, plan.request.timed).run(fresh)
    return recorder


# ---------------------------------------------------------------- what a row says


def test_a_program_is_proven_scored_and_not_timed(short, tmp_path, command):
    text = command(RIGHT)
    recorder = run(short, tmp_path / "run", "numpy", text, prove=True, seeds=2)
    rows = {(row.framework, row.seed): row for row in recorder.rows}
    for seed in range(2):
        row, adapter = rows[TRAIN, seed], rows["numpy", seed]
        assert (row.status, row.status_detail, row.loop) == ("ok", None, "own")
        assert row.command == text.removeprefix("cmd:")
        assert row.framework_version == f"digest {parse(text).digest[:8]}"
        assert row.test_accuracy == adapter.test_accuracy
        assert row.test_loss == pytest.approx(adapter.test_loss, rel=1e-5)
        for column in ("start_digest", "data_digest", "device", "dtype", "precision", "samples"):
            assert getattr(row, column) == getattr(adapter, column), column
        times = (
            "train_s",
            "first_step_s",
            "step_us",
            "total_s",
            "predict_s",
            "gemm_us",
            "probe_us",
        )
        assert [getattr(row, name) for name in times] == [None] * len(times)
        assert row.stated_train_s == 0.25
        assert adapter.stated_train_s is None
        assert adapter.command is None
    assert recorder.verdicts[TRAIN].proven
    assert not (tmp_path / "run" / "commands").exists()
    arrays = RunFolder(tmp_path / "run").arrays(rows[TRAIN, 0].trial)
    assert arrays["step"].tolist() == [1, 2, 12]
    assert arrays["loss"].shape == (12,)
    assert arrays["W1"].shape == (3, 2, 1)
    assert "train_s" not in arrays


def test_both_precisions_are_proven(short, tmp_path, command):
    recorder = run(short, tmp_path / "run", command(RIGHT), prove=True)
    run_folder = load_run(tmp_path / "run")
    (judgement,) = run_folder.verdicts.values()
    assert judgement.verdict == "same"
    assert judgement.rungs[-1].name == "float32"
    assert len(recorder.rows) == 1


def test_a_mistake_is_named_and_its_folder_stays(short, tmp_path, command):
    recorder = run(short, tmp_path / "run", command("hand_back(**train(rate_times=4))"), prove=True)
    judgement = recorder.verdicts[TRAIN]
    assert judgement.verdict == "different"
    assert judgement.reason.startswith("the gradient is that of a loss that is summed over")
    kept = judgement.reason.rpartition("its files: ")[2]
    finding, _ = judging.check(tmp_path / "run" / kept)
    assert not finding.holds
    verdicts = load_run(tmp_path / "run").verdicts
    assert [verdict.refuted for verdict in verdicts.values()] == [True]
    # put right, it is another version: trained and proven again, and nothing is kept
    again = run(short, tmp_path / "run", command(RIGHT), prove=True)
    assert again.done == []
    assert again.verdicts[TRAIN].proven


def test_a_run_is_resumed_until_a_file_of_the_command_changes(short, tmp_path, command):
    text = command("from helper import number\n" + RIGHT)
    (tmp_path / "helper.py").write_text("number = 1")
    first = run(short, tmp_path / "run", text, prove=True)
    again = run(short, tmp_path / "run", text, prove=True)
    assert len(again.done) == 1
    assert again.rows == []
    assert again.verdicts.keys() == first.verdicts.keys()  # of the run's folder
    (tmp_path / "helper.py").write_text("number = 2")
    changed = run(short, tmp_path / "run", text)
    assert changed.done == []
    assert changed.rows[0].framework_version != first.rows[0].framework_version


def test_a_verdict_is_of_its_own_run(short, tmp_path, command):
    """A file that no command names may change what a program computes."""
    (tmp_path / "factor").write_text("1")
    text = command("hand_back(**train(float(Path('factor').read_text())))")
    assert run(short, tmp_path / "a", text, prove=True).verdicts.popitem()[1].proven
    (tmp_path / "factor").write_text("4")
    assert not run(short, tmp_path / "b", text, prove=True).verdicts.popitem()[1].proven
    assert run(short, tmp_path / "a", text, prove=True).verdicts.popitem()[1].proven
    assert not run(short, tmp_path / "a", text, prove=True, fresh=True).verdicts.popitem()[1].proven


def test_what_is_not_handed_back_stays_empty(short, tmp_path, command):
    text = command("hand_back(losses=train()['losses'][:5])")
    row = run(short, tmp_path / "run", text).rows[0]
    assert (row.status, row.steps, row.samples) == ("ok", 5, 20)
    assert row.test_accuracy is row.train_loss is row.stated_train_s is None
    assert "no parameters after step 12, the last one" in row.status_detail
    assert len(run(short, tmp_path / "run", text).done) == 1


def test_outputs_alone_give_a_result_where_they_are_of_all_rows(short, tmp_path, command):
    body = "train(); hand_back(outputs_after=np.load(folder / 'inputs_to_predict.npy') @ W + b)"
    row = run(short, tmp_path / "run", command(body)).rows[0]
    assert row.test_accuracy is not None
    assert row.train_accuracy is None


def test_a_trial_that_is_not_its_proof_is_shown(short, tmp_path, command):
    """The proof has all of these twelve steps in float64, the trial is in float32."""
    body = (
        "answer = train()\nif X.dtype == np.float32: answer['losses'][0] *= 2\nhand_back(**answer)"
    )
    recorder = run(short, tmp_path / "run", command(body))
    assert "step 1 returned a loss of" in recorder.rows[0].contradiction


def test_a_trial_is_handed_the_whole_training(short, tmp_path, command):
    text = command("print(steps)\nhand_back(**train())")
    Path(short).write_text(PROTOCOL.replace("steps = 12 }", "steps = 300 }"))
    recorder = run(short, tmp_path / "run", text, prove=True)
    assert recorder.rows[0].steps == 300
    assert recorder.tails == [["300"]]
    rungs = [rung.name for rung in recorder.verdicts.popitem()[1].rungs]
    assert "12 steps" in rungs or "100 steps" in rungs


def test_a_training_that_may_stop_early_is_not_supported(short, tmp_path, command):
    stopping = {
        "name": "patience",
        "patience_steps": 90,
        "growth": 2.0,
        "threshold": 0.995,
        "every_epochs": 1,
    }
    batches = {"order": "shuffled", "size": 10, "last": "keep"}
    values = protocol(
        "iris-softmax",
        training__stopping=stopping,
        data__validation=0.2,
        training__batches=batches,
        training__length={"epochs": 20},
        training__evaluation={"every_epochs": 1},
    )
    plan = plan_of(short, command(RIGHT))
    plan = dataclasses.replace(plan, proofs=(), experiments={"short": parse_protocol(values, "it")})
    recorder = Recorder()
    Runner(plan, RunFolder(tmp_path / "run"), 60.0, recorder).run()
    assert recorder.rows[0].status == "unsupported"
    assert "cannot follow training.stopping" in recorder.rows[0].status_detail


# ---------------------------------------------------------------- what may go wrong

FAULTS = [
    ("exits", "print('no luck'); sys.exit(3)", "error", "ended with exit code 3: no luck"),
    ("raises", "raise RuntimeError('bad')", "error", "exit code 1: RuntimeError: bad"),
    ("crashes", "os.abort()", "crashed", "SIGABRT"),
    ("writes nothing", "pass", "error", "answer: nothing was handed back"),
    ("garbage", "(answer / 'losses.npy').write_bytes(os.urandom(500))", "error", "not a .npy file"),
    ("pickle", "np.save(answer / 'losses.npy', np.array([{}], object))", "error", "never read"),
    ("text", "(answer / 'losses.csv').write_text('a b\\n1 x\\n')", "error", "line 2"),
    ("shape", "hand_back(**{'parameters_after_step_12/weights_1': W.T, "
     "'parameters_after_step_12/biases_1': b})", "error", "W.T"),
    ("nan", "hand_back(losses=[float('nan')] * steps)", "diverged", "not finite at step 1"),
    ("infinite", "W = W / 0.0; hand_back(**{'parameters_after_step_12/weights_1': W, "
     "'parameters_after_step_12/biases_1': b})", "diverged", "after step 12"),
    ("times", "hand_back(**train(), train_s=-1)", "error", "must be one number above 0"),
    ("removes the folder", "import shutil; shutil.rmtree(folder)", "error", "nothing was handed"),
    ("a pipe", "os.mkfifo(folder / 'answer.npz')", "error", "is no plain file"),
    ("a device", "os.symlink('/dev/zero', folder / 'answer.npz')", "error", "is no plain file"),
    ("a link", "import shutil; shutil.rmtree(answer); answer.symlink_to('/proc')", "error", ""),
    ("prints", "os.write(1, b'x' * 30_000_000 + b'\\xff\\n'); hand_back(**train())", "ok", None),
    ("unknown files", "(answer / 'model.bin').write_bytes(b'x'); hand_back(**train())", "ok", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "status", "detail"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_fault_is_a_row(short, tmp_path, command, name, body, status, detail):
    recorder = run(short, tmp_path / "run", command(body))
    (row,) = recorder.rows
    assert row.status == status, row.status_detail
    if detail is None:
        assert row.status_detail is None
    else:
        assert detail in row.status_detail
        assert str(tmp_path) not in row.status_detail
    assert row.command
    assert not (tmp_path / "run" / "commands").exists()
    logs = list((tmp_path / "run" / "logs").glob("*.log"))
    assert sum(file.stat().st_size for file in logs) < 1_100_000


def test_a_program_that_writes_another_protocol_is_judged_by_its_own(short, tmp_path, command):
    body = """
    marker = folder / "protocol.json"
    text = marker.read_text().replace('"seed": 0', '"seed": 1')
    marker.write_text(text)
    hand_back(**train(rate_times=4))
    """
    recorder = run(short, tmp_path / "run", command(body), prove=True)
    judgement = recorder.verdicts[TRAIN]
    assert judgement.verdict == "different"
    assert judgement.reason.startswith("the gradient is that of a loss that is summed over")


def test_a_fault_in_a_proof_is_said_and_its_folder_stays(short, tmp_path, command):
    recorder = run(short, tmp_path / "run", command("sys.exit('no such gate')"), prove=True)
    judgement = recorder.verdicts[TRAIN]
    assert judgement.verdict == "not comparable"
    assert "exit code 1: no such gate" in judgement.reason
    assert len(list((tmp_path / "run" / "commands").iterdir())) == 2


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsubprocess.run(['sleep', '61'])",
        "subprocess.Popen(['sleep', '61'], start_new_session=True)\ntime.sleep(61)",
    ],
    ids=["loop", "grandchild", "session"],
)
def test_a_hang_is_killed_with_all_it_started(short, tmp_path, command, body):
    began = time.monotonic()
    recorder = run(short, tmp_path / "run", command(body), timeout_s=3.0)
    assert time.monotonic() - began < 15
    assert [(row.status, row.status_detail) for row in recorder.rows] == [
        ("timeout", "killed after 3 s")
    ]
    assert not _left(tmp_path)


def test_what_outlives_its_program_is_ended(short, tmp_path, command):
    """A daemon: its parent has ended, and it has left the group and the session."""
    body = """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "62"])
        os._exit(0)
    time.sleep(0.3)
    hand_back(**train())
    """
    began = time.monotonic()
    recorder = run(short, tmp_path / "run", command(body))
    assert recorder.rows[0].status == "ok"
    assert time.monotonic() - began < 20
    assert not _left(tmp_path)


def _left(tmp_path):
    """Processes that a command of this test started and that still run."""
    left = []
    for process in psutil.process_iter():
        try:
            environment, status = process.environ(), process.status()
        except (psutil.Error, OSError):
            continue
        is_of_test = MARK in environment and environment.get("SAMESTEP_CACHE") == str(
            tmp_path / "cache"
        )
        if is_of_test and status != psutil.STATUS_ZOMBIE:
            left.append(process)
    return left


def test_ctrl_c_ends_the_program_and_sweeps(short, tmp_path, command):
    begun = tmp_path / "begun"
    text = command(f"Path({str(begun)!r}).touch()\ntime.sleep(60)")

    def press():
        while not begun.exists():
            time.sleep(0.05)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(short, tmp_path / "run", text)
    thread.join()
    assert time.monotonic() - began < 20
    rows = [json.loads(f.read_text()) for f in (tmp_path / "run" / "trials").glob("*.json")]
    assert [row["status"] for row in rows] == ["interrupted"]
    assert not (tmp_path / "run" / "commands").exists()
    assert not _left(tmp_path)


def test_lanes_run_several_and_ctrl_c_ends_all(short, tmp_path, command, monkeypatch):
    monkeypatch.setattr("harness.execute.runner.lanes", lambda plan: 2)
    text = command(RIGHT)
    recorder = run(short, tmp_path / "run", text, prove=True, timed=False, seeds=3)
    assert [row.status for row in recorder.rows] == ["ok"] * 3
    assert [row.stated_train_s for row in recorder.rows] == [None] * 3
    slow = command(
        f"open({str(tmp_path)!r} + f'/begun-{{os.getpid()}}', 'w')\ntime.sleep(60)", "b.py"
    )

    def press():
        while len(list(tmp_path.glob("begun-*"))) < 2:
            time.sleep(0.05)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(short, tmp_path / "slow", slow, timed=False, seeds=3)
    thread.join()
    rows = [json.loads(f.read_text()) for f in (tmp_path / "slow" / "trials").glob("*.json")]
    assert [row["status"] for row in rows] == ["interrupted"] * 2
    assert not _left(tmp_path)


# ---------------------------------------------------------------- what is typed


def test_names_and_paths_as_people_have_them(short, tmp_path, command):
    text = command(RIGHT, "내 스크립트, 하나.py", "--lr=0.1")
    text = text.replace("--lr=0.1", "{folder}")
    recorder = run(short, tmp_path / "결과 폴더", "numpy", text, prove=True)
    row = next(row for row in recorder.rows if row.command)
    assert (row.framework, row.status) == (f"cmd: {PYTHON} 내 스크립트, 하나.py", "ok")
    assert recorder.verdicts[row.framework].proven


def test_a_program_that_is_not_there_is_missing(short, tmp_path, command):
    recorder = run(short, tmp_path / "run", "numpy", "cmd:no-such-julia train.jl {folder}")
    row = next(row for row in recorder.rows if row.command)
    assert row.status == "missing"
    assert row.status_detail == (
        "no-such-julia cannot be run: PATH has no program of that name: install it, or correct the "
        "command"
    )


def test_a_file_that_is_no_program_says_chmod(short, tmp_path):
    (tmp_path / "train").write_text("#!/bin/sh\n")
    assert "chmod +x ./train" in parse("cmd:./train {folder}").why_missing


def test_the_environment_is_that_of_the_shell_but_for_threads(
    short, tmp_path, command, monkeypatch
):
    monkeypatch.setenv("JULIA_DEPOT_PATH", "/a/depot")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    body = """
    print(os.environ["JULIA_DEPOT_PATH"], os.environ["OMP_NUM_THREADS"], os.environ["GOMAXPROCS"])
    print(len(os.sched_getaffinity(0)), signal.getsignal(signal.SIGPIPE).name, os.getcwd())
    hand_back(**train())
    """
    recorder = run(short, tmp_path / "run", command(body))
    assert recorder.tails == [["/a/depot 1 1", f"1 SIG_IGN {tmp_path}"]]  # Python ignores SIGPIPE


def test_a_shell_is_not_run(short, tmp_path, command):
    text = command(RIGHT) + " '$(touch pwned)' '; touch pwned' `touch` $HOME"
    assert run(short, tmp_path / "run", text).rows[0].status == "ok"
    assert not (tmp_path / "pwned").exists()


def test_reading_a_run_runs_nothing(short, tmp_path, command, monkeypatch):
    run(short, tmp_path / "run", command(RIGHT), prove=True)
    file = tmp_path / "run" / "plan.json"
    hostile = file.read_text().replace("train.py", "other.py")
    file.write_text(hostile)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    load_run(tmp_path / "run")
    assert Plan.from_json(hostile).frameworks == {}


def test_no_file_names_a_command():
    for name in ("cmd:touch {folder}", "cmd:Cmd"):
        with pytest.raises(UnknownFrameworkError, match="is a command"):
            find(name)


@pytest.mark.parametrize(
    ("script", "protocol"), [("numpy_loop.py", "xor-mlp"), ("plain_python.py", "xor-mlp")]
)
def test_the_scripts_that_people_read(short, tmp_path, script, protocol):
    text = f"cmd:{sys.executable} '{SCRIPTS / script}' {{folder}}"
    recorder = run(protocol, tmp_path / "run", text, prove=True)
    assert recorder.rows[0].test_accuracy is not None
    assert recorder.verdicts.popitem()[1].proven


def test_the_c_program(short, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = SCRIPTS / "c_program.c"
    subprocess.run([compiler, "-O2", "-o", "c program", source, "-lm"], check=True, timeout=60)
    recorder = run("xor-mlp", tmp_path / "run", "cmd:'./c program' {folder}", prove=True)
    row = recorder.rows[0]
    assert (row.framework, row.test_accuracy, row.precision) == ("cmd: c program", 1.0, "float64")
    assert recorder.verdicts.popitem()[1].proven
    assert os.access("c program", os.X_OK)
