"""The user's cache folder: fetched data, verdicts, limits of this machine, the page's library."""

import os
from pathlib import Path

from platformdirs import user_cache_dir


def cache_folder() -> Path:
    """Return the folder that `SAMESTEP_CACHE` names, else the user's own; it may not exist yet."""
    return Path(os.environ.get("SAMESTEP_CACHE") or user_cache_dir("samestep"))
