"""Rows, curves and outputs on disk: one JSON file per trial, written atomically.

The folder of a run holds `plan.json`, `trials/<trial>.json` (the row), `trials/<trial>.npz`
(curves and end-of-trial outputs, never pickled), `proofs/` (verdicts), `limits/`, `logs/`, and
while a cluster computes `cluster/`.
One process writes a row last, after its arrays, so a row that exists is whole.
"""

import contextlib
import dataclasses
import json
import math
import re
import secrets
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from harness import stored_arrays
from harness.clock.conditions import Conditions
from harness.experiment.vocabulary import Dtype, Purpose, Status, Track
from harness.private import values_without_user
from harness.trainer import Array
from harness.untrusted import NotAPlainFileError, check_plain, parse_json, read_plain

SCHEMA = 1
"""Version of the row's columns."""
PROTOCOL = 1
"""Version of how a trial is drawn, run and timed; a change makes older rows incomparable."""

WHOLE_PARAMETERS_BELOW = 5_000
"""A larger network leaves histograms of its parameters, not the parameters."""
HISTOGRAM_BINS = 64
ROW_BYTES_AT_MOST = 2**20


@dataclass(frozen=True)
class Row:
    """One trial. The columns are public; times in seconds or microseconds, memory in MiB.

    `import_s` and `peak_rss_mb` are null where the process had run another trial before.
    `first_step_s` is the first `advance`, one real step (trace, compile, autotune); `train_s`
    all later ones; `step_us` the median over segments of the time of a step in them, between
    `step_us_low` and `step_us_high`, the quartiles. `predict_s` is predicting
    the test set, not for the first time. In the native track `loop` is the estimator's label,
    `train_s` its whole fit, and `steps` its iterations.

    `contradiction`: what in this very trial its proof cannot be true of, such as outputs that are
    not those of its parameters; null where nothing is.

    `recompile_s`: how much of `train_s` segments of a new length seem to have compiled again; null
    where nothing points at that.

    `restored_step`: the step whose parameters are scored in place of the last ones, because early
    stopping restores those of the best validation; null where the last ones are scored.

    `data_file`: name and SHA-256 of the user's file that the data is from; null for a dataset.
    `classes`: the names of that file's classes in their order, as a JSON list.

    `absent_classes`: part of the rows to the classes that none of its rows has, as a JSON object
    such as `{"training": ["2"]}`; null where every part has every class.

    `command`: what was run, where a command of the user's is compared; null for an adapter. Nothing
    of it is timed: `stated_train_s` is the training time that its program states, by its own clock.

    `node` tells the machines of a run on a cluster apart; null where one machine ran it.

    `target_s` is the training time (first step included) at the first evaluation point whose
    test accuracy reaches the protocol's target. `gemm_us`: the step's matrix products alone.
    What went on meanwhile: see `harness.clock.conditions.Conditions`. `attempt` counts reruns of
    a trial that was disturbed. For the purpose `many seeds`, `repeat` is the number of starts.
    """

    schema: int
    protocol: int
    run: str
    trial: str
    purpose: Purpose
    experiment: str
    experiment_digest: str
    framework: str
    framework_version: str
    loop: str
    track: Track
    seed: int
    repeat: int
    device: str
    dtype: Dtype
    precision: str | None
    threads: int
    status: Status
    status_detail: str | None = None
    import_s: float | None = None
    build_s: float | None = None
    first_step_s: float | None = None
    train_s: float | None = None
    predict_s: float | None = None
    total_s: float | None = None
    steps: int | None = None
    samples: int | None = None
    step_us: float | None = None
    step_us_low: float | None = None
    step_us_high: float | None = None
    target_s: float | None = None
    peak_rss_mb: float | None = None
    gpu_peak_mb: float | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    data_digest: str | None = None
    start_digest: str | None = None
    machine: str | None = None
    blas: str | None = None
    started_at: str | None = None
    gemm_us: float | None = None
    wait_fraction: float | None = None
    steal_fraction: float | None = None
    other_cpus: float | None = None
    frequency_mhz: float | None = None
    probe_us: float | None = None
    allocator: str | None = None
    attempt: int = 1
    contradiction: str | None = None
    recompile_s: float | None = None
    data_file: str | None = None
    classes: str | None = None
    absent_classes: str | None = None
    restored_step: int | None = None
    command: str | None = None
    stated_train_s: float | None = None
    idle_fraction: float | None = None
    node: str | None = None

    @property
    def failed(self) -> bool:
        """Whether this row makes the command exit with 1."""
        return Status(self.status).failed


@dataclass(slots=True)
class MeasuredColumns:
    """The columns of a row that a trial fills as it goes on; None is what was not measured.

    Slots: to set a name that is no column raises AttributeError, so none is lost by a misspelling.
    What each column holds says `Row`.
    """

    device: str | None = None
    precision: str | None = None
    blas: str | None = None
    framework_version: str | None = None
    allocator: str | None = None
    data_digest: str | None = None
    start_digest: str | None = None
    status_detail: str | None = None
    import_s: float | None = None
    build_s: float | None = None
    first_step_s: float | None = None
    train_s: float | None = None
    predict_s: float | None = None
    total_s: float | None = None
    steps: int | None = None
    samples: int | None = None
    step_us: float | None = None
    step_us_low: float | None = None
    step_us_high: float | None = None
    target_s: float | None = None
    gemm_us: float | None = None
    peak_rss_mb: float | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    wait_fraction: float | None = None
    steal_fraction: float | None = None
    other_cpus: float | None = None
    frequency_mhz: float | None = None
    probe_us: float | None = None
    idle_fraction: float | None = None
    contradiction: str | None = None
    recompile_s: float | None = None
    absent_classes: str | None = None
    restored_step: int | None = None
    stated_train_s: float | None = None

    def set(self, **columns: Any) -> None:
        """Set several columns.

        Raises:
            AttributeError: one of them is no measured column.
        """
        for name, value in columns.items():
            setattr(self, name, value)

    def forget_times(self) -> None:
        """Blank what says nothing where several trials ran at once."""
        self.set(**dict.fromkeys(TIMES))

    def set_conditions(self, conditions: Conditions) -> None:
        """Set the columns that say what else went on."""
        self.set(**dataclasses.asdict(conditions))

    def measured(self) -> dict[str, Any]:
        """Return the columns that were measured, by name."""
        return {
            name: value for name, value in dataclasses.asdict(self).items() if value is not None
        }


CONDITIONS = tuple(field.name for field in dataclasses.fields(Conditions))
TIMES = (
    *(name for name in MeasuredColumns.__slots__ if name.endswith("_s")),
    *(name for name in MeasuredColumns.__slots__ if "_us" in name),
    *CONDITIONS,
)
"""Columns that say how long something took, and what went on meanwhile."""
ROW = TypeAdapter(Row)
COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


class BadRowError(ValueError):
    """A file that should hold a row does not."""


def to_json(row: Row) -> str:
    """Return one row as JSON, without the user's home and name.

    A number that is not finite becomes null (JSON has no NaN).
    """
    values = clean(values_without_user(dataclasses.asdict(row)))
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> Row:
    """Read one row back.

    Raises:
        BadRowError: the text is not JSON, not a row, or a row of another schema.
    """
    try:
        values = parse_json(text)
    except ValueError as error:
        raise BadRowError(f"not JSON ({error})") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        schema = values.get("schema") if isinstance(values, dict) else None
        raise BadRowError(f"schema {schema!r}; this version reads {SCHEMA}")
    try:
        return ROW.validate_python({name: values[name] for name in COLUMNS if name in values})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadRowError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def clean(value: Any) -> Any:
    """Return the same value, with None for every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


class RunFolder:
    """The folder of one run. Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan_file = path / "plan.json"
        self.trials = path / "trials"
        self.proofs = path / "proofs"
        self.limits = path / "limits"
        self.logs = path / "logs"
        self.data = path / "data"
        self.cluster = path / "cluster"
        self.parts = (
            self.trials, self.proofs, self.limits, self.logs, self.data, self.cluster
        )  # fmt: skip

    def rows(self, trials: Iterable[str] | None = None, set_bad_aside: bool = False) -> list[Row]:
        """Return the whole rows of the given trials (default: all), in that order.

        A file that is not a row is passed over. With `set_bad_aside` such a file is renamed to
        `<name>.bad`, so that its trial can be run again.
        """
        names = trials if trials is not None else sorted(p.stem for p in self.trials.glob("*.json"))
        return self._read(self.trials, names, set_bad_aside)

    def limit_rows(self, trials: Iterable[str]) -> list[Row]:
        """Return the rows of frameworks that only timed their matrix products (`gemm_us`).

        In a folder that was merged a trial has a row of every machine: in `<trial>.json` and in
        `<trial>@<number>.json`.
        """
        wanted = set(trials)
        files = sorted(self.limits.glob("*.json"))
        names = [file.stem for file in files if file.stem.partition("@")[0] in wanted]
        return self._read(self.limits, names, set_bad_aside=False)

    def _read(self, folder: Path, names: Iterable[str], set_bad_aside: bool) -> list[Row]:
        rows = []
        for name in names:
            file = folder / f"{name}.json"
            try:
                row = from_json(read_plain(file, ROW_BYTES_AT_MOST))
                if row.trial != name.partition("@")[0]:
                    raise BadRowError(f"holds trial {row.trial!r}")
            except FileNotFoundError:
                continue
            except (ValueError, NotAPlainFileError):
                if set_bad_aside:
                    file.replace(file.with_suffix(".json.bad"))
                continue
            rows.append(row)
        return rows

    def arrays(self, trial: str, at_most: int = stored_arrays.BYTES_AT_MOST) -> dict[str, Array]:
        """Return curves and outputs of a trial; {} where there are none that can be read.

        Args:
            trial: its id.
            at_most: how many bytes they may have, unpacked.
        """
        try:
            return stored_arrays.read_arrays(self.trials / f"{trial}.npz", at_most)
        except (OSError, stored_arrays.DamagedArraysError):
            return {}

    def write_row(self, row: Row) -> None:
        """Write one row, as a whole or not at all."""
        write_atomically(self.trials / f"{row.trial}.json", to_json(row).encode())

    def remove(self, trials: Iterable[str]) -> None:
        """Forget trials, so that they are run again."""
        for trial in trials:
            for suffix in (".json", ".npz"):
                (self.trials / f"{trial}{suffix}").unlink(missing_ok=True)


def histogram(values: Array) -> tuple[Array, Array]:
    """Return counts (bins,) and edges (bins + 1,) of finite values, at most 1e300 large.

    Values that differ by less than bins can tell apart get bins around them.
    """
    values = np.clip(np.asarray(values, np.float64), -1e300, 1e300)
    try:
        counts, edges = np.histogram(values, HISTOGRAM_BINS)
    except ValueError:  # too close together for their size
        reach = 1e-6 * np.abs(values).max()
        bounds = values.min() - reach, values.max() + reach
        counts, edges = np.histogram(values, HISTOGRAM_BINS, bounds)
    return counts, edges


def write_arrays(file: Path, arrays: Mapping[str, Array]) -> None:
    """Write a `.npz` atomically."""
    with tempfile.SpooledTemporaryFile(max_size=2**28) as buffer:
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        buffer.seek(0)
        write_atomically(file, buffer.read())


LEFTOVER = re.compile(r"\..+\.[0-9a-z_]{8}")
"""Names of the temporary files of `write_atomically`, and of earlier versions."""


def write_atomically(file: Path, content: bytes) -> None:
    """Write to a temporary file beside `file`, then rename: never half a file.

    The file gets the permissions that the umask leaves. A link that stands there is replaced, not
    followed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.parent / f".{file.name}.{secrets.token_hex(4)}"
    try:
        with temporary.open("xb") as opened:
            opened.write(content)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path, older_than_s: float = 0.0) -> None:
    """Remove the temporary files of a process that was killed while it wrote.

    Args:
        folder: that others may write to as well, if `older_than_s` is more than they take.
        older_than_s: how old a file must be.
    """
    before = time.time() - older_than_s
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            if LEFTOVER.fullmatch(file.name) and file.lstat().st_mtime <= before:
                check_plain(file)
                file.unlink(missing_ok=True)
