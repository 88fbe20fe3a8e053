"""The doctor asks real workers; a framework that crashes, hangs or is absent is one line."""

import dataclasses
import json
import os

import pytest

from harness.clock.environment import child_environment
from harness.doctor import machine, problems
from harness.doctor.data import read_dataset
from harness.doctor.facts import DatasetState, FrameworkState
from harness.doctor.problems import Problem
from harness.execute import blas_kernels, inspecting, inspection_worker
from harness.execute.blas_kernels import try_kernels
from harness.execute.inspecting import inspect
from harness.execute.inspection_worker import JUST_NUMPY, ask_once
from harness.registry import UnknownFrameworkError, find
from tests.execute.test_faults import adapter

pytestmark = pytest.mark.xdist_group("more processes")


def test_the_command_with_numpy(samestep, tmp_path):
    unused = tmp_path / "unused"
    done = samestep("doctor", "--frameworks", "numpy", SAMESTEP_CACHE=str(unused))
    assert done.returncode in (0, 1), done.stderr  # other work on this machine is a problem
    assert done.stderr.startswith("watching the machine for a second")
    sections = ("machine", "frameworks", "OpenBLAS kernels", "data", "notes", "problem")
    places = [done.stdout.index(section) for section in sections]
    assert places == sorted(places)
    assert "mnist            absent" in done.stdout
    assert "samestep data fetch mnist" in done.stdout
    assert not unused.exists(), "it only looks"


def test_json_of_a_broken_file_beside_numpy(invoke, tmp_path):
    file = adapter(tmp_path, "mine", init="raise RuntimeError('no luck')")
    done = invoke("doctor", "--json", "--frameworks", f"numpy,{file}")
    assert done.exit_code == 1
    value = json.loads(done.stdout)
    numpy, mine = value["frameworks"]
    assert numpy["state"] == "ok"
    assert numpy["gflops"] > 0
    assert numpy["device"] == "cpu"
    assert {pool["library"] for pool in numpy["pools"]}
    assert all(pool["threads"] == 1 for pool in numpy["pools"])
    assert mine["state"] == "broken"
    assert mine["detail"].startswith("RuntimeError: no luck (")
    assert f"samestep check {file}" in value["problems"][0]["mend"]


def test_a_name_nobody_has_is_a_usage_error(invoke):
    done = invoke("doctor", "--frameworks", "tourch")
    assert done.exit_code == 2
    assert "Did you mean 'torch'" in done.stderr
    assert not done.stdout


BROKEN = [
    ("aborts", "os.abort()", "its process crashed (SIGABRT)"),
    ("hangs", "time.sleep(60)", "its process gave no answer and was killed after 4 s"),
    ("exits", "os._exit(3)", "its process ended without a result (exit code 3)"),
    ("raises", "raise SystemExit(1)", "SystemExit: 1"),
]


@pytest.mark.parametrize(("name", "init", "detail"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_worker_that_fails_is_a_line(tmp_path, monkeypatch, name, init, detail):
    monkeypatch.setattr(inspection_worker, "TIMEOUT_S", 4.0)
    framework = find(adapter(tmp_path, name, init=init))
    inspected = inspecting._inspect_framework(framework, True, tmp_path / "log")
    assert inspected.state == FrameworkState.BROKEN
    assert detail in inspected.detail
    assert "\n" not in inspected.detail
    assert "samestep check" in inspected.fix


def test_an_import_that_fails_names_the_package(tmp_path):
    file = tmp_path / "needs.py"
    file.write_text(
        "import absent_package.part\n"
        "from harness.trainer import StepTrainer\n\n"
        "class Needs(StepTrainer):\n    loops = ('stepwise',)\n"
    )
    inspected = inspecting._inspect_framework(find(str(file)), True, tmp_path / "log")
    assert inspected.state == FrameworkState.BROKEN
    assert "No module named 'absent_package'" in inspected.detail
    assert inspected.fix == "python -m pip install absent_package"


def test_a_loop_without_its_compiler_is_a_problem_and_the_others_are_measured(tmp_path):
    init = "if task.loop == 'fused':\n    raise ToolMissingError('it compiles: install g++')"
    file = adapter(tmp_path, "compiles", init=init, loops="('stepwise', 'fused')")
    inspected = inspecting._inspect_framework(find(file), True, tmp_path / "log")
    assert inspected.state == FrameworkState.OK
    assert inspected.device == "cpu"
    assert inspected.lacks == {"fused": "it compiles: install g++"}
    assert list(problems._of_frameworks([inspected])) == [
        Problem("compiles: its fused loop cannot run", "it compiles: install g++")
    ]


def test_a_missing_framework_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection_worker, "WorkerProcess", None)
    absent = dataclasses.replace(find("numpy"), requirements=("absent-package",), distribution="")
    inspected = inspecting._inspect_framework(absent, False, tmp_path / "log")
    assert (inspected.state, inspected.version) == (FrameworkState.MISSING, "")
    assert inspected.fix == "python -m pip install absent-package"


def test_a_file_that_cannot_be_read_is_broken_not_unknown(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("def (\n")
    (inspected,) = inspecting._describe([str(file)])
    assert inspected.state == FrameworkState.BROKEN
    assert "cannot be read" in inspected.detail
    with pytest.raises(UnknownFrameworkError):
        inspect(["tourch"], print)


def test_the_users_choice_of_kernels_reaches_workers():
    chosen = child_environment({"SAMESTEP_OPENBLAS_CORETYPE": "SkylakeX"}, 1, "cpu")
    assert chosen["OPENBLAS_CORETYPE"] == "SkylakeX"
    assert "OPENBLAS_CORETYPE" not in child_environment({"OPENBLAS_CORETYPE": "Zen"}, 1, "cpu")


def test_kernels_are_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMESTEP_OPENBLAS_CORETYPE", "Haswell")
    answer = ask_once(JUST_NUMPY, {"inspect": "numpy"}, os.environ, tmp_path / "log")
    if not blas_kernels._openblas(answer):
        pytest.skip(
            "NumPy computes with another BLAS than OpenBLAS, which has no kernels to choose"
        )
    kernels, _ = try_kernels(frozenset(), tmp_path / "log")
    assert [(kernel.choice, kernel.in_use) for kernel in kernels] == [
        ("automatic", False),
        ("Haswell", True),
    ]
    assert all(kernel.gflops for kernel in kernels)


def test_kernels_of_two_names_are_listed_once():
    def answer(kernel):
        return [{"pools": [{"library": "openblas", "kernel": kernel}]}]

    answers = {"automatic": answer("B"), "A": answer("A"), "B": answer("B"), "C": answer("A")}
    assert blas_kernels._repeated_kernels(answers, "automatic") == {"B": "B", "C": "A"}
    assert blas_kernels._repeated_kernels(answers, "B") == {"C": "A"}


def test_without_proc_nothing_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_read", lambda file: "")
    monkeypatch.setattr(machine, "cpu_times_s", lambda cpus: None)
    facts = machine.read_machine()
    assert facts.flags == frozenset()
    assert (facts.cpu_limit, facts.memory_limit_gib, facts.gpu_driver) == (None, None, None)
    assert machine.sample_contention(0.01).others_cpus is None


def test_limits_of_a_control_group(monkeypatch):
    files = {
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "150000 100000\n",
        "/sys/fs/cgroup/a/memory.max": "1073741824\n",
    }
    monkeypatch.setattr(machine, "_read", lambda file: files.get(file, ""))
    assert machine.cpu_limit() == 1.5
    assert machine._memory_limit_gib(2**33) == 1.0


def test_data_that_is_partly_there_is_damaged(cache):
    assert read_dataset("mnist").state == DatasetState.ABSENT
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"no")
    dataset = read_dataset("mnist")
    assert dataset.state == DatasetState.DAMAGED
    assert dataset.fix == "samestep data fetch mnist"
