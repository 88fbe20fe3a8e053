"""What a folder was exported from: a protocol, a seed, a precision, and a digest of every file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.experiment.loading import LARGEST_FILE_BYTES, ProtocolError, parse
from harness.experiment.model import Experiment
from harness.experiment.proof_length import proof_of
from harness.experiment.training import Length
from harness.experiment.vocabulary import Dtype
from harness.handover.layout import MARKER
from harness.plan import FILES
from harness.private import paths_without, without_home

SCHEMA = 1


class HandoverError(ValueError):
    """A folder, or a file in it, cannot be used; the message says where, why and what to do."""


@dataclass(frozen=True)
class Handover:
    """What is handed to a program.

    Args:
        experiment: the protocol, of as many steps as are handed over, with its numbers exactly as
            they are written.
        seed: of the start and the batches.
        dtype: `float32` or `float64`.
        files: SHA-256 of every file written, by its name in the folder.
    """

    experiment: Experiment
    seed: int
    dtype: str
    files: Mapping[str, str]

    def to_json(self) -> str:
        """Return the content of `protocol.json`, with `~` for the user's home."""
        experiment = self.experiment.model_dump(mode="json", exclude_none=True)
        values = {
            "samestep": __version__,
            "schema": SCHEMA,
            "experiment": paths_without(experiment, FILES, without_home),
            "digest": self.experiment.digest,
            "seed": self.seed,
            "steps": self.experiment.steps,
            "dtype": self.dtype,
            "files": self.files,
        }
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    def is_of(self, other: "Handover") -> bool:
        """Whether both hand over the same computation."""
        mine = (self.experiment.digest, self.experiment.steps, self.seed, self.dtype)
        return mine == (other.experiment.digest, other.experiment.steps, other.seed, other.dtype)

    def __str__(self) -> str:
        return (
            f"{self.experiment.name}, seed {self.seed}, {self.experiment.steps} steps, {self.dtype}"
        )


def protocol_of_steps(experiment: Experiment, steps: int) -> Experiment:
    """Return the protocol at the length of a proof, of at most so many steps.

    It has no native solvers and no early stopping. Its numbers are those that are written, not
    rounded to float32 as adapters receive them: a program may contain them as they are written.
    """
    if experiment.training is not None:
        experiment = experiment.of_length(Length(steps=min(steps, experiment.steps)))
    return proof_of(experiment).model_copy(update={"constants": "exact"})


def is_exported(folder: Path) -> bool:
    """Whether a folder has the file that `samestep export` marks its folders with."""
    return (folder / MARKER).is_file()


def read(folder: Path) -> Handover:
    """Read what a folder was exported from.

    Raises:
        HandoverError: it is no exported folder, or its `protocol.json` was changed.
    """
    file = folder / MARKER
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise HandoverError(f"{file}: larger than {LARGEST_FILE_BYTES:,} bytes; export again")
        values = json.loads(file.read_bytes().decode("utf-8"))
        return _handover(values, file)
    except FileNotFoundError as error:
        raise HandoverError(
            f"{folder}: has no {MARKER}, so it is no folder that `samestep export` wrote"
        ) from error
    except OSError as error:
        raise HandoverError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise HandoverError(f"{file}: not valid JSON ({error}); export again") from error


def _handover(values: Any, file: Path) -> Handover:
    advice = "samestep writes this file, and nobody edits it: export again"
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        found = values.get("schema") if isinstance(values, dict) else None
        raise HandoverError(f"{file}: `schema` must be {SCHEMA}. Got {found!r}; {advice}")
    kinds = {"experiment": dict, "digest": str, "seed": int, "dtype": str, "files": dict}
    for name, kind in kinds.items():
        if type(values.get(name)) is not kind:
            raise HandoverError(f"{file}: `{name}` is missing or no {kind.__name__}; {advice}")
    try:
        experiment = parse(values["experiment"], str(file))
    except ProtocolError as error:
        raise HandoverError(f"{error}\n{advice}") from error
    if experiment.digest != values["digest"] or experiment.steps != values.get("steps"):
        raise HandoverError(f"{file}: the experiment in it was changed; {advice}")
    if values["dtype"] not in [*Dtype] or not 0 <= values["seed"] < 2**63:
        raise HandoverError(f"{file}: `dtype` or `seed` was changed; {advice}")
    files = {str(name): str(digest) for name, digest in values["files"].items()}
    return Handover(experiment, values["seed"], values["dtype"], files)


def changed_files(folder: Path, handover: Handover) -> list[str]:
    """Return the files that are no longer as they were exported, by name; missing ones too."""
    return [name for name, digest in handover.files.items() if digest_of(folder, name) != digest]


def digest_of(folder: Path, name: str) -> str:
    """SHA-256 of a file of the folder; "" where it cannot be read or is not in the folder."""
    path = Path(name)
    if ".." in path.parts or path.is_absolute() or not (folder / path).is_file():
        return ""
    try:
        with (folder / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
