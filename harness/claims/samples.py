"""What a trial says about a claim's numbers: small enough to be committed, enough to judge by.

A sample is a row, the values that the claim's numbers ask for, and which test rows were right.
Verdicts are made from samples alone, so they can be made again anywhere, without training.
"""

import base64
import dataclasses
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from harness.claims.model import Claim, Number
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Purpose
from harness.parity.judgement import PROVEN
from harness.results import Row, clean, write_atomically
from harness.trainer import Array

FILE = "samples.jsonl"
SCHEMA = 1
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Row)}
"""Columns that have these are left out of a line."""
OF_TIMES = {
    "step_us_low", "step_us_high", "wait_fraction", "steal_fraction", "other_cpus",
    "frequency_mhz", "probe_us", "allocator",
}  # fmt: skip
"""Left out too: claims run side by side, so these say nothing."""


@dataclass(frozen=True)
class Sample:
    """One trial of a claim.

    Args:
        claim, variant: what it belongs to; variant "" is the protocol itself.
        proof: verdict of the proof of its cell; "" in the native track, or where there is none.
        tested: rows of the test set.
        values: by `Number.key`; one number, the vector of `outputs`, or one per seed.
        right: which test rows were right at seed 0, see `packed`; "" elsewhere.
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
        """Whether a verdict may rest on it: it ran, and computes what the harness prescribes."""
        proven = self.row.track == "native" or self.proof in PROVEN
        return self.row.status == "ok" and proven

    def right_rows(self) -> NDArray[np.bool_] | None:
        """Which test rows were right, bool (tested,)."""
        if not self.right:
            return None
        packed = np.frombuffer(zlib.decompress(base64.b85decode(self.right)), np.uint8)
        return np.unpackbits(packed, count=self.tested).astype(bool)


SAMPLE = TypeAdapter(Sample)


def sample(
    claim: Claim, variant: str, experiment: Experiment, row: Row, arrays: Mapping[str, Array],
    proof: str,
) -> Sample:  # fmt: skip
    """What a finished trial says about the claim."""
    values = {}
    right = ""
    if row.status == "ok":
        asked = {number.key: number for number in claim.numbers}
        for key, number in asked.items():
            found = _values(number, experiment, row, arrays)
            if found is not None and np.isfinite(found).all():
                values[key] = found
        if "test_right" in arrays and row.seed == 0:  # the seed that frameworks are compared on
            right = packed(arrays["test_right"])
    return Sample(
        claim=claim.id,
        variant=variant,
        proof=proof,
        tested=experiment.data.rows[2],
        values=values,
        right=right,
        row=row,
    )


def packed(right: Array) -> str:
    """bool (rows,) as bits, deflated (most are right), in base 85."""
    return base64.b85encode(zlib.compress(np.packbits(right.astype(bool)).tobytes(), 9)).decode()


def _values(
    number: Number, experiment: Experiment, row: Row, arrays: Mapping[str, Array]
) -> list[float] | None:
    """The number's metric in this trial; None where the trial does not tell."""
    metric = number.metric
    if row.purpose == Purpose.MANY_STARTS:  # nothing else is left; a diverged start counts as 0
        told = {"test_accuracy": "seed_accuracy", "test_loss": "seed_loss"}
        found = arrays.get(told.get(metric, "")) if number.at == "last" else None
        if found is None:
            return None
        return [float(v) for v in (np.nan_to_num(found) if metric == "test_accuracy" else found)]
    if metric == "outputs":
        outputs = arrays.get("test_outputs")
        return None if outputs is None else [float(value) for value in np.ravel(outputs)]
    if metric == "epochs":
        steps = row.steps
        return None if steps is None else [float(math.ceil(steps / experiment.steps_per_epoch))]
    if metric in ("step_loss", "loss_ratio"):
        return _of_steps(number, arrays.get("loss"))
    if metric.endswith("_error"):
        accuracy = _at(metric.removesuffix("_error") + "_accuracy", number.at, row, arrays)
        return None if accuracy is None else [1 - accuracy]
    found_at = _at(metric, number.at, row, arrays)
    return None if found_at is None else [found_at]


def _of_steps(number: Number, losses: Array | None) -> list[float] | None:
    """From the losses of the steps, each before its update; step n is counted from 0."""
    if losses is None or not len(losses):
        return None
    if number.metric == "loss_ratio":
        return [float(losses[-1] / losses[0])]
    place = -1 if number.at == "last" else number.at
    if not isinstance(place, int) or place >= len(losses):
        return None
    return [float(losses[place])]


def _at(metric: str, at: str | int, row: Row, arrays: Mapping[str, Array]) -> float | None:
    """A score at the end, at a step, or where it or the validation accuracy was best."""
    if at == "last":
        last = getattr(row, metric)
        return None if last is None else float(last)
    if at == "best_validation" and f"best_{metric}" in arrays:
        return float(arrays[f"best_{metric}"])
    curve = arrays.get(metric)
    if curve is None or not len(curve):
        return None
    if at == "best_validation":
        best = arrays.get("validation_accuracy")
        return None if best is None else float(curve[int(np.argmax(best))])
    if isinstance(at, str):
        return float(curve.max() if at == "highest" else curve.min())
    (places,) = np.nonzero(arrays["step"] == at)
    return float(curve[places[0]]) if len(places) else None


# ---------------------------------------------------------------- in and out


def to_line(told: Sample) -> str:
    """One sample as a line of JSON, without what says how well its times were measured."""
    values = dataclasses.asdict(told)
    row = {
        column: value
        for column, value in values.pop("row").items()
        if value != DEFAULTS[column] and column not in OF_TIMES
    }
    line = clean({"schema": SCHEMA, **values, "row": row})
    return json.dumps(line, allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Sample:
    """Read a line back.

    Raises:
        ValueError: it is no sample of this version.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        if values.pop("schema") != SCHEMA:
            raise ValueError(f"not schema {SCHEMA}")
        return SAMPLE.validate_python(values)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a sample of this version ({error!r})") from error


def read(folder: Path) -> list[Sample]:
    """The samples a folder keeps; none where it has no such file.

    Raises:
        ValueError: a line is no sample; the message names it.
        OSError: the file cannot be read.
    """
    file = folder / FILE
    if not file.exists():
        return []
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(from_line(line))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from error
    return found


def merged(before: Iterable[Sample], now: Iterable[Sample]) -> list[Sample]:
    """All of them; of two of the same trial the later. A failed one never replaces a good one."""
    found: dict[str, Sample] = {told.row.trial: told for told in before}
    for told in now:
        kept = found.get(told.row.trial)
        if kept is None or told.row.status == "ok" or kept.row.status != "ok":
            found[told.row.trial] = told
    return sorted(found.values(), key=lambda t: (t.claim, t.variant, t.row.framework, t.row.seed))


def write(folder: Path, told: Sequence[Sample]) -> Path:
    """Write all samples of a folder, atomically."""
    file = folder / FILE
    write_atomically(file, "".join(to_line(one) + "\n" for one in told).encode())
    return file
