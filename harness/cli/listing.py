"""What `samestep list` shows."""

import json
from typing import Any

from rich import box
from rich.table import Table

from harness.claims.loading import ledger
from harness.experiment.datasets import DATASETS, DatasetFacts
from harness.experiment.loading import catalogue_names, load
from harness.registry import BROKEN, installed
from harness.report.terminal import plain

Records = list[dict[str, Any]]


def experiments() -> Records:
    """The catalogue."""
    records = []
    for name in catalogue_names():
        experiment = load(name)
        quick = experiment.quick
        length = experiment.training.length if experiment.training else None
        records.append(
            {
                "name": name,
                "network": str(experiment.network),
                "dataset": experiment.data.dataset,
                "length": str(length) if length else "none",
                "quick": "-"
                if quick and not quick.part
                else str(quick.length)
                if quick and quick.length
                else "same",
                "title": experiment.title,
            }
        )
    return records


def frameworks() -> Records:
    """Every adapter that is entered, installed or not."""
    records: Records = [
        {
            "name": framework.name,
            "track": framework.track,
            "loops": ", ".join(framework.loops) or "-",
            "version": framework.version or "missing",
            "install": framework.install_line if framework.missing else "",
        }
        for track in ("identical", "native")
        for framework in installed(track).values()
    ]
    blank = dict.fromkeys(("track", "loops", "install"), "")
    records += [
        {"name": name, **blank, "version": f"broken: {reason}"} for name, reason in BROKEN.items()
    ]
    return records


def datasets() -> Records:
    """Every dataset a protocol may name."""
    return [
        {
            "name": name,
            "rows": facts.train_rows,
            "test rows": facts.test_rows or "-",
            "features": facts.features,
            "kind": facts.kind,
            "comes": _origin(facts),
            "description": facts.description,
        }
        for name, facts in DATASETS.items()
    ]


def claims() -> Records:
    """Every registered claim; `samestep reproduce --list` tells more of each."""
    return [
        {
            "name": claim.id,
            "group": claim.group,
            "cost": "-" if claim.not_run else claim.cost,
            "published": "; ".join(number.published or "in words" for number in claim.numbers),
            "expected": claim.expected.value if claim.expected else "NOT RUN",
            "title": claim.title,
        }
        for claim in ledger().values()
    ]


def _origin(facts: DatasetFacts) -> str:
    """How a dataset comes to this machine."""
    if facts.own_file:
        return "your own file"
    if facts.made_from:
        return f"made from {facts.made_from}"
    return "fetched" if facts.fetched else "with samestep"


def as_json(what: str, records: Records) -> str:
    """The records, with a schema version."""
    return json.dumps({"schema": 1, what: records}, indent=1)


def table(records: Records) -> Table:
    """The records for a terminal; columns that are empty throughout are left out."""
    headings = [h for h in records[0] if any(record[h] != "" for record in records)]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for record in records:
        made.add_row(*(plain(str(record[heading])) for heading in headings))
    return made
