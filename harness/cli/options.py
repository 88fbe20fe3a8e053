"""Options that several commands share, and what their texts mean.

A command annotates its parameter with the alias and passes the text on to the function that
reads it; a text that means nothing ends the command with the rule and the value.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.ending import ENVIRONMENT, USAGE, stop

LONGEST_TIMEOUT_S = 30 * 24 * 3600
IMAGES = (".svg", ".png")


@dataclass(frozen=True)
class Output:
    """A file to write; `chart`: the name of the one that an image shows, "" for the first."""

    file: Path
    chart: str = ""


class Preset(StrEnum):
    """How much is run."""

    quick = "quick"
    standard = "standard"
    full = "full"


class Device(StrEnum):
    """Where it is run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Dtype(StrEnum):
    """How it is computed."""

    float32 = "float32"
    float64 = "float64"


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
    texts: Sequence[str] | None, suffixes: Sequence[str], charts: Sequence[str] = ()
) -> list[Output]:
    """The files that `-o` names: `FILE`, or `CHART=FILE` for an image of one of the charts.

    Without `charts` their names are known only when there are rows.
    """
    from harness.experiment.names import unknown

    found = []
    for text in texts or ():
        name, _, rest = text.partition("=")
        image = Path(rest).suffix in IMAGES
        made = Output(Path(rest), name) if image else Output(Path(text))
        if made.file.suffix not in (*suffixes, *IMAGES):
            rule = f"{', '.join([*suffixes, IMAGES[0]])} or {IMAGES[1]}"
            stop(USAGE, f"-o {text}: suffix must be {rule}. Got {made.file.suffix!r}")
        if made.chart and charts and made.chart not in charts:
            stop(USAGE, f"-o {text}: chart {unknown(made.chart, charts)}")
        found.append(made)
    return found


def write(outputs: Sequence[Output], write_one: Callable[[Path, str], None]) -> None:
    """Write every output by `write_one(file, chart)`; end with a sentence where that fails."""
    for each in outputs:
        try:
            write_one(each.file, each.chart)
        except ValueError as error:
            stop(USAGE, f"-o {each.file}: {error}")
        except RuntimeError as error:
            stop(ENVIRONMENT, f"-o {each.file}: {error}")
        except OSError as error:
            stop(ENVIRONMENT, f"{each.file}: cannot be written ({error.strerror or error})")


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
