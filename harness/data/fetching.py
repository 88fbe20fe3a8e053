"""Bringing MNIST and Fashion-MNIST to this machine: once, verified, atomically.

The user cache holds the four decoded IDX files of each dataset. They are verified by SHA-256
whenever they are read, so a flipped bit is found and never trained on. A dataset that is made
from another one is fetched by fetching that; one that is the user's own file is never
downloaded (`harness.data.kaggle`).
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.cache import cache_folder
from harness.data import kaggle
from harness.data.sources import MEMBERS, SHA256, DataRouteError, folder_route, routes
from harness.experiment.datasets import DATASETS


class DataMissingError(RuntimeError):
    """A dataset is not on this machine and could not be brought here."""


def folder(dataset: str) -> Path:
    """The folder of one dataset inside the cache, or of the one that it is made from."""
    return cache_folder() / stored(dataset)


def stored(dataset: str) -> str:
    """The dataset whose files are kept: the one itself, or the one that it is made from."""
    return DATASETS[dataset].made_from or dataset


def files(dataset: str, where: Path) -> dict[str, Path]:
    """Part name to verified file.

    Raises:
        DataMissingError: a file is not there, or not the published one.
    """
    dataset = stored(dataset)
    if DATASETS[dataset].own_file:
        try:
            return kaggle.files(where)
        except DataRouteError as error:
            raise DataMissingError(f"{dataset}: {error}") from error
    paths = {part: where / name for part, name in MEMBERS.items()}
    for part, path in paths.items():
        if not path.exists():
            raise DataMissingError(
                f"{dataset}: {path} is missing; fetch it with 'samestep data fetch {dataset}'"
            )
        found = _sha256(path)
        if found != SHA256[dataset][part]:
            raise DataMissingError(
                f"{dataset}: {path} is not the published file: SHA-256 {found}, expected "
                f"{SHA256[dataset][part]}; 'samestep data fetch {dataset}' replaces it"
            )
    return paths


def fetch(dataset: str, directory: Path | None = None) -> str:
    """Make sure the verified files are in the cache.

    Args:
        dataset: one that is fetched, such as `mnist`.
        directory: take them from this folder and nowhere else (`kaggle-digits`: the folder of
            train.csv, or the file). Without it, the folder that `SAMESTEP_DATA` names is looked
            into first.

    Returns:
        Where they came from, in words; `already there` if nothing had to be done.

    Raises:
        DataMissingError: no route worked; the message has each route and its reason.
    """
    dataset = stored(dataset)
    where = folder(dataset)
    if _are_there(dataset, where):
        return "already there"
    try:
        where.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(where.with_suffix(".lock")):
            if _are_there(dataset, where):
                return "already there (another process fetched it)"
            for left in where.glob("fetching-*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            if DATASETS[dataset].own_file:
                return _own_file(dataset, where, directory)
            return _by_the_first_route(dataset, where, directory)
    except OSError as error:
        raise DataMissingError(
            f"{dataset}: the cache {where} cannot be written ({error.strerror or error}); "
            "set SAMESTEP_CACHE to a folder that can"
        ) from error


def _by_the_first_route(dataset: str, where: Path, directory: Path | None) -> str:
    named = os.environ.get("SAMESTEP_DATA")
    if directory is not None:
        tried = [folder_route(directory)]
    else:
        tried = [folder_route(Path(named))] if named else []
        tried += routes(dataset)
    failures = []
    for name, route in tried:
        try:
            with tempfile.TemporaryDirectory(dir=where, prefix="fetching-") as scratch:
                _install(dataset, route(Path(scratch)), where, Path(scratch))
            return name
        except DataRouteError as error:
            failures.append(f"  {name}: {error}")
    raise DataMissingError(
        "\n".join(
            [
                f"{dataset}: no route worked",
                *failures,
                f"  Put the four files ({', '.join(MEMBERS.values())}, gzipped or not) into a "
                f"folder and run 'samestep data fetch {dataset} --from FOLDER'",
            ]
        )
    )


def _own_file(dataset: str, where: Path, directory: Path | None) -> str:
    """Check the user's file and keep it; no SHA-256 of it is known, and the answer says so."""
    named = os.environ.get("SAMESTEP_DATA")
    source = directory or (Path(named) if named else None)
    if source is None:
        raise DataMissingError(f"{dataset}: cannot be downloaded; {kaggle.WHAT_TO_DO}")
    try:
        with tempfile.TemporaryDirectory(dir=where, prefix="fetching-") as scratch:
            kaggle.install(source, where, Path(scratch))
    except DataRouteError as error:
        raise DataMissingError(f"{dataset}: {error}; {kaggle.WHAT_TO_DO}") from error
    return f"{source} (checked for its form only: no SHA-256 of it is known)"


def _install(dataset: str, contents: Mapping[str, bytes], where: Path, scratch: Path) -> None:
    """Verify all four, then move them in; nothing unverified ever has a final name."""
    for part in MEMBERS:
        found = hashlib.sha256(contents[part]).hexdigest()
        if found != SHA256[dataset][part]:
            raise DataRouteError(f"{part}: SHA-256 {found}, expected {SHA256[dataset][part]}")
    for part, name in MEMBERS.items():
        (scratch / name).write_bytes(contents[part])
        (scratch / name).replace(where / name)


def _are_there(dataset: str, where: Path) -> bool:
    try:
        files(dataset, where)
    except (DataMissingError, OSError):
        return False
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Let one process fetch while others wait; the lock goes with its process."""
    try:
        import fcntl
    except ImportError:  # Windows: both may fetch; os.replace keeps the result whole
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
