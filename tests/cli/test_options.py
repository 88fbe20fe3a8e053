"""Options that go with nothing, a signal, and what is said of an installation."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from types import SimpleNamespace

import pytest

from harness import registry

REPORT = [
    ["and"], ["--frameworks", "numpy"], ["--loops", "all"], ["--preset", "full"], ["--seeds", "2"],
    ["--repeats", "2"], ["--threads", "all"], ["--device", "cpu"], ["--dtype", "float64"],
    ["--timeout", "1h"], ["--out", "x"], ["--fresh"],
]  # fmt: skip
REPRODUCE = [
    ["--all"], ["--heavy"], ["--list"], ["--frameworks", "numpy"], ["--threads", "all"],
    ["--device", "cpu"], ["--timeout", "1h"], ["--out", "x"], ["--fresh"],
]  # fmt: skip
IGNORED = [("report", given) for given in REPORT] + [("reproduce", given) for given in REPRODUCE]


@pytest.mark.parametrize(
    ("command", "given"), IGNORED, ids=[f"{name} {given[0]}" for name, given in IGNORED]
)
def test_from_only_reads(invoke, command, given):
    done = invoke(command, "--from", "nowhere", *given)
    assert done.exit_code == 2
    option = given[0] if given[0].startswith("--") else "experiments"
    assert done.stderr.startswith(f"{option}: --from only reads a run's folder; it takes no other")
    assert f"Leave out {option} or --from" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "-o", "x.md", "--chart", "and/phases=x.svg", "--tensorboard", "tb"],
        ["reproduce", "C01", "-o", "x.md", "--chart", "differences=x.svg", "--json"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_from_does_take(invoke, arguments):
    done = invoke(*arguments, "--from", "nowhere")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr
    assert "holds no" in done.stderr


@pytest.mark.xdist_group("processes")
def test_sigterm_ends_a_check_and_leaves_no_folder_behind(tmp_path, cache):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "check", "numpy"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not list(scratch.glob("samestep-check-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("file:///home/me/my%20project", '-e "/home/me/my project[torch]"'),
        ("file:///home/me/caf%C3%A9", '-e "/home/me/café[torch]"'),
        ("file:///srv/plain", '-e "/srv/plain[torch]"'),
    ],
)
def test_a_clone_is_named_as_its_folder_is(monkeypatch, url, target):
    told = json.dumps({"url": url, "dir_info": {"editable": True}})
    found = SimpleNamespace(read_text=lambda name: told)
    monkeypatch.setattr(metadata, "distribution", lambda name: found)
    assert registry._install_target("samestep", "torch") == target
