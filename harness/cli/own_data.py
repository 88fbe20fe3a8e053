"""Files of the user's: `data describe`, and `report FILE --target COLUMN`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import console, print_lines
from harness.cli.exits import ENVIRONMENT, USAGE, stop

if TYPE_CHECKING:
    from harness.experiment.drafting import Draft

TargetOption = Annotated[
    str,
    typer.Option(
        metavar="COLUMN", help="Of a table (.csv, .tsv, .npz): the column to learn, or none."
    ),
]

HeaderOption = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Of a table: whether its first line has the names of the columns. Default: found out.",
    ),
]


def describe(
    file: Annotated[Path, typer.Argument(help="A table: .csv, .tsv, .csv.gz or .npz.")],
    target: TargetOption = "",
    header: HeaderOption = None,
) -> None:
    """Say what is in a table, and print a protocol that runs."""
    from harness.cli.listing import table as listing
    from harness.experiment.loading import ProtocolError
    from harness.tables import TableError, files
    from harness.tables.description import column_text, target_guess
    from harness.tables.description import describe as describe_table
    from harness.tables.table import TextFormat

    try:
        read = files.read(file, TextFormat(header=header))
        summaries = describe_table(read)
    except TableError as error:
        stop(USAGE, str(error))
    columns = f"{len(summaries)} {'array' if read.line is None else 'column'}"
    print_lines([f"{read.name}: {read.rows:,} rows, {columns}{'s' * (len(summaries) != 1)}"])
    print_lines([f"{read.form}; SHA-256 {read.sha256}"])
    records = [
        {
            "column": summary.name,
            "holds": column_text(summary),
            "missing": f"{summary.missing_rows:,}" if summary.missing_rows else "-",
            "different": f"{summary.distinct:,}" if summary.distinct else "-",
            "values": summary.values_text,
        }
        for summary in summaries
    ]
    console().print(listing(records), soft_wrap=False)
    reason = ""
    if not target:
        target, reason = target_guess(summaries)
        reason = f"Target: {target!r}, {reason}; --target names another."
    try:
        draft = _draft(file, target, "", header)
    except (ProtocolError, TableError) as error:
        stop(USAGE, "\n".join(filter(None, [reason, str(error)])))
    shares = [s for s in summaries if s.name in draft.experiment.data.targets and s.counts]
    if draft.experiment.data.facts.kind != "values":
        print_lines(f"Shares of {s.name!r}: {s.shares_text}" for s in shares)
    print_lines(filter(None, [reason, *draft.notes, "", "A protocol for it:", ""]))
    print(draft.text)


def protocols_of(
    experiments: Sequence[str], target: str, header: bool | None, out: Path | None
) -> tuple[str, ...]:
    """Write a protocol for every table that is named as an experiment; return all names.

    The protocols lie beside the folder of the run. One that the user has changed is left as it
    is, and ends the command.

    Args:
        experiments: names, TOML files and tables.
        target: the column that `--target` names; "" for none.
        header: whether the first line of a table has names; None to find out.
        out: the folder of the run; None for `results/runs/<plan>`.
    """
    from harness.tables.files import is_table

    tables = [name for name in experiments if is_table(name)]
    if target and not tables:
        stop(USAGE, "--target: only with a table, such as: samestep report flowers.csv --target y")
    folder = out.parent if out else Path("results") / "runs"
    return tuple(
        _protocol(Path(name), target, header, folder) if name in tables else name
        for name in experiments
    )


def _protocol(file: Path, target: str, header: bool | None, folder: Path) -> str:
    from harness.experiment.drafting import slug
    from harness.experiment.loading import ProtocolError
    from harness.tables import TableError, files
    from harness.tables.errors import listed
    from harness.tables.table import TextFormat

    path = folder / f"{slug(file)}.toml"
    try:
        if not target:
            columns = listed(files.read(file, TextFormat(header=header)).columns)
            stop(
                USAGE,
                f"{file}: name the column to learn, --target COLUMN. Columns: {columns}; "
                f"`samestep data describe {file}` says what they hold",
            )
        draft = _draft(file, target, str(path), header)
    except (ProtocolError, TableError) as error:
        stop(USAGE, str(error))
    try:
        if path.exists() and path.read_text(encoding="utf-8") != draft.text:
            stop(
                USAGE,
                f"{path} is there already and differs from what would be written: run it with "
                f"`samestep report {path}`, or delete it",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(draft.text, encoding="utf-8")
    except OSError as error:
        stop(ENVIRONMENT, f"{path}: cannot be written ({error.strerror or error})")
    errors = console(stderr=True)
    lines = [f"protocol: {path} (every default is in it, to be changed)", *draft.notes]
    for line in lines:
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    return str(path)


def _draft(file: Path, target: str, toml_name: str, header: bool | None) -> "Draft":
    from harness.experiment.drafting import draft

    return draft(file, target, toml_name, header)
