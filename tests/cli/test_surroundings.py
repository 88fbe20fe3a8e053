"""What a command is started in: a narrow terminal, no home, another locale, a spoilt cache."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.execute.test_faults import PROTOCOL

pytestmark = pytest.mark.xdist_group("processes")

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")
OFFLINE = {
    "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": "",
    "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/nowhere", "PIP_CONFIG_FILE": os.devnull,
}  # fmt: skip


@pytest.fixture(autouse=True)
def short(tmp_path):
    """A protocol that the commands are called with."""
    (tmp_path / "short.toml").write_text(PROTOCOL)


def in_terminal(columns, *arguments, **environment):
    """What a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | environment,
    )  # fmt: skip
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says so where the other side is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    assert process.wait(60) == 0, text
    return text.decode()


@pytest.mark.parametrize("kind", ["dumb", pytest.param("xterm", marks=pytest.mark.full_product)])
def test_a_terminal_of_40_columns(invoke, kind):
    assert invoke("report", "short.toml", "--frameworks", "numpy", "--out", "run").exit_code == 0
    said = {
        ("report", "--from", "run"): "numpy loop stepwise; training accuracy 0.5000; first step",
        ("status", "run"): "run ok 1; other 0; failed 0; proofs 2; state not running here",
    }
    for command, words in said.items():
        text = in_terminal(40, *command, TERM=kind, COLUMNS="", NO_COLOR="1")
        assert words in " ".join(ANSI.sub("", text).split())
        assert "…" not in text


def test_a_locale_that_is_not_utf_8(samestep, tmp_path):
    text = PROTOCOL.replace(
        "Four rows, twelve steps", "Vier Zeilen, zwölf Schritte \N{RIGHTWARDS ARROW}"
    )
    (tmp_path / "zwölf.toml").write_text(text, encoding="utf-8")
    done = samestep("report", "zwölf.toml", "--frameworks", "numpy", "--out", "läuft", **ASCII)
    assert done.returncode == 0, done.stderr
    assert "Schritte ?" in done.stdout
    report = (tmp_path / "läuft" / "report.md").read_text(encoding="utf-8")
    assert "zwölf Schritte \N{RIGHTWARDS ARROW}" in report


def a_file(cache):
    cache.write_text("no folder")


def folders_for_files(cache):
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (cache / "mnist" / name).mkdir(parents=True)


def files_for_folders(cache):
    cache.mkdir()
    for name in ("mnist", "proofs", "limits", "page"):
        (cache / name).write_text("no folder")


def pipes_for_files(cache):
    (cache / "mnist").mkdir(parents=True)
    os.mkfifo(cache / "mnist" / "train-images-idx3-ubyte")


@pytest.mark.parametrize("spoil", [a_file, folders_for_files, files_for_folders, pipes_for_files])
def test_a_cache_that_cannot_be_read(invoke, tmp_path, spoil):
    spoil(tmp_path / "spoilt")
    command = "report", "mnist-five", "and", "--frameworks", "numpy", "--out", "run"
    done = invoke(*command, SAMESTEP_CACHE=str(tmp_path / "spoilt"), **OFFLINE)
    assert done.exit_code == 0, done.stderr
    assert "mnist-five numpy stepwise seed 0: missing" in done.stderr
    assert "and numpy stepwise seed 0: ok" in done.stderr


UNKNOWN = """
import pwd
def getpwuid(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = getpwuid
"""


def test_a_user_whom_the_system_does_not_know(tmp_path):
    """Neither a home nor an entry in the system's list, in the workers too."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(UNKNOWN)
    paths = [str(tmp_path / "python"), str(Path(__file__).parents[2])]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(paths)}
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "report", "short.toml", "--frameworks", "numpy"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("results/runs/*/report.md"))
    assert list(tmp_path.glob(f"samestep-{os.getuid()}/proofs/*"))


OUTPUTS = {
    "closed": (">&-", 0, ""),
    "all closed": ("<&- >&- 2>&-", 0, ""),
    "full": (">/dev/full", 3, "The output cannot be written (No space left"),
    "nobody reads": ("| true; exit ${PIPESTATUS[0]}", 1, ""),
}


@pytest.mark.parametrize(("shell", "code", "said"), OUTPUTS.values(), ids=OUTPUTS)
def test_a_report_is_written_whatever_becomes_of_its_output(charts, tmp_path, shell, code, said):
    command = (
        f'"{sys.executable}" -m harness report short.toml --frameworks numpy --out run {shell}'
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=False, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    names = {file.name for file in (tmp_path / "run").iterdir()}
    assert names >= {"report.md", "results.csv", "plan.json"}
