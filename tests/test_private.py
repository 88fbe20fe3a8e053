"""What a run leaves says neither where the user's home is nor what the user is called."""

import getpass
import sys
import zipfile
from pathlib import Path

import pytest

from harness.private import values_without_user, without_user
from tests.execute.test_faults import PROTOCOL, adapter

pytestmark = pytest.mark.xdist_group("processes")

NAME = "adalovelace"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of our own, reached over a link as on many clusters."""
    real = tmp_path / "export" / NAME
    real.mkdir(parents=True)
    linked = tmp_path / "homes" / NAME
    linked.parent.mkdir()
    linked.symlink_to(real)
    monkeypatch.setenv("HOME", str(linked))
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, NAME)
    return linked


def test_paths_lose_the_home_and_the_name(home):
    for place in (home, home.resolve()):
        assert without_user(f"{place}/mine.py:3: no {place}.") == "~/mine.py:3: no ~."
        assert without_user(f"file://{place}/a 'b {place}'") == "file://~/a 'b ~'"
        assert without_user(f"{place}2/a {place}-old") == f"{place}2/a {place}-old"
    assert without_user(f"/scratch/{NAME}/a, by {NAME}") == f"/scratch/<user>/a, by {NAME}"
    values = {"a": [str(home), 1, None], "b": (f"{home}2",)}
    assert values_without_user(values) == {"a": ["~", 1, None], "b": [f"{home}2"]}


def test_who_has_no_home_or_name_loses_nothing(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setattr(getpass, "getuser", _unknown)
    assert without_user("/a/b") == "/a/b"
    monkeypatch.setattr(Path, "home", _homeless)
    assert without_user("/a/b") == "/a/b"


def _unknown():
    raise KeyError("uid not found: 12345")


def _homeless():
    raise RuntimeError("Could not determine home directory.")


CSV = "a,b,y\n" + "".join(f"{n},{n % 3},{n % 2}\n" for n in range(24))
PROGRAM = "import sys; print('reading', __file__); sys.exit(f'cannot open {__file__}')"


def texts(folder):
    """Every file below a folder as text, archives unpacked."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    yield f"{file}/{name}", archive.read(name).decode("latin-1")
        elif file.is_file():
            yield str(file), file.read_bytes().decode("latin-1")


@pytest.mark.parametrize(
    "extras",
    [
        pytest.param((), id="report"),
        pytest.param(("numpy", "numbers.py"), id="more", marks=pytest.mark.full_product),
    ],
)
def test_no_file_of_a_run_says_who_the_user_is(invoke, home, tmp_path, extras):
    """An adapter and a program that say where they are, a table and a protocol in the home."""
    (home / "table.csv").write_text(CSV)
    (home / "short.toml").write_text(PROTOCOL)
    (home / "tells.py").write_text(PROGRAM)
    adapter(home, "faulty", "print('I am', __file__); raise OSError(2, 'No such file', __file__)")
    adapter(home, "numbers")
    entrants = ["faulty.py", *(name for name in extras if name.endswith(".py"))]
    frameworks = [
        *(f"{home}/{name}" for name in entrants),
        *(n for n in extras if n not in entrants),
    ]
    frameworks.append(f"cmd:{sys.executable} {home}/tells.py {{folder}}")
    where = ("--out", "runs/mine", "--tensorboard", "runs/board", "-o", "runs/mine.json")
    done = invoke(
        "report", home / "short.toml", home / "table.csv", "--target", "y", "--frameworks",
        ",".join(frameworks), *where,
    )  # fmt: skip
    assert done.exit_code == 1, done.stderr
    assert "No such file" in done.stderr
    found = dict(texts(tmp_path / "runs")) | {
        "again": invoke("report", "--from", "runs/mine").stdout
    }
    if extras:
        found["doctor"] = invoke("doctor", "--frameworks", f"{home}/faulty.py", "--json").stdout
        assert '"frameworks": [' in found["doctor"]
    assert len(found) > 20
    assert "~/short.toml" in found[str(tmp_path / "runs/mine/plan.json")]
    assert any("~/faulty.py" in text for name, text in found.items() if "/logs/" in name)
    assert [name for name, text in found.items() if NAME in text] == []


def test_what_is_named_from_the_home_is_found(invoke, home):
    """The command on a page names what is in the home by `~`, in quotes."""
    (home / "short.toml").write_text(PROTOCOL)
    adapter(home, "mine")
    done = invoke("report", "~/short.toml", "--frameworks", "~/mine.py", "--out", "run")
    assert "[1/1] short mine stepwise seed 0: ok" in done.stderr
    done = invoke("report", home / "short.toml", "--frameworks", f"{home}/mine.py", "--out", "run")
    assert "1 of 1 done already" in done.stderr
