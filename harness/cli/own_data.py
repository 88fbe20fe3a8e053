"""Files of the user's: `data describe`, and `report FILE --target COLUMN`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli.console import console, print_lines
from harness.cli.exits import ENVIRONMENT, USAGE, stop

if TYPE_CHECKING:
    from harness.tables.sources import Source

TargetOption = Annotated[
    str,
    typer.Option(
        metavar="COLUMN",
        help="Of a table: the column to learn, a file of targets (y.npy), or none.",
    ),
]

HeaderOption = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Of a table: whether its first line has the names of the columns. Default: found out.",
    ),
]

TestFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Of a table: a file of test rows with the same columns."),
]

TestTargetOption = Annotated[
    str,
    typer.Option(metavar="FILE", help="The targets of --test-file, where --target is a file too."),
]


EncodingOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Of a table: its encoding, such as latin-1. Default: found out."
    ),
]


@dataclass(frozen=True)
class TableOptions:
    """What the command line says of a table.

    Args:
        target: the column or file to learn; "" where none is named.
        header: whether the first line has the names of the columns; None to find out.
        encoding: of text; "" to find out.
        test_file: a file of test rows.
        test_target: the file of their targets.
    """

    target: str = ""
    header: bool | None = None
    encoding: str = ""
    test_file: Path | None = None
    test_target: str = ""

    def source(self, file: Path) -> "Source":
        """Return the files that are named. A file of targets is beside its inputs, or as typed."""
        from harness.tables.sources import Source, is_target_file
        from harness.tables.table import TextFormat

        test_target = self.test_target
        if self.test_file and test_target:
            test_target = _beside(self.test_file, test_target)
        return Source(
            file=file,
            target=_beside(file, self.target) if is_target_file(self.target) else "",
            test_file=self.test_file,
            test_target=test_target,
            form=TextFormat(encoding=self.encoding or None, header=self.header),
        )


def describe(
    file: Annotated[
        Path,
        typer.Argument(
            help="A table: .csv, .tsv, .csv.gz, .parquet, .npz, .npy or a file like MNIST's."
        ),
    ],
    target: TargetOption = "",
    header: HeaderOption = None,
    encoding: EncodingOption = "",
    test_file: TestFileOption = None,
    test_target: TestTargetOption = "",
) -> None:
    """Say what is in a table, and print a protocol that runs."""
    from harness.cli.listing import table as listing
    from harness.experiment.drafting import draft
    from harness.experiment.loading import ProtocolError
    from harness.tables import TableError, sources
    from harness.tables.description import column_text, target_guess
    from harness.tables.description import describe as describe_table

    reason = ""
    if not target and (partner := sources.likely_target(file)):
        target = partner
        reason = f"Target: {target!r}, because of its name; --target names another."
    try:
        options = TableOptions(target, header, encoding, test_file, test_target)
        source = options.source(file)
        read = sources.read(source)
        summaries = describe_table(read)
    except TableError as error:
        stop(USAGE, str(error))
    columns = f"{len(summaries)} {read.unit}"
    of_rows = f"{read.rows:,} rows"
    if read.train_rows is not None:
        of_rows += f" ({read.train_rows:,} to train, {read.rows - read.train_rows:,} to test)"
    print_lines([f"{read.name}: {of_rows}, {columns}{'s' * (len(summaries) != 1)}"])
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
    if not target and len(summaries) == 1:
        print_lines(
            [
                f"No target: this is one {read.unit}. For a protocol, name a file of targets, such "
                "as --target y.npy, or --target none."
            ]
        )
        return
    if not target:
        target, reason = target_guess(summaries)
        reason = f"Target: {target!r}, {reason}; --target names another."
    try:
        proposed = draft(source, source.target or target)
    except (ProtocolError, TableError) as error:
        stop(USAGE, "\n".join(filter(None, [reason, str(error)])))
    shares = [s for s in summaries if s.name in proposed.experiment.data.targets and s.counts]
    if proposed.experiment.data.facts.kind != "values":
        print_lines(f"Shares of {s.name!r}: {s.shares_text}" for s in shares)
    print_lines(filter(None, [reason, *proposed.notes, "", "A protocol for it:", ""]))
    print(proposed.text)


def protocols_of(
    experiments: Sequence[str], options: TableOptions, out: Path | None
) -> tuple[str, ...]:
    """Write a protocol for every table that is named as an experiment; return all names.

    The protocols lie beside the folder of the run. One that the user has changed is left as it
    is, and ends the command.

    Args:
        experiments: names, TOML files and tables.
        options: what is said of the tables.
        out: the folder of the run; None for `results/runs/<plan>`.
    """
    from harness.tables.files import is_table

    tables = [name for name in experiments if is_table(name)]
    for option, value in (("--target", options.target), ("--test-file", options.test_file)):
        if value and not tables:
            example = "samestep report flowers.csv --target y"
            stop(USAGE, f"{option}: only with a table, such as: {example}")
    if options.test_file and len(tables) > 1:
        stop(USAGE, f"--test-file: only with one table. Got {', '.join(tables)}")
    folder = out.parent if out else Path("results") / "runs"
    return tuple(
        _protocol(Path(name), options, folder) if name in tables else name for name in experiments
    )


def _protocol(file: Path, options: TableOptions, folder: Path) -> str:
    from harness.experiment.drafting import draft, slug
    from harness.experiment.loading import ProtocolError
    from harness.private import without_home
    from harness.results import write_atomically
    from harness.tables import TableError

    path = folder / f"{slug(file)}.toml"
    try:
        source = options.source(file)
        if not options.target:
            _stop_without_target(source)
        proposed = draft(source, source.target or options.target, str(path))
    except (ProtocolError, TableError) as error:
        stop(USAGE, str(error))
    content = without_home(proposed.text).encode()
    try:
        if path.exists() and path.read_bytes() != content:
            stop(
                USAGE,
                f"{path} is there already and differs from what would be written: run it with "
                f"`samestep report {path}`, or delete it",
            )
        write_atomically(path, content)
    except OSError as error:
        stop(ENVIRONMENT, f"{path}: cannot be written ({error.strerror or error})")
    errors = console(stderr=True)
    lines = [f"protocol: {path} (every default is in it, to be changed)", *proposed.notes]
    for line in lines:
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    return str(path)


def _stop_without_target(source: "Source") -> NoReturn:
    """Say what could be learnt: a column, or a file beside an array.

    Raises:
        harness.tables.TableError: the file cannot be read.
    """
    from harness.tables import sources
    from harness.tables.errors import listed

    file = source.file
    table = sources.read(source)
    if len(table.columns) == 1:
        likely = sources.likely_target(file) or "y.npy"
        stop(USAGE, f"{file}: is one {table.unit}; name the file of its targets, --target {likely}")
    stop(
        USAGE,
        f"{file}: name the column to learn, --target COLUMN. Columns: {listed(table.columns)}; "
        f"`samestep data describe {file}` says what they hold",
    )


def _beside(file: Path, target: str) -> str:
    """Return the path of a file of targets, relative to the folder of its inputs."""
    if Path(target).is_absolute() or not Path(target).is_file():
        return target
    return Path(os.path.relpath(target, file.parent)).as_posix()
