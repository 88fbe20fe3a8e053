"""Options that several commands share, and what their texts mean.

A command annotates its parameter with the alias and passes the text on to the function that
reads it; a text that means nothing ends the command with the rule and the value.
"""

import re
from enum import StrEnum
from typing import Annotated, Any

import typer

from harness.cli.ending import USAGE, stop

LONGEST_TIMEOUT_S = 30 * 24 * 3600


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
