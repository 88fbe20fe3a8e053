"""The rows of a user's file, kept in a run's folder: parsed once, the same for every worker.

Workers find the folder by an environment variable. They need neither the file nor pandas.
"""

import os
import secrets
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.data.fetching import DataMissingError
from harness.experiment.data import Data
from harness.experiment.digests import digest_of
from harness.tables import TableError
from harness.untrusted import open_plain

FOLDER_VARIABLE = "SAMESTEP_RUN_DATA"
"""Environment variable of workers: the folder in which `store` left rows."""

Rows = tuple[NDArray[np.generic], NDArray[np.generic] | None]
"""(inputs, targets); targets are None where there are none."""


def read(data: Data) -> Rows:
    """Return the rows of a file, from the run's folder in a worker and else from the file.

    Raises:
        DataMissingError: the file is not there any more, or has changed.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    stored = Path(folder) / _file_name(data) if folder else None
    if stored is not None:
        try:
            with open_plain(stored) as file, np.load(file, allow_pickle=False) as arrays:
                return arrays["inputs"], arrays.get("targets")
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile):
            pass  # no copy, or a damaged one: the file itself is read, and its digest compared
    try:
        selected = data.selection()
    except TableError as error:
        raise DataMissingError(str(error)) from error
    return selected.inputs, selected.targets


def store(data: Data, folder: Path) -> None:
    """Leave the rows of a file in a folder, as a whole or not at all, unless they are there.

    Raises:
        DataMissingError: the file is not there any more, or has changed.
        OSError: the folder cannot be written.
    """
    target = folder / _file_name(data)
    if target.is_file() and not target.is_symlink():
        return
    inputs, targets = read(data)
    arrays = {"inputs": inputs} if targets is None else {"inputs": inputs, "targets": targets}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{target.name}.{secrets.token_hex(4)}"  # swept if it is left over
    try:
        with temporary.open("xb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _file_name(data: Data) -> str:
    """Return a name for everything that decides the rows: the file and what is asked of it."""
    digest = digest_of([data.found.model_dump(mode="json"), data.targets])
    return f"{digest}.npz"
