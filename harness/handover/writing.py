"""Writes the folder that any program can be proven with."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from harness import data
from harness.experiment.model import Experiment
from harness.experiment.network import Dropout, Network
from harness.handover.folder import Handover, HandoverError, digest_of, is_exported, read
from harness.handover.layout import (
    ANSWER,
    ARCHIVE,
    INPUTS,
    MARKER,
    MASKS,
    PAGE,
    RATES,
    ROWS,
    SIZES,
    START,
    TARGETS,
    TO_PREDICT,
)
from harness.handover.page import Page
from harness.parameters import named_arrays
from harness.parity.trace import PREDICTED_ROWS
from harness.results import write_atomically
from harness.start import BatchPlan, initial_parameters
from harness.trainer import Array, Batches, unpacked

TEXT_NUMBERS_AT_MOST = 100_000
"""Larger arrays are written as `.npy` alone."""
MASK_NUMBERS_AT_MOST = 500_000_000
"""A byte each: more are no folder to hand to anybody."""
INPUT_NUMBERS_AT_MOST = 4_000_000
"""Of larger inputs, only the rows are written that the batches need."""


def write(folder: Path, experiment: Experiment, seed: int, dtype: str) -> list[str]:
    """Write a protocol into a folder, and return the names of the files.

    Args:
        folder: empty, not there yet, or exported before.
        experiment: as `protocol_of_steps` returns it.
        seed: of the start and the batches.
        dtype: `float32` or `float64`, where the protocol states none.

    Raises:
        HandoverError: the folder is another one's, or has an answer to another export.
        harness.data.fetching.DataMissingError: the dataset has to be fetched first.
        OSError: the folder cannot be written.
    """
    dtype = str(experiment.dtype or dtype)
    _check_free(folder, Handover(experiment, seed, dtype, {}))
    arrays, rows = _arrays(experiment, seed, dtype)
    contents = {f"{name}.npy": _as_npy(array) for name, array in arrays.items()}
    texts = [name for name, array in arrays.items() if array.size <= TEXT_NUMBERS_AT_MOST]
    contents |= {f"{name}.csv": _as_text(arrays[name]) for name in texts}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    handover = Handover(experiment, seed, dtype, digests)
    contents[PAGE] = str(Page(handover, arrays, frozenset(texts), rows)).encode()
    contents[MARKER] = handover.to_json().encode()  # last: a folder with it is whole
    if is_exported(folder):
        _remove_old(folder, contents)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    (folder / ANSWER).mkdir(exist_ok=True)
    return list(contents)


def _check_free(folder: Path, handover: Handover) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise HandoverError(f"{folder}: is a file; name a folder")
    if not any(folder.iterdir()):
        return
    if not is_exported(folder):
        raise HandoverError(
            f"{folder}: has files in it, and not those of an export; name an empty or a new folder"
        )
    before = _earlier(folder)
    answered = (folder / ARCHIVE).exists() or any((folder / ANSWER).glob("*"))
    if answered and not (before and before.is_of(handover)):
        raise HandoverError(
            f"{folder}: has an answer to another export ({before or 'damaged'}); name another "
            f"folder, or remove {ANSWER} and {ARCHIVE}"
        )


def _earlier(folder: Path) -> Handover | None:
    """Return what the folder was exported from; None where that cannot be read any more."""
    try:
        return read(folder)
    except HandoverError:
        return None


def _remove_old(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Remove files of an earlier export that the new one does not have, as far as unchanged."""
    before = _earlier(folder)
    for name, digest in before.files.items() if before else ():
        if name not in contents and digest == digest_of(folder, name):
            (folder / name).unlink()


def _arrays(experiment: Experiment, seed: int, dtype: str) -> tuple[dict[str, Array], int]:
    """Return all arrays by name, and how many training rows the data has."""
    prepared = data.load(experiment.data, experiment.loss, dtype)
    train = prepared.train
    arrays: dict[str, Array] = {}
    if experiment.training is not None:
        batches = BatchPlan.of(experiment, seed).segment(0, experiment.steps)
        kept, rows = _kept_rows(batches, *train.inputs.shape)
        arrays[INPUTS] = train.inputs if kept is None else train.inputs[kept]
        if train.targets is not None:
            arrays[TARGETS] = train.targets if kept is None else train.targets[kept]
        if rows is not None:
            arrays[ROWS], arrays[SIZES] = rows, batches.sizes
        arrays[RATES] = batches.learning_rates
        arrays |= _masks(batches, experiment.network)
    for layer, name, values in named_arrays(initial_parameters(experiment, seed, dtype)):
        arrays[f"{START}/{name}_{layer + 1}"] = values
    arrays[TO_PREDICT] = prepared.test.inputs[:PREDICTED_ROWS]
    return arrays, len(train)


def _masks(batches: Batches, network: Network) -> dict[str, Array]:
    """Return (steps, rows, width) of every dropout layer: 1 where a number is kept, else 0.

    Raises:
        HandoverError: there are too many of them.
    """
    count = sum(8 * masks.size for masks in batches.masks)
    if count > MASK_NUMBERS_AT_MOST:
        raise HandoverError(
            f"dropout: the masks of {len(batches):,} steps are {count:,} numbers, at most "
            f"{MASK_NUMBERS_AT_MOST:,} are written; take fewer steps"
        )
    numbers = [n for n, layer in enumerate(network.layers, 1) if isinstance(layer, Dropout)]
    return {
        f"{MASKS}_{number}": unpacked(masks, width)
        for number, masks, width in zip(numbers, batches.masks, network.dropout_widths, strict=True)
    }


def _kept_rows(batches: Batches, rows: int, columns: int) -> tuple[Array | None, Array | None]:
    """Return which rows are written, None for all, and the batches in numbers of these.

    The first rows of the data are among them, as many as the steps take, so that a program which
    takes the rows in their own order takes the same rows as it would of all.
    """
    if batches.rows is None or rows * columns <= INPUT_NUMBERS_AT_MOST:
        return None, batches.rows
    first = np.arange(min(rows, batches.rows.size), dtype=np.int32)
    kept = np.union1d(first, batches.rows)
    return kept, np.searchsorted(kept, batches.rows).astype(np.int32)


def _as_npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _as_text(array: Array) -> bytes:
    """A row on each line. The shortest decimals that give the same numbers back."""
    lines = (",".join(map(repr, np.atleast_1d(row).tolist())) for row in array)
    return "".join(f"{line}\n" for line in lines).encode()
