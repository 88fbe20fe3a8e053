"""Kaggle's digit-recognizer train.csv, which each user has to download.

Kaggle's rules do not let anyone pass the file on, and no SHA-256 of the file is published. So
only its form is checked: the header, 42,000 rows, labels 0 to 9 in plausible numbers, pixels 0
to 255. The file may lie in Kaggle's own archive. The cache has its arrays, because reading a CSV
of 77 MB takes seconds.
"""

import contextlib
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.sources import DataRouteError, arrays_of
from harness.experiment.text_files import EncodingError, text_of

ROWS, PIXELS, CLASSES = 42_000, 784, 10
HEADER = ",".join(["label", *(f"pixel{index}" for index in range(PIXELS))])
CLASS_ROWS = (3_500, 5_000)
"""Fewest and most rows of a class. MNIST's shares, 9.0 to 11.2 %, give 3,780 to 4,704 rows."""
LARGEST_FILE_BYTES = 256 * 2**20
MEMBER = "train.npz"
CSV = "train.csv"
NAMES = (CSV, "train.csv.gz", "train.csv.zip", "digit-recognizer.zip", "train.zip")
"""What the file may be called in a folder that the user names, the first first."""
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
"""How archives begin: a name may lie."""
WHAT_TO_DO = (
    "download train.csv from https://www.kaggle.com/competitions/digit-recognizer/data, then "
    "'samestep data fetch kaggle-digits --from FOLDER_OR_FILE'; or use the dataset mnist-42000, "
    "a stand-in"
)

Bytes = NDArray[np.uint8]


def files(where: Path) -> dict[str, Path]:
    """Return the file of the cache by the name of its part, `train`.

    Raises:
        DataRouteError: the file is missing, or does not have the right form.
    """
    path = where / MEMBER
    if not path.exists():
        raise DataRouteError(f"{path} is missing; {WHAT_TO_DO}")
    read(path)
    return {"train": path}


def read(path: Path) -> tuple[Bytes, Bytes]:
    """Return (inputs (42000, 784), labels (42000,)) of the file in the cache.

    Raises:
        DataRouteError: the file does not have the right form.
    """
    try:
        arrays = arrays_of(path, ("inputs", "labels"))
    except DataRouteError as error:
        raise DataRouteError(f"{error}; {WHAT_TO_DO}") from error
    inputs, labels = arrays["inputs"], arrays["labels"]
    are_bytes = inputs.dtype == labels.dtype == np.uint8
    if not are_bytes or inputs.ndim != 2 or labels.shape != inputs.shape[:1]:
        raise DataRouteError(f"{path}: must have inputs and labels, both bytes; {WHAT_TO_DO}")
    _check(np.column_stack([labels, inputs]), path)
    return inputs, labels


def install(source: Path, where: Path, scratch: Path) -> None:
    """Check the user's CSV and store its arrays in the cache.

    Args:
        source: the file (train.csv, a .gz of it, or a .zip with it), or the folder of one.
        where: the dataset's folder in the cache.
        scratch: an empty folder on the same disk.

    Raises:
        DataRouteError: there is no such file, or it does not have the right form.
    """
    path = _in_folder(source) if source.is_dir() else source
    table = _read_csv(path)
    _check(table, path)
    table = table.astype(np.uint8)
    np.savez_compressed(scratch / MEMBER, inputs=table[:, 1:], labels=table[:, 0])
    (scratch / MEMBER).replace(where / MEMBER)


def _in_folder(folder: Path) -> Path:
    """The file in a folder: the first of `NAMES` that is there, or else train.csv."""
    there = [folder / name for name in NAMES if (folder / name).is_file()]
    return there[0] if there else folder / CSV


def _read_csv(path: Path) -> NDArray[Any]:
    try:
        text = text_of(_unpacked(path))
    except EncodingError as error:
        raise DataRouteError(f"{path}: {error}") from error
    header, _, rows = text.partition("\n")
    if header.replace('"', "").strip() != HEADER:
        raise DataRouteError(
            f"{path}: the first line must be label,pixel0,...,pixel783. Got {header[:40]!r}"
        )
    try:
        return np.loadtxt(io.StringIO(rows), dtype=np.int16, delimiter=",", ndmin=2)
    except ValueError as error:  # a field that is not a whole number
        raise DataRouteError(f"{path}: not a table of whole numbers ({error})") from error


def _unpacked(path: Path) -> bytes:
    """The bytes of the CSV, which may be packed."""
    try:
        with _opened(path) as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, RuntimeError, zlib.error) as error:
        raise DataRouteError(f"{path}: a damaged or locked archive ({error})") from error
    except OSError as error:
        raise DataRouteError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise DataRouteError(f"{path}: larger than {LARGEST_FILE_BYTES:,} bytes")
    return content


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or train.csv in it if it is an archive, whatever its name ends in."""
    with path.open("rb") as file:
        beginning = file.read(len(ZIP))
        file.seek(0)
        if beginning.startswith(GZIP):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield io.BufferedReader(unpacked)
        elif beginning == ZIP:
            with zipfile.ZipFile(file) as archive, archive.open(_member(archive, path)) as unpacked:
                yield unpacked
        else:
            yield file


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    """The name of train.csv in an archive, in whatever folder of it."""
    names = archive.namelist()
    found = [name for name in names if name.rpartition("/")[2].lower() == CSV]
    if not found:
        there = ", ".join(names[:5])
        raise DataRouteError(f"{path}: must have a file {CSV}. It has {there or 'no file'}")
    return found[0]


def _check(table: NDArray[Any], path: Path) -> None:
    """Check shape, values and class sizes; labels are in the first column."""
    if table.shape != (ROWS, PIXELS + 1):
        raise DataRouteError(
            f"{path}: must have shape {(ROWS, PIXELS + 1)}, label and pixels. Got {table.shape}"
        )
    labels, pixels = table[:, 0], table[:, 1:]
    for name, values, largest in (("labels", labels, CLASSES - 1), ("pixels", pixels, 255)):
        if values.min() < 0 or values.max() > largest:
            raise DataRouteError(
                f"{path}: {name} must be 0 to {largest}. Got {values.min()} to {values.max()}"
            )
    counts = np.bincount(labels, minlength=CLASSES)
    if counts.min() < CLASS_ROWS[0] or counts.max() > CLASS_ROWS[1]:
        raise DataRouteError(
            f"{path}: every class must have {CLASS_ROWS[0]:,} to {CLASS_ROWS[1]:,} rows. "
            f"Got {counts.tolist()}"
        )
