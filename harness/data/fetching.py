"""Fetching MNIST and Fashion-MNIST into the user's cache: once, verified, atomically.

The cache holds the four decoded IDX files of each dataset. Their SHA-256 is verified whenever
they are read, so a flipped bit is never trained on. A dataset whose rows come from another
dataset is fetched by fetching that one. A file of the user's is never downloaded; `kaggle` has
the only one.
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
    """A dataset is not on this machine, or could not be fetched; the message says why."""


def folder(dataset: str) -> Path:
    """Return the folder of the dataset's files inside the cache; it may not exist yet."""
    return cache_folder() / stored(dataset)


def stored(dataset: str) -> str:
    """Return the dataset that has the files: the dataset itself, or the one it is made from."""
    return DATASETS[dataset].made_from or dataset


def files(dataset: str, where: Path) -> dict[str, Path]:
    """Return the verified files by the name of their part, such as `train images`.

    Args:
        dataset: a name of a dataset that is fetched.
        where: the folder of the files.

    Raises:
        DataMissingError: a file is missing, or is not the published file.
    """
    dataset = stored(dataset)
    if DATASETS[dataset].own_file:
        try:
            return kaggle.files(where)
        except DataRouteError as error:
            raise DataMissingError(f"{dataset}: {error}") from error
    paths = {part: where / name for part, name in MEMBERS.items()}
    for part, path in paths.items():
        try:
            sha256 = _sha256(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataMissingError(
                f"{dataset}: {path} is missing; fetch it with 'samestep data fetch {dataset}'"
            ) from error
        except OSError as error:
            raise DataMissingError(
                f"{dataset}: {path} cannot be read ({error.strerror or error}); make it readable, "
                "or set SAMESTEP_CACHE to another folder"
            ) from error
        if sha256 != SHA256[dataset][part]:
            raise DataMissingError(
                f"{dataset}: {path} is not the published file: SHA-256 {sha256}, expected "
                f"{SHA256[dataset][part]}; 'samestep data fetch {dataset}' replaces it"
            )
    return paths


def fetch(dataset: str, directory: Path | None = None) -> str:
    """Put the verified files into the cache, unless they are there.

    Args:
        dataset: the name of a dataset that is fetched, such as `mnist`.
        directory: the only folder to take the files from (`kaggle-digits`: the folder of
            train.csv, or the file). Without it, the folder that the environment variable
            `SAMESTEP_DATA` names comes first, and all routes follow.

    Returns:
        The source of the files in words; `already there` if nothing was fetched.

    Raises:
        DataMissingError: no route worked; the message has each route and its reason.
    """
    dataset = stored(dataset)
    where = folder(dataset)
    if _is_complete(dataset, where):
        return "already there"
    try:
        where.mkdir(parents=True, exist_ok=True)
        with _locked(where.with_suffix(".lock")):
            if _is_complete(dataset, where):
                return "already there (another process fetched it)"
            for leftover in where.glob("fetching-*"):  # of a process that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            if DATASETS[dataset].own_file:
                return _fetch_own_file(dataset, where, directory)
            return _fetch_by_first_route(dataset, where, directory)
    except OSError as error:
        raise DataMissingError(
            f"{dataset}: the cache {where} cannot be written ({error.strerror or error}); "
            "set SAMESTEP_CACHE to a folder that can be written"
        ) from error


def _fetch_by_first_route(dataset: str, where: Path, directory: Path | None) -> str:
    """Fetch by the first route that works, and return its name."""
    user_folder = directory or _folder_of_environment()
    candidates = [folder_route(user_folder)] if user_folder else []
    if directory is None:
        candidates += routes(dataset)
    failures = []
    for name, route in candidates:
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


def _folder_of_environment() -> Path | None:
    folder_name = os.environ.get("SAMESTEP_DATA")
    return Path(folder_name) if folder_name else None


def _fetch_own_file(dataset: str, where: Path, directory: Path | None) -> str:
    """Check the form of the user's file and store its arrays; return where the file is."""
    source = directory or _folder_of_environment()
    if source is None:
        raise DataMissingError(f"{dataset}: cannot be downloaded; {kaggle.WHAT_TO_DO}")
    try:
        with tempfile.TemporaryDirectory(dir=where, prefix="fetching-") as scratch:
            kaggle.install(source, where, Path(scratch))
    except DataRouteError as error:
        raise DataMissingError(f"{dataset}: {error}; {kaggle.WHAT_TO_DO}") from error
    return f"{source} (checked for its form only: no SHA-256 of it is known)"


def _install(dataset: str, contents: Mapping[str, bytes], where: Path, scratch: Path) -> None:
    """Verify all four files, then move them in; no unverified file ever has its final name."""
    for part in MEMBERS:
        sha256 = hashlib.sha256(contents[part]).hexdigest()
        if sha256 != SHA256[dataset][part]:
            raise DataRouteError(f"{part}: SHA-256 {sha256}, expected {SHA256[dataset][part]}")
    for part, name in MEMBERS.items():
        (scratch / name).write_bytes(contents[part])
        (scratch / name).replace(where / name)


def _is_complete(dataset: str, where: Path) -> bool:
    try:
        files(dataset, where)
    except (DataMissingError, OSError):
        return False
    return True


def _sha256(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would block; a link to a file is fine
        raise OSError(0, "is no file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Let one process fetch while others wait; the lock is released when its process ends."""
    try:
        import fcntl
    except ImportError:  # Windows: both may fetch; each file is still replaced at once
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
