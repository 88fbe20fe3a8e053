"""Real schedulers, nannies and workers on this machine, and what goes wrong with them."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from harness.clock.environment import INHERITED, STATED, THREAD_VARIABLES, allowed_cpus
from harness.cluster.address import ClusterError
from harness.data.own_rows import FOLDER_VARIABLE
from harness.execute.left_processes import MARK
from harness.results import TIMES, RunFolder
from tests.cluster.processes import is_alive, wait
from tests.execute.test_faults import adapter, run, short  # noqa: F401 (a fixture)

pytest.importorskip("distributed")
pytestmark = [pytest.mark.xdist_group("dask")]
full = pytest.mark.full_product

DOCUMENT = Path(__file__).parents[2] / "results" / "several-machines.md"
ELSEWHERE = (*TIMES, "run", "started_at", "peak_rss_mb", "node", "attempt", "status_detail")
"""Columns that two runs of the same trials need not share."""


def columns(folder):
    return {
        row.trial: {k: v for k, v in vars(row).items() if k not in ELSEWHERE}
        for row in RunFolder(folder).rows()
    }


def test_rows_are_those_of_a_run_without_dask(on_cluster, short, tmp_path):  # noqa: F811
    """Both are proven, and nothing is left of the cluster."""
    recorder = on_cluster("local:2", "numpy", seeds=2, prove=True, folder="dask")
    assert {judgement.verdict for judgement in recorder.verdicts.values()} == {"same"}
    run(short, tmp_path / "here", "numpy", seeds=2)
    assert columns(tmp_path / "dask") == columns(tmp_path / "here") != {}
    assert {row.node for row in recorder.rows} == {recorder.rows[0].node} != {None}
    assert not RunFolder(tmp_path / "dask").cluster.exists()
    assert not [p for p in psutil.Process().children(recursive=True) if "spawn" in str(p.cmdline())]
    again = on_cluster("local:1", "numpy", seeds=2, folder="dask")
    assert len(again.done) == 2
    assert again.rows == []


@full
def test_a_run_here_imports_nothing_of_dask(tmp_path, cache):
    code = (
        "import sys; from typer.testing import CliRunner; from harness import cli; "
        "done = CliRunner().invoke(cli.app, ['report', 'and', '--frameworks', 'numpy']); "
        "assert done.exit_code == 0, done.output; "
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=120)


def test_the_document_says_options_that_dask_has():
    from distributed.cli import dask_scheduler, dask_worker

    text = DOCUMENT.read_text(encoding="utf-8").replace("\\\n", " ")
    manifests = re.findall(r"\[dask, (worker), (.*?)\]", text)
    lines = re.findall(r"dask (scheduler|worker) ([^`\n&]*)", text)
    assert len(manifests) == 1
    assert len(lines) >= 5
    for what, options in [*lines, *manifests]:
        command = {"scheduler": dask_scheduler, "worker": dask_worker}[what].main
        known = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", options)) <= known


# ---------------------------------------------------------------- what a trial is given

LOOKS_AROUND = """
import json, multiprocessing, pathlib, threading
threads = {{}}
for thread in pathlib.Path(f'/proc/{{os.getppid()}}/task').iterdir():
    threads[thread.name] = sorted(os.sched_getaffinity(int(thread.name)))
process = multiprocessing.get_context('spawn').Process(target=print)
process.start(); process.join()
seen = {{'environment': dict(os.environ), 'own': sorted(os.sched_getaffinity(0)),
        'dask': threads, 'process': os.getpid(), 'exit': process.exitcode}}
open(f'{folder}/seen-{{os.getpid()}}.json', 'w').write(json.dumps(seen))
"""
DAEMONIC = """
import multiprocessing
open('daemon', 'a').write(str(multiprocessing.current_process().daemon))
"""


@full
def test_a_trial_has_a_process_an_environment_and_cpus_of_its_own(dask, on_cluster, tmp_path):
    """Of the nanny's variables none arrives, and Dask's threads are elsewhere."""
    dask.start(1, preload=DAEMONIC, SCHEDULER_SETS="this")
    worker = wait(dask.workers)[0]
    nannys = worker.environ()
    assert nannys["OMP_NUM_THREADS"] == "1"
    assert nannys["MALLOC_TRIM_THRESHOLD_"] != STATED["MALLOC_TRIM_THRESHOLD_"]
    looks = adapter(tmp_path, "looks", init=LOOKS_AROUND.format(folder=tmp_path))
    rows = on_cluster(dask.file, looks, seeds=2, threads=(len(allowed_cpus()) // 2 or 1,)).rows
    assert [row.status for row in rows] == ["ok"] * 2, [row.status_detail for row in rows]
    seen = [json.loads(file.read_text()) for file in tmp_path.glob("seen-*.json")]
    assert len({each["process"] for each in seen}) == len(seen) == 2
    own_variables = {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", MARK, FOLDER_VARIABLE}
    allowed = {*INHERITED, *STATED, *THREAD_VARIABLES, *own_variables, "LC_CTYPE"}
    for each in seen:
        variables = each["environment"]
        assert set(variables) <= allowed, set(variables) - allowed
        assert variables["MALLOC_TRIM_THRESHOLD_"] == STATED["MALLOC_TRIM_THRESHOLD_"]
        assert variables["OMP_NUM_THREADS"] == str(rows[0].threads)
        assert each["exit"] == 0  # it may start processes, which Dask's workers may not
        assert len(each["own"]) == rows[0].threads
        if len(allowed_cpus()) > 1:
            assert not any(set(each["own"]) & set(cpus) for cpus in each["dask"].values())
    assert "True" in (dask.folder / "daemon").read_text()


@full
def test_memory_of_trials_is_not_the_nannys_business(dask, on_cluster, tmp_path):
    """A trial may take more than the worker's limit; what takes the machine's memory is `oom`."""
    little = "import harness.execute.worker_process as w; w.free_bytes = lambda: 900 * 2**20"
    dask.start(1, preload=little, memory="400MiB")
    take = "self.much = np.ones({} << 17); time.sleep(1)"
    fits = adapter(tmp_path, "fits", init=take.format(600))
    bursts = adapter(tmp_path, "bursts", init=take.format(1200))
    worker = wait(dask.workers)[0]
    rows = on_cluster(dask.file, bursts, fits).rows
    assert {row.framework: row.status for row in rows} == {"bursts": "oom", "fits": "ok"}
    assert dask.workers()[0].pid == worker.pid


# ---------------------------------------------------------------- what is lost

ONCE = """
import pathlib
place = pathlib.Path(r'{folder}')
if not (place / 'began').exists():
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],
                             start_new_session=True)
    (place / 'child').write_text(str(child.pid))
    (place / 'worker').write_text(str(os.getppid()))
    (place / 'began').write_text(str(os.getpid()))
    time.sleep(600)
"""


@full
def test_a_worker_killed_in_mid_trial(dask, on_cluster, tmp_path):
    """Its trial ends with all that was started, and runs again on another worker."""
    dask.start(2)
    waits = adapter(tmp_path, "waits", init=ONCE.format(folder=tmp_path))

    def kill():
        began = wait((tmp_path / "began").is_file) and int((tmp_path / "began").read_text())
        ended.append(began)
        ended.append(int((tmp_path / "child").read_text()))
        os.kill(int((tmp_path / "worker").read_text()), signal.SIGKILL)

    ended = []
    killing = threading.Thread(target=kill)
    killing.start()
    recorder = on_cluster(dask.file, waits, "numpy")
    killing.join()
    assert [row.status for row in recorder.rows] == ["ok"] * 2
    assert len(recorder.losses) == 1
    assert len({row.node for row in recorder.rows}) == 1
    wait(lambda: not any(map(is_alive, ended)), 10)


@full
def test_a_trial_that_takes_its_worker_down_does_so_twice_at_most(dask, on_cluster, tmp_path):
    dask.start(1)
    kill = "os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"
    kills = adapter(tmp_path, "kills", init=kill)
    recorder = on_cluster(dask.file, kills, "numpy")
    rows = {row.framework: row for row in recorder.rows}
    assert rows["kills"].status == "crashed"
    assert "lost 2 times" in rows["kills"].status_detail
    assert rows["numpy"].status == "ok"
    assert len(recorder.losses) == 2


@full
def test_the_scheduler_is_killed_and_the_same_command_goes_on(dask, on_cluster, tmp_path, capfd):
    dask.start(1)
    waits = adapter(
        tmp_path,
        "waits",
        init=f"open(r'{tmp_path}/began', 'a').write('x')\n"
        f"time.sleep(600 if len(open(r'{tmp_path}/began').read()) == 2 else 0)",
    )

    def kill():
        wait(lambda: _size(tmp_path / "began") >= 2)
        dask.scheduler.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    with pytest.raises(ClusterError, match="the scheduler is gone"):
        on_cluster(dask.file, waits, seeds=3, timed=False)
    killing.join()
    assert "Traceback" not in capfd.readouterr().err
    before = {row.trial: row.started_at for row in RunFolder(tmp_path / "run").rows()}
    assert len(before) == 1
    dask.stop()
    dask.start(1)
    recorder = on_cluster(dask.file, waits, seeds=3, timed=False)
    assert [trial.id for trial in recorder.done] == list(before)
    after = {row.trial: row.started_at for row in RunFolder(tmp_path / "run").rows()}
    assert len(after) == 3
    assert before.items() <= after.items()


def _size(file):
    return file.stat().st_size if file.is_file() else 0


@full
def test_a_result_twice(dask, on_cluster, tmp_path, monkeypatch):
    """A worker that is cut off finishes its trial, which another has run meanwhile."""
    dask.start(3, nanny=False, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="3s")
    first = tmp_path / "first"
    script = f"""
try:
    os.close(os.open(r'{first}', os.O_CREAT | os.O_EXCL))
    open(r'{tmp_path}/worker', 'w').write(str(os.getppid()))
    open(r'{tmp_path}/began', 'w').close()
    time.sleep(8)
except FileExistsError:
    time.sleep(1)
"""
    slow = adapter(tmp_path, "slow", init=script)
    late = adapter(tmp_path, "late", init="time.sleep(25)")

    def freeze():
        wait((tmp_path / "began").is_file)
        worker = int((tmp_path / "worker").read_text())
        os.kill(worker, signal.SIGSTOP)
        wait(lambda: RunFolder(tmp_path / "run").rows())
        os.kill(worker, signal.SIGCONT)

    freezing = threading.Thread(target=freeze)
    freezing.start()
    recorder = on_cluster(dask.file, slow, late, timed=False)
    freezing.join()
    assert len({row.trial for row in RunFolder(tmp_path / "run").rows()}) == 2
    assert {row.framework: row.status for row in recorder.rows} == {"slow": "ok", "late": "ok"}
    assert len(recorder.losses) == 1
    assert [name.partition("-")[2][:4] for name in recorder.twice] == ["slow"]


# ---------------------------------------------------------------- who works where

OTHER = "import harness.cluster.environment as e; e.__version__ = '0.0.1'"


@full
def test_another_version_is_refused_by_name(dask, on_cluster):
    dask.start(1, preload=OTHER)
    with pytest.raises(ClusterError, match=r"samestep \S+ here, 0\.0\.1 there"):
        on_cluster(dask.file, "numpy")
    dask.start(1)
    recorder = on_cluster(dask.file, "numpy")
    assert [row.status for row in recorder.rows] == ["ok"]
    assert len(recorder.refusals) == 1


COUNTS_FETCHES = """
import pathlib, time
from harness.data import fetching
place = pathlib.Path(r'{folder}')

def files(dataset, where):
    if not (place / 'there').exists():
        raise fetching.DataMissingError('not yet')
    return {{}}

def fetch(dataset, where, directory):
    with (place / 'fetched').open('a') as log:
        log.write('x')
    time.sleep(1)
    (place / 'there').touch()
    return 'a test'

fetching.files, fetching._fetch_by_first_route = files, fetch
"""


@full
def test_data_is_fetched_once_on_a_machine(dask, tmp_path, cache):
    """By three workers that need it at once. (The trials then say that it is not really there.)"""
    from harness import planning
    from harness.cluster.address import ClusterAddress
    from harness.cluster.runner import ClusterRunner
    from harness.plan import Request
    from harness.report.trial_durations import estimates_anywhere_s
    from tests.cluster.conftest import ClusterRecorder

    dask.start(3, preload=COUNTS_FETCHES.format(folder=tmp_path), SAMESTEP_CACHE=str(cache))
    plan = planning.make_plan(Request(("mnist-five",), ("numpy",), seeds=6, timed=False))
    wait(lambda: len(dask.workers()) == 3)
    recorder = ClusterRecorder()
    ClusterRunner(
        plan, RunFolder(tmp_path / "run"), 60.0, recorder, ClusterAddress.parse(str(dask.file)),
        estimates_anywhere_s(plan), False,
    ).run()  # fmt: skip
    assert [row.status for row in recorder.rows] == ["missing"] * 6
    assert (tmp_path / "fetched").read_text() == "x"


@full
def test_two_timed_blocks_are_never_on_a_machine_at_once(dask, on_cluster, tmp_path):
    """Of two commands neither, which know nothing of each other."""
    dask.start(3)
    notes = adapter(
        tmp_path,
        "notes",
        init=f"began = time.monotonic(); time.sleep(0.3)\n"
        f"open(rf'{tmp_path}/span-{{os.getpid()}}', 'w').write(f'{{began}} {{time.monotonic()}}')",
    )
    runs = [
        threading.Thread(target=on_cluster, args=(dask.file, notes),
                         kwargs={"seeds": 3, "folder": f"run {number}"})
        for number in range(2)
    ]  # fmt: skip
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    spans = sorted(tuple(map(float, file.read_text().split())) for file in tmp_path.glob("span-*"))
    assert len(spans) == 6
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


@full
def test_where_times_do_not_matter_all_workers_work(dask, on_cluster, tmp_path):
    """Each trial on a CPU of its own."""
    if len(allowed_cpus()) < 2:
        pytest.skip("needs two CPUs")
    dask.start(2)
    meets = adapter(
        tmp_path,
        "meets",
        init=f"open(rf'{tmp_path}/here-{{os.getpid()}}', 'w').write(str(os.sched_getaffinity(0)))\n"
        f"import glob\n"
        f"end = time.monotonic() + 30\n"
        f"while len(glob.glob(r'{tmp_path}/here-*')) < 2 and time.monotonic() < end:\n"
        f"    time.sleep(0.05)",
    )
    wait(lambda: len(dask.workers()) == 2)
    rows = on_cluster(dask.file, meets, seeds=2, timed=False).rows
    assert [row.status for row in rows] == ["ok"] * 2
    places = {file.read_text() for file in tmp_path.glob("here-*")}
    assert len(places) == 2


@full
def test_disturbed_trials_run_again(on_cluster, tmp_path, monkeypatch):
    """On their machine, until they have been tried often enough."""
    monkeypatch.setattr(
        "harness.analysis.noise.severity", lambda rows: {row.trial: 2.0 for row in rows}
    )
    monkeypatch.setattr("harness.analysis.noise.ATTEMPTS", 2)
    recorder = on_cluster("local:1", "numpy", "sklearn")
    assert len(recorder.again) == len(recorder.reruns) == 2
    assert [row.attempt for row in RunFolder(tmp_path / "run").rows()] == [2, 2]
    assert recorder.twice == recorder.gave_up_on == []


# ---------------------------------------------------------------- the end


@full
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_outlives_the_command(tmp_path, short, how):  # noqa: F811
    """Neither workers nor trials; after Ctrl-C the trial has its row, and exit code 130."""
    waits = adapter(
        tmp_path,
        "waits",
        f"open(rf'{tmp_path}/began', 'w').write(str(os.getpid()))\ntime.sleep(600)",
    )
    command = subprocess.Popen(
        [sys.executable, "-m", "harness", "report", short, "--frameworks", waits,
         "--cluster", "local:2", "--out", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    wait(lambda: _size(tmp_path / "began"))
    started = psutil.Process(command.pid).children(recursive=True)
    trial = int((tmp_path / "began").read_text())
    assert trial in {process.pid for process in started}
    command.send_signal(getattr(signal, how))
    _, said = command.communicate(timeout=60)
    wait(lambda: not any(is_alive(process.pid) for process in started), 20)
    if how != "SIGKILL":
        assert command.returncode == 130, said
        assert b"Traceback" not in said
        (row,) = RunFolder(tmp_path / "run").rows()
        assert row.status == "interrupted"
        assert not (tmp_path / "run" / "cluster").exists()
