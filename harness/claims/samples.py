"""Samples: what one trial says about a claim's numbers, and the file that stores it.

A sample is a row, the values of the claim's numbers, and which test rows were right. It is small
enough to be committed. Verdicts need samples only, so they can be repeated without training.
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

from harness.claims.model import Claim
from harness.claims.number import Number
from harness.claims.start_scores import score_at_start
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Purpose, Status, Track
from harness.parity.judgement import PROVEN
from harness.results import Row, clean, write_atomically
from harness.trainer import Array

FILE = "samples.jsonl"
SCHEMA = 1
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Row)}
"""A column that has this value is left out of a line."""
TIMING_COLUMNS = {
    "step_us_low",
    "step_us_high",
    "wait_fraction",
    "steal_fraction",
    "other_cpus",
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
        """Return which test rows were right, bool (tested,); None where this is not stored."""
        if not self.right:
            return None
        bits = np.frombuffer(zlib.decompress(base64.b85decode(self.right)), np.uint8)
        return np.unpackbits(bits, count=self.tested).astype(bool)


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
            measured = _values(number, experiment, row, arrays)
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


def _values(
    number: Number, experiment: Experiment, row: Row, arrays: Mapping[str, Array]
) -> list[float] | None:
    """Return the number's metric in this trial; None where the trial does not have it."""
    metric = number.metric
    if row.purpose == Purpose.MANY_STARTS:
        return _of_many_starts(number, arrays)
    if metric == "outputs":
        outputs = arrays.get("test_outputs")
        return None if outputs is None else [float(value) for value in np.ravel(outputs)]
    if metric == "epochs":
        steps = row.steps
        return None if steps is None else [float(math.ceil(steps / experiment.steps_per_epoch))]
    if metric in ("step_loss", "loss_ratio"):
        return _of_steps(number, arrays.get("loss"))
    if metric == "epoch_loss":
        return _of_an_epoch(number, experiment, row, arrays.get("loss"))
    if metric == "solver_loss":
        return _of_iterations(number, arrays.get("solver_loss"))
    if metric.endswith("_error"):
        at = {"highest": "lowest", "lowest": "highest"}.get(str(number.at), number.at)
        accuracy = _at(metric.removesuffix("_error") + "_accuracy", at, experiment, row, arrays)
        return None if accuracy is None else [1 - accuracy]
    score = _at(metric, number.at, experiment, row, arrays)
    return None if score is None else [score]


def _of_many_starts(number: Number, arrays: Mapping[str, Array]) -> list[float] | None:
    """Return a value per start; a diverged start has accuracy 0."""
    stored = {"test_accuracy": "seed_accuracy", "test_loss": "seed_loss"}  # nothing else is
    scores = arrays.get(stored.get(number.metric, "")) if number.at == "last" else None
    if scores is None:
        return None
    if number.metric == "test_accuracy":
        scores = np.nan_to_num(scores)
    return [float(score) for score in scores]


def _of_steps(number: Number, losses: Array | None) -> list[float] | None:
    """Return a metric of the steps' losses, each before its update; steps count from 0."""
    if losses is None or not len(losses):
        return None
    if number.metric == "loss_ratio":
        return [float(losses[-1] / losses[0])]
    step = -1 if number.at == "last" else number.at
    if not isinstance(step, int) or step >= len(losses):
        return None
    return [float(losses[step])]


def _of_an_epoch(
    number: Number, experiment: Experiment, row: Row, losses: Array | None
) -> list[float] | None:
    """Return the mean of the losses of an epoch's batches, each before its update.

    Every batch counts alike, as in scripts that add up batch losses and divide by the batches. A
    last epoch that training left early is not whole, so it does not count.
    """
    size = experiment.steps_per_epoch
    if losses is None or len(losses) < size or (row.steps or 0) > len(losses):
        return None
    whole = np.asarray(losses[: len(losses) // size * size], np.float64).reshape(-1, size)
    return _of_iterations(number, whole.mean(axis=1))


def _of_iterations(number: Number, losses: Array | None) -> list[float] | None:
    """Return one of the losses of epochs or of a solver's iterations, which count from 1."""
    if losses is None or not len(losses):
        return None
    if isinstance(number.at, int):
        return [float(losses[number.at - 1])] if 1 <= number.at <= len(losses) else None
    places = {"last": -1, "highest": int(np.argmax(losses)), "lowest": int(np.argmin(losses))}
    return [float(losses[places[number.at]])] if number.at in places else None


def _at(
    metric: str, at: str | int, experiment: Experiment, row: Row, arrays: Mapping[str, Array]
) -> float | None:
    """Return a score at the end, at a step, or where it or the validation accuracy was best."""
    if at == 0:
        return score_at_start(experiment, row, metric)
    if at == "last":
        last = getattr(row, metric)
        return None if last is None else float(last)
    if at == "best_validation" and f"best_{metric}" in arrays:
        return float(arrays[f"best_{metric}"])
    curve = arrays.get(metric)
    if curve is None or not len(curve):
        return None
    if at == "best_validation":
        validation = arrays.get("validation_accuracy")
        return None if validation is None else float(curve[int(np.argmax(validation))])
    if isinstance(at, str):
        return float(curve.max() if at == "highest" else curve.min())
    (points,) = np.nonzero(arrays["step"] == at)
    return float(curve[points[0]]) if len(points) else None


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
        values: dict[str, Any] = json.loads(line)
        if values.pop("schema") != SCHEMA:
            raise ValueError(f"not schema {SCHEMA}")
        return SAMPLE.validate_python(values)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
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
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
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
