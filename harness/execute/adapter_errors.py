"""Say what an adapter raised, and in which line of the adapter."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.registry import Framework

CHARACTERS_AT_MOST = 500


def describe_exception(error: BaseException, framework: "Framework") -> str:
    """Return an exception with the place in the adapter that it came from.

    The place is the deepest frame of the adapter's own files: what a library raises is shown
    where the adapter called the library.

    Args:
        error: what was raised.
        framework: whose adapter ran.

    Returns:
        Such as `mine.py:41 in advance: ValueError: shapes do not match`. Without a frame of the
        adapter (its signature is wrong, or its class cannot be made) there is no place. Of a
        missing module also what to do.
    """
    message = " ".join(str(error).split())[:CHARACTERS_AT_MOST]
    described = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        beside = f"it is not installed, and {framework.folder} has no file of that name"
        described += f"; {advice_on_import(error, framework) or beside}"
    place = _place(error, framework)
    return f"{place}: {described}" if place else described


def _place(error: BaseException, framework: "Framework") -> str:
    """File, line and function in the adapter; empty where no frame is of the adapter."""
    own = {file.resolve() for file in framework.files}
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() in own:
        return f"{_shown(error.filename, framework)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve() in own:
            within = "" if frame.name == "<module>" else f" in {frame.name}"
            return f"{_shown(frame.filename, framework)}:{frame.lineno}{within}"
    return ""


def _shown(filename: str, framework: "Framework") -> str:
    """A file's path, seen from the folder of the adapter."""
    path, folder = Path(filename).resolve(), framework.folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def advice_on_import(error: ModuleNotFoundError, framework: "Framework") -> str | None:
    """Return the command that installs a missing module, where samestep knows the package.

    A module is known if an entered adapter requires a package of that name. Nothing else is
    advised, because a package index may have any stranger's package of that name.
    """
    from harness.registry import installed

    name = (error.name or "").partition(".")[0]
    if framework.distribution and (framework.missing or name in _modules(framework.requirements)):
        return framework.install_line
    for entered in installed().values():
        if entered.distribution and name in _modules(entered.requirements):
            return entered.install_line
    return None


def _modules(requirements: tuple[str, ...]) -> set[str]:
    """The module names that packages usually have: those of the packages."""
    return {requirement.replace("-", "_") for requirement in requirements}
