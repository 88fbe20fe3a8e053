"""`-o FILE` and `--chart NAME=FILE`: the files that a command writes besides its tables."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer

from harness.cli.exits import ENVIRONMENT, OK, USAGE, fail, say, stop

IMAGES = (".svg", ".png")
DEVICE = re.compile("@[^/]*")
"""In a chart's name: the device, where a run had several."""


@dataclass(frozen=True)
class Output:
    """A file to write; `chart`: the name of the chart that it shows, "" for a table."""

    file: Path
    chart: str = ""

    @property
    def option(self) -> str:
        """The option that names this file, for messages."""
        return f"--chart {self.chart}={self.file}" if self.chart else f"-o {self.file}"


WriteOne = Callable[[Path, str], None]
"""Writes a file, given the name of its chart or ""."""


def file_option(suffixes: Sequence[str]) -> Any:
    """Return the option `-o`, of type `list[str] | None`."""
    return typer.Option(
        "-o", metavar="FILE", help=f"Also write a {_either(suffixes)}. May be repeated."
    )


def chart_option(names: str) -> Any:
    """Return the option `--chart`, of type `list[str] | None`. Its help says which names."""
    return typer.Option(
        "--chart",
        metavar="NAME=FILE",
        help=f"Also draw {names} as {_either(IMAGES)}. May be repeated.",
    )


def parse(
    files: Sequence[str] | None,
    charts: Sequence[str] | None,
    suffixes: Sequence[str],
    known: Sequence[str],
    has_folder: bool = False,
) -> list[Output]:
    """Return what `-o` and `--chart` name, or exit with the rule that a text breaks.

    Args:
        files: texts of `-o`.
        charts: texts of `--chart`.
        suffixes: which files the command can write.
        known: names of the charts that it can draw.
        has_folder: whether the command has `--out`, which -o may be taken for.
    """
    return [
        *(_file(text, suffixes, known, has_folder) for text in files or ()),
        *(_chart(text, known) for text in charts or ()),
    ]


def _file(text: str, suffixes: Sequence[str], known: Sequence[str], has_folder: bool) -> Output:
    suffix = Path(text).suffix
    if suffix in IMAGES:
        chart = text if "=" in text else f"{known[0]}={text}"
        stop(USAGE, f"-o {text}: charts are written with --chart. Write --chart {chart}")
    if suffix not in suffixes:
        folder = (
            f". The folder of a run is given by --out {text}" if has_folder and not suffix else ""
        )
        stop(USAGE, f"-o {text}: suffix must be {_either(suffixes)}. Got {suffix!r}{folder}")
    return Output(Path(text))


def _chart(text: str, known: Sequence[str]) -> Output:
    name, _, file = text.partition("=")
    if not name or not file:
        stop(USAGE, f"--chart must be NAME=FILE, such as {known[0]}=x.svg. Got {text!r}")
    without_device = DEVICE.sub("", name)
    if without_device not in known:
        stop(USAGE, f"--chart {text}: {_unknown(without_device, known)}")
    suffix = Path(file).suffix
    if suffix not in IMAGES:
        stop(USAGE, f"--chart {text}: suffix must be {_either(IMAGES)}. Got {suffix!r}")
    return Output(Path(file), name)


def _unknown(name: str, known: Sequence[str]) -> str:
    """Say what is wrong with a chart's name; of `<experiment>/<chart>` only the wrong half."""
    from harness.experiment.names import unknown

    experiment, slash, _ = name.partition("/")
    experiments = dict.fromkeys(chart.partition("/")[0] for chart in known)
    if slash and experiment not in experiments:
        return f"experiment {unknown(experiment, experiments)}"
    same = [chart for chart in known if chart.startswith(f"{experiment}/")]
    return f"chart {unknown(name, same or known)}"


def _either(suffixes: Sequence[str]) -> str:
    *others, last = suffixes
    return f"{', '.join(others)} or {last}" if others else last


def need_charts(outputs: Sequence[Output]) -> None:
    """End the command before anything is trained, where its charts cannot be drawn."""
    from harness.report.chart_names import NoChartLibraryError, need_library

    for output in outputs:
        if output.chart:
            try:
                need_library()
            except NoChartLibraryError as error:
                stop(ENVIRONMENT, f"{output.option}: {error}")


def finish(
    show: Callable[[], None], code: int, outputs: Sequence[Output], write_one: WriteOne
) -> NoReturn:
    """Print, then write the files, then exit. A file that fails hides neither table nor code.

    What is written is said on standard error: standard output may be JSON.
    """
    try:
        show()
    finally:  # even if nobody reads what is printed
        written, failed = write(outputs, write_one)
    for file in written:
        say(f"wrote {file}")
    sys.exit(code or failed)


def write(outputs: Sequence[Output], write_one: WriteOne) -> tuple[list[Path], int]:
    """Write every output, charts last; return the files written and the first failure's code.

    A file that cannot be written is reported on standard error, and the others are written.
    """
    ordered = sorted(outputs, key=lambda output: bool(output.chart))
    codes = [_write(output, write_one) for output in ordered]
    written = [output.file for output, code in zip(ordered, codes, strict=True) if code == OK]
    return written, next(filter(None, codes), OK)


def _write(output: Output, write_one: WriteOne) -> int:
    from harness.report.chart_names import NoChartError, NoChartLibraryError

    try:
        write_one(output.file, output.chart)
    except NoChartError as error:
        return fail(USAGE, f"{output.option}: {error}")
    except NoChartLibraryError as error:
        return fail(ENVIRONMENT, f"{output.option}: {error}")
    except OSError as error:
        return fail(ENVIRONMENT, f"{output.file}: cannot be written ({error.strerror or error})")
    return OK
