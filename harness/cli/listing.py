"""`list`: experiments, frameworks, datasets and claims."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import options
from harness.cli.console import console
from harness.experiment.vocabulary import Track

if TYPE_CHECKING:
    from harness.experiment.datasets import DatasetFacts
    from harness.report.console_table import ConsoleTable

Records = list[dict[str, Any]]


class Listing(StrEnum):
    """What can be listed."""

    experiments = "experiments"
    frameworks = "frameworks"
    datasets = "datasets"
    claims = "claims"


def list_(
    what: Annotated[Listing, typer.Argument(help="What to list.")],
    json_output: options.JsonOption = False,
) -> None:
    """List experiments, frameworks, datasets or claims."""
    functions = {
        Listing.experiments: experiments,
        Listing.frameworks: frameworks,
        Listing.datasets: datasets,
        Listing.claims: claims,
    }
    records = functions[what]()
    if json_output:
        print(json.dumps({"schema": 1, what.value: records}, indent=1))
    else:
        console().print(table(records), soft_wrap=False)


def experiments() -> Records:
    """Return the catalogue."""
    from harness.experiment.loading import catalogue_names, load

    records: Records = []
    for name in catalogue_names():
        experiment = load(name)
        quick = experiment.quick
        if quick is None or (quick.part and not quick.length):
            in_quick = "same"
        else:
            in_quick = str(quick.length) if quick.part else "-"
        length = experiment.training.length if experiment.training else None
        records.append(
            {
                "name": name,
                "network": str(experiment.network),
                "dataset": experiment.data.dataset,
                "length": str(length) if length else "none",
                "quick": in_quick,
                "title": experiment.title,
            }
        )
    return records


def frameworks() -> Records:
    """Return every adapter that is entered, installed or not."""
    from harness.planning import quick_of
    from harness.registry import BROKEN, installed

    records: Records = [
        {
            "name": framework.name,
            "track": framework.track,
            "loops": ", ".join(framework.loops) or "-",
            "quick": quick_of(framework) if track == Track.IDENTICAL else "-",
            "version": framework.version or "missing",
            "install": framework.install_line if framework.missing else "",
        }
        for track in Track
        for framework in installed(track).values()
    ]
    blank = dict.fromkeys(("track", "loops", "quick", "install"), "")
    records += [
        {"name": name, **blank, "version": f"broken: {reason}"} for name, reason in BROKEN.items()
    ]
    return records


def datasets() -> Records:
    """Return every dataset that a protocol may name."""
    from harness.experiment import package_datasets
    from harness.experiment.datasets import DATASETS

    records: Records = [
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
    unknown = dict.fromkeys(("rows", "test rows", "features", "kind"), "-")
    records += [
        {
            "name": name,
            **unknown,
            "comes": f"of {package_datasets.owner(point)}",
            "description": f"{point.value}, called when a protocol names it",
        }
        for name, point in package_datasets.entered().items()
    ]
    return records


def claims() -> Records:
    """Return every registered claim; `samestep reproduce --list` says more of each."""
    from harness.claims.loading import ledger

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


def _origin(facts: "DatasetFacts") -> str:
    """Return how a dataset comes to this machine."""
    if facts.drawn:
        return "drawn"
    if facts.own_file:
        return "your own file"
    if facts.made_from:
        return f"made from {facts.made_from}"
    return "fetched" if facts.fetched else "with samestep"


def table(records: Records) -> "ConsoleTable":
    """Return the records for a terminal, without the columns that are empty throughout."""
    from rich import box

    from harness.report.console_table import ConsoleTable
    from harness.report.text import plain

    headings = [h for h in records[0] if any(record[h] != "" for record in records)]
    lines = ConsoleTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        lines.add_column(heading, overflow="fold")
    for record in records:
        lines.add_row(*(plain(str(record[heading])) for heading in headings))
    return lines
