"""The user's cache folder: fetched data, verdicts, limits of this machine, the page's library."""

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir


def cache_folder() -> Path:
    """Return the folder that `SAMESTEP_CACHE` names, else the user's own; it may not exist yet.

    A user without a home has one among the temporary files.
    """
    return Path(os.environ.get("SAMESTEP_CACHE") or _own_folder())


def _own_folder() -> str:
    try:
        folder = user_cache_dir("samestep")
    except RuntimeError:  # newer versions of platformdirs, where there is no home
        folder = "~"
    if folder.startswith("~"):
        folder = str(Path(tempfile.gettempdir()) / f"samestep-{os.getuid()}")
    return folder
