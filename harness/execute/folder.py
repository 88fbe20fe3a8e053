"""The folder of a run: it belongs to one plan, and one process at a time writes to it."""

import contextlib
from collections.abc import Iterator

from harness.plan import Plan
from harness.results import RunFolder

WRITTEN_BEFORE_PLAN = {"lock", "trials"}


class FolderInUseError(RuntimeError):
    """Another process is writing to the run's folder."""


class OtherPlanError(ValueError):
    """The folder holds something else, which is never overwritten."""


def prepare(folder: RunFolder, plan: Plan) -> None:
    """Make the folder ready, or refuse before anything is written.

    Raises:
        OtherPlanError: the folder holds another plan, or files of no run.
        OSError: the folder cannot be written.
    """
    if folder.plan_file.exists():
        try:
            other = Plan.from_json(folder.plan_file.read_text(encoding="utf-8")).digest
        except (ValueError, RecursionError):
            other = "unreadable"
        if other != plan.digest:
            new = f"{folder.path}-{plan.digest[:8]}"
            raise OtherPlanError(
                f"{folder.path} holds another plan ({other}, this one is {plan.digest}); it is "
                f"left as it is. Name a new folder: --out {new}, or in Python folder={new!r}"
            )
    elif folder.path.is_dir() and _names(folder) - WRITTEN_BEFORE_PLAN:
        new = str(folder.path / plan.digest[:8])
        raise OtherPlanError(
            f"{folder.path} is not empty and holds no run; it is left as it is. Name a new "
            f"folder: --out {new}, or in Python folder={new!r}"
        )
    folder.trials.mkdir(parents=True, exist_ok=True)


def _names(folder: RunFolder) -> set[str]:
    return {file.name for file in folder.path.iterdir()}


def is_in_use(folder: RunFolder) -> bool:
    """Whether a process of this machine is writing to the folder."""
    try:
        import fcntl

        with (folder.path / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out; the lock ends with the process that holds the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (folder.path / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(
                f"{folder.path} is being written by another samestep; wait for it, or name "
                "another folder with --out"
            ) from error
        yield
