"""`data`: fetch what is not on this machine yet, verify it, and say where it is."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
from harness.cli.exits import ENVIRONMENT, OK, USAGE, stop


def fetch(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Names (`samestep list datasets`). Default: mnist.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Take the IDX files, or your own train.csv."),
    ] = None,
) -> None:
    """Fetch datasets into the cache and verify them."""
    from harness.data import fetching

    for dataset in _checked(datasets or ["mnist"]):
        try:
            outcome = fetching.fetch(dataset, source)
        except fetching.DataMissingError as error:
            stop(ENVIRONMENT, str(error))
        print(f"{dataset}: {outcome}; {fetching.folder(dataset)}")


def verify(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Names (`samestep list datasets`). Default: all.")
    ] = None,
) -> None:
    """Check the cached files against their published SHA-256."""
    from harness.data import fetching

    code = OK
    for dataset in _checked(datasets) if datasets else _stored():
        try:
            fetching.files(dataset, fetching.folder(dataset))
            print(f"{dataset}: verified; {fetching.folder(dataset)}")
        except fetching.DataMissingError as error:
            code = ENVIRONMENT
            print(str(error))
    sys.exit(code)


def where(json_output: options.JsonOption = False) -> None:
    """Print the folder of every fetched dataset."""
    import json

    from harness.data import fetching

    folders = {name: str(fetching.folder(name)) for name in _fetched()}  # shared ones twice
    if json_output:
        print(json.dumps({"schema": 1, "folders": folders}, indent=1))
    else:
        for name, folder in folders.items():
            print(f"{name}: {folder}")


def _fetched() -> list[str]:
    """Return the datasets that do not come with samestep."""
    from harness.experiment.datasets import DATASETS

    return [name for name, facts in DATASETS.items() if facts.fetched]


def _checked(names: list[str]) -> list[str]:
    """Return the names, or exit where one of them is not fetched."""
    from harness.experiment.datasets import DATASETS
    from harness.experiment.names import unknown

    fetched = _fetched()
    for name in names:
        if name in DATASETS and name not in fetched:
            rule = f"comes with samestep and is never fetched. Known: {', '.join(fetched)}"
            stop(USAGE, f"dataset: {name!r} {rule}")
        if name not in fetched:
            stop(USAGE, f"dataset: {unknown(name, fetched)}")
    return names


def _stored() -> list[str]:
    """Return the datasets that have files of their own; the user's only where there are any."""
    from harness.data import fetching
    from harness.experiment.datasets import DATASETS

    return [
        name
        for name in _fetched()
        if not DATASETS[name].made_from
        and not (DATASETS[name].own_file and not fetching.folder(name).exists())
    ]
