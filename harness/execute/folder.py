"""A run's folder, taken by one plan and written by one process at a time."""

import contextlib
from collections.abc import Iterator

from harness.plan import Plan
from harness.results import RunFolder

OWN_FILES = {"lock", "trials"}
"""What a run makes before its plan."""


class FolderInUseError(RuntimeError):
    """Another process is writing to the run's folder."""


class OtherPlanError(ValueError):
    """The folder holds something else; it is never overwritten."""


def prepare(folder: RunFolder, plan: Plan) -> None:
    """Make the folder ready, or refuse it before anything is written.

    Raises:
        OtherPlanError: it holds another plan, or files that are not ours.
        OSError: it cannot be written.
    """
    if folder.plan_file.exists():
        try:
            other = Plan.from_json(folder.plan_file.read_text(encoding="utf-8")).digest
        except (ValueError, RecursionError):
            other = "unreadable"
        if other != plan.digest:
            raise OtherPlanError(
                f"{folder.path} holds another plan ({other}, this one is {plan.digest}); it is "
                f"left as it is. Name a new folder: --out {folder.path}-{plan.digest[:8]}"
            )
    elif folder.path.is_dir() and {file.name for file in folder.path.iterdir()} - OWN_FILES:
        raise OtherPlanError(
            f"{folder.path} is not empty and holds no run; it is left as it is. Name a new "
            f"folder: --out {folder.path / plan.digest[:8]}"
        )
    folder.trials.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out; the lock goes with the process that holds it."""
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
