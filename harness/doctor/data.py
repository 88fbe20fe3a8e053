"""Facts about fetched datasets and the folder they are stored in."""

import contextlib
import os
import shutil
from pathlib import Path

from harness.data import fetching
from harness.data.sources import MEMBERS
from harness.doctor.facts import Cache, Dataset, DatasetState
from harness.doctor.machine import GIB


def read_dataset(name: str) -> Dataset:
    """Return whether a dataset's files are here, and whether their SHA-256 is right."""
    folder = fetching.folder(name)
    try:
        fetching.files(name, folder)
    except (fetching.DataMissingError, OSError) as error:
        if not any((folder / file).exists() for file in MEMBERS.values()):
            return Dataset(name, DatasetState.ABSENT)
        what = str(error).removeprefix(f"{name}: ").partition(";")[0].partition(": SHA-256")[0]
        return Dataset(name, DatasetState.DAMAGED, " ".join(what.split()))
    return Dataset(name, DatasetState.VERIFIED)


def read_cache(folder: Path) -> Cache:
    """Return the free space at a folder, and whether it can be written.

    Where the folder does not exist yet, this is said of the nearest parent that exists.
    """
    existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    free_gib = None
    with contextlib.suppress(OSError):
        free_gib = shutil.disk_usage(existing).free / GIB
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    return Cache(str(folder), free_gib, writable)
