"""Options that several commands share, and the functions that read their texts.

A command annotates its parameter with the alias and passes the text on to the function that
reads it. A text that means nothing ends the command with the rule and the value.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.exits import ENVIRONMENT, USAGE, stop
from harness.experiment.vocabulary import Device, Dtype, Loop

if TYPE_CHECKING:
    from harness.cluster.address import ClusterAddress
    from harness.shards import Shard

LONGEST_TIMEOUT_H = 720
RETRIES = 1
"""One loss is mostly bad luck. What is lost twice is worth a look."""

FrameworksOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Names, adapter files or module:Class, by comma. Default: all."
    ),
]
EntrantsOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Names, adapter files, module:Class or commands such as 'cmd:julia train.jl "
        "{folder}', by comma; a comma of a command stands in quotes. Default: all.",
    ),
]
ThreadsOption = Annotated[
    str, typer.Option(metavar="N|all", help="How many threads every trial may use.")
]
ThreadCountsOption = Annotated[
    str,
    typer.Option(
        metavar="N|all",
        help="How many threads every trial may use. Several by comma, such as 1,all, are run side "
        "by side and never ranked across.",
    ),
]
DeviceOption = Annotated[
    Device, typer.Option(help="Where to compute; auto takes a GPU where the framework sees one.")
]
DtypeOption = Annotated[Dtype, typer.Option(help="Precision of protocols that do not state one.")]
TimeoutOption = Annotated[
    str, typer.Option(metavar="TIME", help="Limit of one trial: 90s, 10m, 2h, or none.")
]
RetriesOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        help="How often a trial is run again whose process was ended from outside: killed for "
        "lack of memory, say. One that fails by itself or takes too long is a result.",
    ),
]
ShardOption = Annotated[
    str,
    typer.Option(
        metavar="I/N",
        help="Run part I of N, for example one on each of N machines; `samestep merge` puts them "
        "together.",
    ),
]
ClusterOption = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        help="Run on Dask's workers: local, local:N with N workers here, the HOST:PORT of a "
        "scheduler, or the FILE.json that it wrote. All machines must see --out.",
    ),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Measure and prove again what is measured or proven.")
]
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Print the whole of what an adapter raises.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def out(default: str) -> Any:
    """Return the option `--out`, of type `Path | None`. Its help names the default."""
    return typer.Option(metavar="FOLDER", help=f"Folder of the run. Default: {default}.")


def only_read(context: typer.Context, beside: Sequence[str]) -> None:
    """End a command that was given `--from` and an option that matters only when trials run.

    Args:
        context: of the command.
        beside: names of the parameters that may be given beside `--from`.
    """
    parameters = context.command.params
    allowed = [p.opts[0] for p in parameters if p.name in beside and p.opts[0].startswith("-")]
    for parameter in parameters:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if name in ("source", *beside) or source is None or source.name.startswith("DEFAULT"):
            continue
        option = parameter.opts[0]
        stop(
            USAGE,
            f"{option}: --from only reads a run's folder; it takes no other option except "
            f"{', '.join(allowed)}. Leave out {option} or --from",
        )


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a text with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def adapters(text: str) -> tuple[str, ...]:
    """Return the adapters that `--frameworks` names, or exit where it names a command."""
    from harness.command_line import is_command, split_names

    names = split_names(text)
    for name in names:
        if is_command(name):
            stop(
                USAGE,
                f"--frameworks: {name!r} is a command. Commands are run by `samestep report` and "
                "`samestep check` alone; here it takes an adapter: samestep new-adapter NAME",
            )
    return names


def loops(text: str) -> tuple[str, ...]:
    """Return the loops that `--loops` names."""
    from harness.experiment.names import unknown

    known = ("best", "all", *map(str, Loop))
    names = split(text) or ("best",)
    for name in names:
        if name not in known:
            stop(USAGE, f"--loops: {unknown(name, known)}")
    return names


def threads(text: str) -> int:
    """Return how many threads `--threads` requests."""
    from harness.clock.environment import available_cpus

    cpus = available_cpus()
    if text == "all":
        return cpus
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= cpus:
        stop(USAGE, f"--threads must be all, or 1 to {cpus} (the CPUs available). Got {text!r}")
    return int(text)


def thread_counts(text: str) -> tuple[int, ...]:
    """Return all numbers of threads that `--threads` requests."""
    counts = [threads(part) for part in split(text) or (text,)]
    return tuple(dict.fromkeys(counts))


def shard(text: str) -> "Shard | None":
    """Return the part of the plan that `--shard` names; None where it is not given."""
    if not text:
        return None
    from harness.shards import Shard

    try:
        return Shard.parse(text)
    except ValueError as error:
        stop(USAGE, str(error))


def cluster(text: str) -> "ClusterAddress | None":
    """Return the cluster that `--cluster` names; None where it is not given."""
    if not text:
        return None
    from harness.cluster.address import ClusterAddress, DaskMissingError, need_dask

    try:
        address = ClusterAddress.parse(text)
        need_dask()
    except ValueError as error:
        stop(USAGE, str(error))
    except DaskMissingError as error:
        stop(ENVIRONMENT, str(error))
    return address


def timeout_s(text: str) -> float | None:
    """Return the seconds that `--timeout` grants a trial; None is no limit."""
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)", text)
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_TIMEOUT_H * 3600:
        stop(
            USAGE,
            "--timeout must be none, or a time such as 90s, 10m or 2h, at most "
            f"{LONGEST_TIMEOUT_H}h. Got {text!r}",
        )
    return seconds
