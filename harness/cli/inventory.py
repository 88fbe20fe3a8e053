"""`list` and `data`: look up what there is, and fetch what is not here yet."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
from harness.cli.console import console
from harness.cli.exits import ENVIRONMENT, OK, USAGE, stop


class Listing(StrEnum):
    """What can be listed."""

    experiments = "experiments"
    frameworks = "frameworks"
    datasets = "datasets"
    claims = "claims"


def list_(
    what: Annotated[Listing, typer.Argument(help="What to look up.")],
    json_output: options.ShortJsonOption = False,
) -> None:
    """Look up experiments, frameworks, datasets or claims."""
    from harness.cli import listing

    records = getattr(listing, what.value)()
    if json_output:
        print(listing.as_json(what.value, records))
    else:
        console().print(listing.table(records), soft_wrap=False)


def fetch(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: mnist.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Folder of the IDX files, or your own train.csv."),
    ] = None,
) -> None:
    """Fetch datasets into the cache, verified."""
    from harness.data import fetching

    for dataset in _fetched(datasets or ["mnist"]):
        try:
            outcome = fetching.fetch(dataset, source)
        except fetching.DataMissingError as error:
            stop(ENVIRONMENT, str(error))
        print(f"{dataset}: {outcome}; {fetching.folder(dataset)}")


def verify(
    datasets: Annotated[list[str] | None, typer.Argument(help="Default: all.")] = None,
) -> None:
    """Check every file in the cache against its published SHA-256."""
    from harness.data import fetching

    bad = False
    for dataset in _fetched(datasets) if datasets else _stored():
        try:
            fetching.files(dataset, fetching.folder(dataset))
            print(f"{dataset}: verified; {fetching.folder(dataset)}")
        except fetching.DataMissingError as error:
            bad = True
            print(str(error))
    sys.exit(ENVIRONMENT if bad else OK)


def where(json_output: options.ShortJsonOption = False) -> None:
    """Say where fetched data lives."""
    import json

    from harness.data import fetching

    folders = {name: str(fetching.folder(name)) for name in _fetched(None)}  # shared ones twice
    if json_output:
        print(json.dumps({"schema": 1, "folders": folders}, indent=1))
    else:
        for name, folder in folders.items():
            print(f"{name}: {folder}")


def _fetched(names: list[str] | None) -> list[str]:
    """The datasets named, or all that are fetched."""
    from harness.experiment.datasets import DATASETS
    from harness.experiment.names import unknown

    known = [name for name, facts in DATASETS.items() if facts.fetched]
    for name in names or ():
        if name not in known:
            stop(USAGE, f"dataset: {unknown(name, known)}")
    return list(names or known)


def _stored() -> list[str]:
    """The datasets that have files of their own, the user's where there are any."""
    from harness.data import fetching
    from harness.experiment.datasets import DATASETS

    facts = {name: DATASETS[name] for name in _fetched(None)}
    return [
        name
        for name, one in facts.items()
        if not one.made_from and not (one.own_file and not fetching.folder(name).exists())
    ]
