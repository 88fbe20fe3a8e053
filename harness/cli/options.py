"""Options that several commands share, and what their texts mean.

A command annotates its parameter with the alias and passes the text on to the function that
reads it; a text that means nothing ends the command with the rule and the value.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from harness.cli.exits import ENVIRONMENT, OK, USAGE, fail, stop
from harness.experiment.vocabulary import Device, Dtype

LONGEST_TIMEOUT_S = 30 * 24 * 3600
IMAGES = (".svg", ".png")
DEVICE = re.compile("@[^/]*")
"""Of a chart's name: on which device, where a run had several."""
NEAR = 0.75
"""How alike a part of a chart's name and what was typed are, so that it is a mistake."""


@dataclass(frozen=True)
class Output:
    """A file to write; `chart`: the name of the one that an image shows, "" for the first."""

    file: Path
    chart: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is to be a picture of a chart."""
        return self.file.suffix in IMAGES


WriteOne = Callable[[Path, str], None]
"""Writes a file, given the chart that it shows or ""."""


FrameworksOption = Annotated[
    str, typer.Option(help="Names, adapter files or module:Class, by comma; default: all.")
]
ThreadsOption = Annotated[str, typer.Option(help="A number, or all.")]
DeviceOption = Annotated[
    Device, typer.Option(help="auto takes a GPU where the framework sees one.")
]
DtypeOption = Annotated[Dtype, typer.Option(help="Precision.")]
TimeoutOption = Annotated[str, typer.Option(help="Limit of one trial: 90s, 10m, 2h, none.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Run finished trials again.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, on standard output.")]
ShortJsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
"""Of commands that write to nothing but standard output."""


def out(default: str) -> Any:
    """The option `--out`, of type `Path | None`; the help names the default."""
    return typer.Option(help=f"Folder of the run; default: {default}.")


def output(files: str, charts: str) -> Any:
    """The option `-o`, of type `list[str] | None`; the help names the files and the charts."""
    return typer.Option(
        "-o",
        metavar="[CHART=]FILE",
        help=f"Also write this {files}; {charts} as .svg or .png.",
    )


def outputs(
    texts: Sequence[str] | None, suffixes: Sequence[str], charts: Sequence[str]
) -> list[Output]:
    """The files that `-o` names: `FILE`, or `CHART=FILE` for an image of one of the charts."""
    found = []
    for text in texts or ():
        made = _output(text, charts)
        if made.chart and not made.is_image:
            rule = f"a chart is written as {IMAGES[0]} or {IMAGES[1]}"
            stop(USAGE, f"-o {text}: {rule}. Got {made.file.suffix!r}")
        if made.file.suffix not in (*suffixes, *IMAGES):
            rule = f"{', '.join([*suffixes, IMAGES[0]])} or {IMAGES[1]}"
            stop(USAGE, f"-o {text}: suffix must be {rule}. Got {made.file.suffix!r}")
        found.append(made)
    return found


def _output(text: str, charts: Sequence[str]) -> Output:
    """What one `-o` names. A prefix that cannot be a chart is part of the file's name."""
    prefix, sign, rest = text.partition("=")
    name = DEVICE.sub("", prefix)
    if sign and name in charts:
        return Output(Path(rest), prefix)
    if sign and Path(rest).suffix in IMAGES and _is_mistyped(name, charts):
        stop(USAGE, f"-o {text}: chart{_unknown(name, charts)}")
    return Output(Path(text))


def _unknown(name: str, charts: Sequence[str]) -> str:
    """What is wrong with a name: of `<experiment>/<chart>` the first half, or else the whole."""
    from harness.experiment.names import unknown

    first, whole, _ = name.partition("/")
    same = [chart for chart in charts if chart.partition("/")[0] == first]
    if whole and not same:
        firsts = dict.fromkeys(chart.partition("/")[0] for chart in charts)
        return f": experiment {unknown(first, firsts)}"
    return f" {unknown(name, same or charts)}"


def _is_mistyped(name: str, charts: Sequence[str]) -> bool:
    """Whether it is built like one of the charts' names, and a part of it is one's or near."""
    parts = name.split("/")
    return any(
        len(parts) == len(chart.split("/")) and any(map(_near, parts, chart.split("/")))
        for chart in charts
    )


def _near(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other).ratio() >= NEAR


def only_read(context: typer.Context, beside: Sequence[str], told: str) -> None:
    """End a command that was given `--from` and an option that only a run would heed.

    Args:
        context: of the command.
        beside: names of the parameters that may be given beside `--from`.
        told: the same as they are typed, for the message.
    """
    allowed = {"source", *beside}
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name not in allowed and source is not None and not source.name.startswith("DEFAULT"):
            rule = f"--from only reads what a run left; it takes no other option but {told}"
            stop(USAGE, f"{parameter.opts[0]}: {rule}. Leave out {parameter.opts[0]} or --from")


def need_charts(outputs: Sequence[Output]) -> None:
    """End at once, before anything is trained, where images are asked for and cannot be drawn."""
    from harness.report.charts import NoChartLibraryError, need_library

    for image in filter(lambda each: each.is_image, outputs):
        try:
            need_library()
        except NoChartLibraryError as error:
            stop(ENVIRONMENT, f"-o {image.file}: {error}")


def finish(
    show: Callable[[], None], code: int, outputs: Sequence[Output], write_one: WriteOne
) -> NoReturn:
    """Print, then write the files, then exit; a file that fails hides neither table nor code."""
    try:
        show()
    finally:  # even if nobody reads what is printed
        _, failed = write(outputs, write_one)
    sys.exit(code or failed)


def write(outputs: Sequence[Output], write_one: WriteOne) -> tuple[list[Path], int]:
    """Write every output, images last; the files written, and the first failure's exit code.

    A file that cannot be written is said on standard error, and keeps no other from it.
    """
    ordered = sorted(outputs, key=lambda each: each.is_image)
    codes = [_write(each, write_one) for each in ordered]
    written = [each.file for each, code in zip(ordered, codes, strict=True) if code == OK]
    return written, next(filter(None, codes), OK)


def _write(output: Output, write_one: WriteOne) -> int:
    from harness.report.charts import NoChartError, NoChartLibraryError

    try:
        write_one(output.file, output.chart)
    except NoChartError as error:
        return fail(USAGE, f"-o {output.file}: {error}")
    except NoChartLibraryError as error:
        return fail(ENVIRONMENT, f"-o {output.file}: {error}")
    except OSError as error:
        return fail(ENVIRONMENT, f"{output.file}: cannot be written ({error.strerror or error})")
    return OK


def split(text: str) -> tuple[str, ...]:
    """The parts of a text with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def loops(text: str) -> tuple[str, ...]:
    """The loops that `--loops` names."""
    from harness.experiment.names import unknown

    known = ("best", "all", "idiomatic", "stepwise", "fused")
    names = split(text) or ("best",)
    for name in names:
        if name not in known:
            stop(USAGE, f"--loops: {unknown(name, known)}")
    return names


def threads(text: str) -> int:
    """How many threads `--threads` asks for."""
    from harness.clock.environment import available_cpus

    if text == "all":
        return available_cpus()
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= available_cpus():
        stop(
            USAGE,
            f"--threads must be all, or 1 to the {available_cpus()} CPUs there are. Got {text!r}",
        )
    return int(text)


def timeout_s(text: str) -> float | None:
    """The seconds that `--timeout` grants a trial; None is no limit."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)", text)
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_TIMEOUT_S:
        stop(USAGE, f"--timeout must be such as 90s, 10m, 2h, or none. Got {text!r}")
    return seconds
