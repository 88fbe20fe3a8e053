"""What a program handed back: found by name, read, and refused where it cannot be compared."""

import io
import itertools
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.names import nearest
from harness.experiment.network import WeightedLayer
from harness.handover import arrays
from harness.handover.arrays import Found
from harness.handover.folder import HandoverError
from harness.handover.layout import (
    ANSWER,
    ARCHIVE,
    GRADIENTS,
    IN_ONE_NAME,
    LOSSES,
    OUTPUTS,
    OUTPUTS_AFTER,
    PAGE,
    PARAMETERS,
    TENSOR,
    TRAIN_S,
    folder_of_step,
    steps_asked_for,
    tensors,
)
from harness.parity.answer import PartialAnswer
from harness.parity.trace import predicted_rows
from harness.trainer import Array, DenseParameters, LayerParameters, NoParameters
from harness.untrusted import open_plain

FILES_AT_MOST = 10_000


@dataclass(frozen=True)
class Answer:
    """What was handed back.

    Args:
        parts: all that can be judged.
        remarks: files that were not read, and why.
        stated_train_s: seconds of training, as the program says; None where it does not.
    """

    parts: PartialAnswer
    remarks: tuple[str, ...] = ()
    stated_train_s: float | None = None


def read(folder: Path, experiment: Experiment) -> Answer:
    """Read what lies in `answer/` and in `answer.npz`.

    Args:
        folder: that was exported.
        experiment: its protocol.

    Raises:
        HandoverError: a file cannot be used, or there is none; the message has the file, the
            place in it, the rule and what to write.
    """
    reader = _Reader(experiment)
    try:
        for name, path in _files(folder / ANSWER):
            reader.add_file(name, path)
        if (folder / ARCHIVE).exists():
            reader.add_archive(ARCHIVE, folder / ARCHIVE)
        return Answer(reader.answer(), tuple(reader.remarks), reader.stated_train_s)
    except OSError as error:
        place = error.filename or folder / ANSWER
        raise HandoverError(f"{place}: cannot be read ({error.strerror or error})") from error
    except HandoverError as error:  # its place is that in the folder
        raise HandoverError(f"{folder}/{error}") from error


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) of the files in a folder and in the folders in it, but hidden ones."""
    if not folder.is_dir():
        return
    found = itertools.islice(itertools.chain(folder.glob("*"), folder.glob("*/*")), FILES_AT_MOST)
    for path in sorted(found):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith((".", "__")) for part in name.split("/")):
            yield name, path


@dataclass
class _Reader:
    """Collects arrays by their names.

    Args:
        experiment: the protocol.
        found: name to place and array.
        remarks: what was not read.
        stated_train_s: seconds of training, as the program says.
    """

    experiment: Experiment
    found: dict[str, tuple[str, Any]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    stated_train_s: float | None = None

    def __post_init__(self) -> None:
        self._tensors = {tensor.name: tensor for tensor in tensors(self.experiment)}

    def add_file(self, name: str, path: Path) -> None:
        """Read a file of `answer/`, if it is one that is asked for."""
        place = f"{ANSWER}/{name if name.isprintable() else ascii(name)}"
        suffix = PurePosixPath(name).suffix
        stem = IN_ONE_NAME.sub(r"\1/\3", name.removesuffix(suffix))
        if suffix.lower() == ".npz" and "/" not in name:
            self.add_archive(place, path)
        elif suffix.lower() not in arrays.SUFFIXES:
            self.remarks.append(f"{place}: not read; arrays are in .npy, .csv or .txt files")
        elif self._is_asked_for(stem, place):
            content = self._content(place, path, self._count(stem))
            self._add(stem, place, content, is_text=suffix.lower() != ".npy")

    def add_archive(self, place: str, path: Path) -> None:
        """Read the arrays of a `.npz` file that are asked for."""
        per_step = sum(self._count(f"{GRADIENTS}/{name}") for name in self._tensors)
        all_steps = 2 * self._count(LOSSES) + 2 * self._count(OUTPUTS)
        all_steps += (self.experiment.steps + 2) * per_step
        content = self._content(place, path, all_steps)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist()[:FILES_AT_MOST]:
                    self._add_member(place, archive, member)
        # zipfile raises NotImplementedError for an unknown compression, RuntimeError for a password
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise HandoverError(f"{place}: not a whole .npz archive ({error})") from error
        except RuntimeError as error:
            raise HandoverError(f"{place}: cannot be unpacked ({error})") from error

    def _add_member(self, place: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        name = member.filename.removesuffix(".npy")
        stem, where = IN_ONE_NAME.sub(r"\1/\3", name), f"{place}, array {name!r}"
        if not self._is_asked_for(stem, where):
            return
        largest = arrays.largest_bytes(self._count(stem))
        if member.file_size > largest:
            raise HandoverError(_too_large(where, member.file_size, self._count(stem)))
        with archive.open(member) as opened:
            self._add(stem, where, opened.read(largest), is_text=False)

    def _content(self, place: str, path: Path, count: int) -> bytes:
        """The bytes of a file that is to hold so many numbers."""
        largest = arrays.largest_bytes(count)
        with open_plain(path.resolve()) as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            raise HandoverError(_too_large(place, path.stat().st_size, count))
        return content

    # ------------------------------------------------------------ names

    def _is_asked_for(self, stem: str, place: str) -> bool:
        """Whether a name is; if not, a remark says so."""
        steps = self.experiment.steps
        if stem == OUTPUTS or (steps and stem in (LOSSES, OUTPUTS_AFTER, TRAIN_S)):
            return True
        folder, _, name = stem.rpartition("/")
        step = PARAMETERS.fullmatch(folder)
        if (step or (steps and folder == GRADIENTS)) and TENSOR.fullmatch(name):
            if name not in self._tensors:
                known = ", ".join(self._tensors)
                raise HandoverError(f"{place}: the network has no {name}. It has {known}")
            if step and int(step[1]) > steps:
                raise HandoverError(
                    f"{place}: the step must be 0 to {steps}, the last one that was exported"
                )
            return True
        self.remarks.append(f"{place}: not read; this is no name of a part.{self._meant(stem)}")
        return False

    def _meant(self, stem: str) -> str:
        folders = [GRADIENTS, *map(folder_of_step, steps_asked_for(self.experiment))]
        names = [f"{folder}/{name}" for folder in folders for name in self._tensors]
        return nearest(stem, [LOSSES, OUTPUTS, OUTPUTS_AFTER, *names])

    # ------------------------------------------------------------ arrays

    def _count(self, stem: str) -> int:
        """How many numbers are expected, at most."""
        if stem == LOSSES:
            return 2 * self.experiment.steps  # with the number of each step
        if stem == TRAIN_S:
            return 1
        return int(np.prod(self._shape(stem)))

    def _shape(self, stem: str) -> tuple[int, ...]:
        if stem in (OUTPUTS, OUTPUTS_AFTER):
            return len(predicted_rows(self.experiment)), self.experiment.network.outputs
        return self._tensors[stem.rpartition("/")[2]].shape

    def _add(self, stem: str, place: str, content: bytes, is_text: bool) -> None:
        if stem in self.found:
            raise HandoverError(f"{place}: is in {self.found[stem][0]} too; remove one")
        read = arrays.parse(place, content, is_text)
        if stem == TRAIN_S:
            self.stated_train_s = _seconds(place, read.values)
            return
        if stem == LOSSES:
            self.found[stem] = place, _losses(place, read, self.experiment.steps)
            return
        is_weights = stem.rpartition("/")[2].startswith("weights")
        self.found[stem] = place, _fitted(place, read.values, self._shape(stem), is_weights)

    # ------------------------------------------------------------ all

    def answer(self) -> PartialAnswer:
        """Return all that was read."""
        if not self.found:
            nothing = (
                f"{ANSWER}: nothing was handed back. {PAGE} beside it says what to write; "
                f"{LOSSES}.csv alone is a beginning"
            )
            raise HandoverError("\n".join([nothing, *self.remarks]))
        values = {name: array for name, (_, array) in self.found.items()}
        folders = dict.fromkeys(name.rpartition("/")[0] for name in values)
        steps = [int(step[1]) for folder in folders if (step := PARAMETERS.fullmatch(folder))]
        return PartialAnswer(
            losses=values.get(LOSSES),
            outputs_before=values.get(OUTPUTS),
            gradients=self._pairs(GRADIENTS) if GRADIENTS in folders else None,
            parameters={step: self._pairs(folder_of_step(step)) for step in sorted(steps)} or None,
            outputs_after=values.get(OUTPUTS_AFTER),
        )

    def _pairs(self, folder: str) -> list[LayerParameters]:
        missing = [name for name in self._tensors if f"{folder}/{name}" not in self.found]
        if missing:
            raise HandoverError(
                f"{ANSWER}/{folder}: must have every tensor of the network, or none. Missing: "
                f"{', '.join(missing)}"
            )
        parameters: list[LayerParameters] = []
        for number, layer in enumerate(self.experiment.network.layers, start=1):
            if not isinstance(layer, WeightedLayer):
                parameters.append(NoParameters())
                continue
            biases = self.found[f"{folder}/biases_{number}"][1] if layer.bias else None
            weights = self.found[f"{folder}/weights_{number}"][1]
            parameters.append(DenseParameters(weights, biases))
        return parameters


def _too_large(place: str, size: int, count: int) -> str:
    return f"{place}: has {size:,} bytes, too many for the {count:,} numbers that are expected"


def _fitted(place: str, values: Array, shape: tuple[int, ...], is_weights: bool) -> Array:
    """The array in the shape that is expected, if only axes of length 1 part the two."""
    if values.shape == shape:
        return values
    is_flat = values.ndim < 2 or len(shape) == 1
    if is_flat and [n for n in values.shape if n != 1] == [n for n in shape if n != 1]:
        return values.reshape(shape)
    if is_weights and values.shape == shape[::-1]:
        raise HandoverError(
            f"{place}: must have shape {shape}, (inputs, outputs). Got {values.shape}, which is "
            "(outputs, inputs), as PyTorch's Linear has its weight; write the transposed array, W.T"
        )
    raise HandoverError(f"{place}: must have shape {shape}. Got {values.shape}")


def _seconds(place: str, values: Array) -> float:
    """The one number of `train_s`."""
    seconds = float(values.ravel()[0]) if values.size == 1 else math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        got = f"shape {values.shape}" if values.size != 1 else f"{seconds:g}"
        raise HandoverError(
            f"{place}: must be one number above 0, the seconds that training took. Got {got}"
        )
    return seconds


def _losses(place: str, found: Found, steps: int) -> Array | Mapping[int, float]:
    """One column of losses, or of a text a column of steps and one of losses."""
    values = found.values
    if found.lines and values.shape[1] == 2 and len(values) > 1:
        return _losses_by_step(place, found, steps)
    flat: Array = values.ravel()
    if max(values.shape, default=1) != flat.size:
        raise HandoverError(
            f"{place}: must have {steps} numbers, the loss of every step. Got shape {values.shape}"
        )
    if len(flat) > steps:
        raise HandoverError(
            f"{place}: must have {steps} numbers, the loss of every step before its update. Got "
            f"{len(flat)}; leave out what is computed after the last update"
        )
    return flat


def _losses_by_step(place: str, found: Found, steps: int) -> Mapping[int, float]:
    """Step, counted from 1, to loss; the text may count its steps from 0."""
    numbers = found.values[:, 0]
    first = 0 if numbers[0] == 0 else 1
    losses: dict[int, float] = {}
    for line, number, loss in zip(found.lines, numbers, found.values[:, 1], strict=True):
        step = float(number) - first + 1
        if not step.is_integer() or not 1 <= step <= steps or int(step) in losses:
            raise HandoverError(
                f"{place}, line {line}: must begin with the number of a step, {first} to "
                f"{steps - 1 + first}, each once. Got {number:g}"
            )
        losses[int(step)] = float(loss)
    return losses
