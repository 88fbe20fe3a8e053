"""Samples: what one trial says about a claim's numbers, and the file that stores it.

A sample is a row, the values of the claim's numbers, and which test rows were right. It is small
enough to be committed. Verdicts need samples only, so they can be repeated without training.
"""

import base64
import dataclasses
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from harness.claims.metrics import values_of
from harness.claims.model import Claim
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Status, Track
from harness.parity.judgement import PROVEN
from harness.results import Row, clean, write_atomically
from harness.trainer import Array
from harness.untrusted import parse_json, read_plain

FILE = "samples.jsonl"
SCHEMA = 1
BYTES_AT_MOST = 2**28
ROWS_AT_MOST = 10**8
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Row)}
"""A column that has this value is left out of a line."""
TIMING_COLUMNS = {
    "step_us_low",
    "step_us_high",
    "wait_fraction",
    "steal_fraction",
    "other_cpus",
    "idle_fraction",
    "frequency_mhz",
    "probe_us",
    "allocator",
}
"""Columns that are left out too: trials of claims run at the same time, so these mean nothing."""


@dataclass(frozen=True)
class Sample:
    """One trial of a claim.

    Args:
        claim: id of its claim.
        variant: name of its variant; "" is the protocol itself.
        proof: verdict of the proof of its cell; "" in the native track, or where there is none.
        tested: how many rows the test set has.
        values: by `Number.key`; one number, the vector of `outputs`, or one per seed.
        right: which test rows were right at seed 0, see `pack`; "" at other seeds.
        row: all columns.
    """

    claim: str
    variant: str
    proof: str
    tested: int
    values: dict[str, list[float]]
    right: str
    row: Row

    @property
    def counts(self) -> bool:
        """Whether a verdict may use this sample: it ran, and its framework is proven."""
        proven = self.row.track == Track.NATIVE or self.proof in PROVEN
        return self.row.status == Status.OK and proven

    def right_rows(self) -> NDArray[np.bool_] | None:
        """Return which test rows were right, bool (tested,); None where that is not stored."""
        if not self.right or not 0 <= self.tested <= ROWS_AT_MOST:
            return None
        try:
            packed, at_most = base64.b85decode(self.right), -(-self.tested // 8)
            bits = zlib.decompressobj().decompress(packed, max(at_most, 1))
        except (ValueError, zlib.error):
            return None
        if len(bits) < at_most:
            return None
        return np.unpackbits(np.frombuffer(bits, np.uint8), count=self.tested).astype(bool)


SAMPLE = TypeAdapter(Sample)


def make_sample(
    claim: Claim,
    variant: str,
    experiment: Experiment,
    row: Row,
    arrays: Mapping[str, Array],
    proof: str,
) -> Sample:
    """Return what a finished trial says about the claim."""
    values = {}
    right = ""
    if row.status == Status.OK:
        numbers = {number.key: number for number in claim.numbers}
        for key, number in numbers.items():
            measured = values_of(number, experiment, row, arrays)
            if measured is not None and np.isfinite(measured).all():
                values[key] = measured
        if "test_right" in arrays and row.seed == 0:  # the seed that frameworks are compared on
            right = pack(arrays["test_right"])
    return Sample(
        claim=claim.id,
        variant=variant,
        proof=proof,
        tested=experiment.data.rows[2],
        values=values,
        right=right,
        row=row,
    )


def pack(right: Array) -> str:
    """Return bool (rows,) as bits, deflated (most are right), in base 85."""
    return base64.b85encode(zlib.compress(np.packbits(right.astype(bool)).tobytes(), 9)).decode()


# ---------------------------------------------------------------- in and out


def to_line(sample: Sample) -> str:
    """Return a sample as a line of JSON, without defaults and without timing columns."""
    values = dataclasses.asdict(sample)
    row = {
        column: value
        for column, value in values.pop("row").items()
        if value != DEFAULTS[column] and column not in TIMING_COLUMNS
    }
    line = clean({"schema": SCHEMA, **values, "row": row})
    return json.dumps(line, allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Sample:
    """Read a line back.

    Raises:
        ValueError: the line is not a sample of this version.
    """
    try:
        values: dict[str, Any] = parse_json(line)
        if values.pop("schema") != SCHEMA:
            raise ValueError(f"not schema {SCHEMA}")
        return SAMPLE.validate_python(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a sample of this version ({error!r})") from error


def read(folder: Path) -> list[Sample]:
    """Return the samples that a folder holds; none where it has no such file.

    Raises:
        ValueError: a line is not a sample; the message names the line.
        OSError: the file cannot be read.
    """
    file = folder / FILE
    if not file.exists():
        return []
    samples = []
    for number, line in enumerate(read_plain(file, BYTES_AT_MOST).decode().splitlines(), 1):
        try:
            samples.append(from_line(line))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from error
    return samples


def merge(before: Iterable[Sample], now: Iterable[Sample]) -> list[Sample]:
    """Return one sample per trial: the later one, unless only the earlier one ran well."""
    by_trial = {sample.row.trial: sample for sample in before}
    for sample in now:
        earlier = by_trial.get(sample.row.trial)
        is_ok = sample.row.status == Status.OK
        if earlier is None or is_ok or earlier.row.status != Status.OK:
            by_trial[sample.row.trial] = sample
    return sorted(
        by_trial.values(), key=lambda s: (s.claim, s.variant, s.row.framework, s.row.seed)
    )


def write(folder: Path, samples: Sequence[Sample]) -> Path:
    """Write all samples of a folder, atomically."""
    file = folder / FILE
    write_atomically(file, "".join(to_line(sample) + "\n" for sample in samples).encode())
    return file
