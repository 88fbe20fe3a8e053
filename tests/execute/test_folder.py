"""A run's folder: nothing in it is followed, waited for or emptied, and leftovers are swept."""

import errno
import json
import os
import socket
import stat

import pytest

from harness import planning
from harness.execute.folder import (
    FolderInUseError,
    OtherPlanError,
    is_in_use,
    locked,
    prepare,
    sweep_all,
)
from harness.merging import NotMergedError, plan_in
from harness.plan import Request
from harness.results import RunFolder, write_atomically


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return RunFolder(path)


def put(kind, path, target):
    """Put something that is no plain file where one is expected."""
    if kind == "link":
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to(target.with_name("absent"))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
    else:
        path.mkdir()


KINDS = ["link", "dangling", "pipe", "device", "socket", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_is_no_plain_file_is_refused_and_left(folder, tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    put(kind, folder.path / "lock", thesis)
    with pytest.raises(OtherPlanError, match="lock is no plain file"), locked(folder):
        raise AssertionError("it was taken")
    assert not is_in_use(folder)
    assert thesis.read_text() == "years of work"
    assert not thesis.with_name("absent").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_that_is_no_plain_file_is_not_read(folder, tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    put(kind, folder.plan_file, tmp_path / "other.json")
    with pytest.raises(NotMergedError, match="holds no run"):
        plan_in(folder.path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_is_no_plain_file_is_passed_over_and_set_aside(
    folder, tmp_path, kind, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder.trials.mkdir()
    (tmp_path / "other.json").write_text("{}")
    put(kind, folder.trials / "a.json", tmp_path / "other.json")
    assert folder.rows() == []
    assert folder.rows(["a"], set_bad_aside=True) == []
    assert [file.name for file in folder.trials.iterdir()] == ["a.json.bad"]
    assert (tmp_path / "other.json").read_text() == "{}"


@pytest.mark.parametrize("part", ["trials", "proofs", "limits", "logs", "data"])
def test_a_folder_that_leads_elsewhere_is_refused(folder, tmp_path, part):
    (tmp_path / "mine").mkdir()
    (folder.path / part).symlink_to(tmp_path / "mine")
    plan = planning.make_plan(Request(experiments=("and",), frameworks=("numpy",)))
    folder.plan_file.write_text(plan.to_json())
    with pytest.raises(OtherPlanError, match=f"{part} is no folder of its own"):
        prepare(folder, plan)
    assert not list((tmp_path / "mine").iterdir())


def test_the_lock_says_who_holds_it(folder):
    with locked(folder):
        said = json.loads((folder.path / "lock").read_text())
        assert (said["process"], said["host"]) == (os.getpid(), socket.gethostname())
        assert is_in_use(folder)
        here = f"process {os.getpid()} on host {socket.gethostname()} since {said['since']}"
        with pytest.raises(FolderInUseError, match=here.replace("+", r"\+")), locked(folder):
            raise AssertionError("it was taken twice")
    assert not is_in_use(folder)
    (folder.path / "lock").write_text("[" * 500)  # whatever an earlier holder left
    with locked(folder), pytest.raises(FolderInUseError), locked(folder):
        raise AssertionError("it was taken twice")


def test_what_a_killed_process_left_half_written_is_swept(folder):
    for part in (folder.path, folder.trials, folder.proofs, folder.limits):
        part.mkdir(exist_ok=True)
        (part / ".a.json.0123abcd").write_text("half")  # of this version
        (part / ".a.npz.k_2abcd9").write_text("half")  # of earlier ones
        (part / "a.json").write_text("whole")
        (part / ".mine").write_text("not ours")
    sweep_all(folder)
    for part in (folder.path, folder.trials, folder.proofs, folder.limits):
        names = sorted(file.name for file in part.iterdir() if file.is_file())
        assert names == [".mine", "a.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_have_the_permissions_that_the_umask_leaves(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a.json", b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == mode


def test_a_link_is_replaced_not_written_through(tmp_path):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    (tmp_path / "a.json").symlink_to(thesis)
    write_atomically(tmp_path / "a.json", b"{}")
    assert thesis.read_text() == "years of work"
    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_run_that_was_killed_while_it_wrote_its_plan_goes_on(folder):
    plan = planning.make_plan(Request(experiments=("and",), frameworks=("numpy",)))
    (folder.path / ".plan.json.0123abcd").write_text("{")
    (folder.path / "lock").write_text("")
    prepare(folder, plan)
    (folder.path / ".mine").write_text("not ours")
    with pytest.raises(OtherPlanError, match="is not empty and holds no run"):
        prepare(folder, plan)


def test_a_file_system_without_locks_keeps_nobody_out(folder, monkeypatch):
    def flock(lock, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with locked(folder), locked(folder):
        assert (folder.path / "lock").exists()
    monkeypatch.setattr("harness.execute.folder.WITHOUT_LOCKS", ())
    with pytest.raises(OSError, match="No locks"), locked(folder):
        pass
