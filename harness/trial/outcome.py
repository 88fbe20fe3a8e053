"""What a trial leaves, and how it may end."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.clock.environment import machine_label
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Status
from harness.plan import Trial
from harness.results import PROTOCOL, SCHEMA, MeasuredColumns, Row
from harness.trainer import Array
from harness.trial.early_stopping import Restored


class Unsupported(Exception):  # noqa: N818 (an outcome, not a fault)
    """The adapter cannot follow the protocol; the message says why."""


class Diverged(Exception):  # noqa: N818
    """Loss or outputs are no longer finite; the message says since when."""


class GivenChanged(Exception):  # noqa: N818
    """The adapter wrote into what it was given; the message says into what."""


@dataclass
class Outcome:
    """What a trial has left so far.

    Args:
        columns: of its row.
        arrays: stored beside the row.
        not_counted_s: seconds spent on what is no phase of the trial: its limit, its clock.
        restored: the network of the best validation, where its parameters are restored.
    """

    columns: MeasuredColumns = field(default_factory=MeasuredColumns)
    arrays: dict[str, Array] = field(default_factory=dict)
    not_counted_s: float = 0.0
    restored: Restored | None = None


def blank_row(
    trial: Trial,
    run: str,
    version: str,
    experiment: Experiment,
    status: Status,
    detail: str | None,
) -> Row:
    """Return the row of a trial that measured nothing.

    Args:
        trial: what was planned.
        run: the plan's digest.
        version: of the framework.
        experiment: the trial's protocol.
        status: how the trial ended.
        detail: why, in words.
    """
    own_file = experiment.data.contents
    return Row(
        schema=SCHEMA,
        protocol=PROTOCOL,
        run=run,
        trial=trial.id,
        purpose=trial.purpose,
        experiment=trial.experiment,
        experiment_digest=experiment.digest,
        framework=trial.framework,
        framework_version=version,
        loop=trial.loop,
        track=trial.track,
        seed=trial.seed,
        repeat=trial.repeat_column,
        device=trial.device,
        dtype=trial.dtype,
        precision=None,
        threads=trial.threads,
        status=status,
        status_detail=detail,
        machine=machine_label(),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        data_file=f"{experiment.data.name} sha256:{own_file.sha256}" if own_file else None,
        classes=json.dumps(own_file.classes, ensure_ascii=False) if own_file else None,
    )
