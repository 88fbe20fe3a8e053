"""`check`: does an adapter compute the right thing and keep the contract?"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.check_command import check_commands, commands_in
from harness.cli.check_folder import check_folders, folders_in, refuse_options
from harness.cli.console import console
from harness.cli.exits import (
    ENVIRONMENT,
    FAILED,
    INTERRUPTED,
    OK,
    USAGE,
    interrupt_on_sigterm,
    stop,
)
from harness.cli.run_plan import one_blas_thread
from harness.experiment.vocabulary import COMMAND, Device

if TYPE_CHECKING:
    from harness.experiment.model import Experiment
    from harness.registry import Framework


Loops = Annotated[
    list[str] | None,
    typer.Option("--loop", metavar="LOOP", help="Only this loop of the adapter; repeatable."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="Only this protocol or rule; repeatable."),
]
Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol", metavar="NAME", help="Also on this experiment or .toml file; repeatable."
    ),
]


def check(
    context: typer.Context,
    adapters: Annotated[
        list[str],
        typer.Argument(
            help="Names of frameworks, adapter files, module:Class, folders of `export`, or "
            "commands with --protocol, such as 'cmd:julia train.jl {folder}'."
        ),
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Every protocol, not only as few as cover them.")
    ] = False,
    loop: Loops = None,
    only: Only = None,
    protocol: Protocols = None,
    device: options.DeviceOption = Device.CPU,
    timeout: Annotated[
        str,
        typer.Option(metavar="TIME", help="Limit of one protocol or rule: 90s, 10m, 2h, or none."),
    ] = "120s",
    traceback: options.TracebackOption = False,
    json_output: options.JsonOption = False,
) -> None:
    """Check what an adapter, or a script of yours, computes.

    Every step is compared with a plain float64 network, and every rule of the adapter's contract
    is tested. What is broken is named in words, such as: the kernel is transposed. Of a folder that
    `samestep export` wrote, the numbers are compared that a program has handed back.
    """
    one_blas_thread()
    import tempfile

    from harness.execute.checking import Check
    from harness.report.check_findings import FindingsPrinter, as_json

    timeout_s = options.timeout_s(timeout)
    folders = folders_in(adapters)
    commands = commands_in(context, adapters)
    frameworks = _frameworks(
        [name for name in adapters if name not in folders and not name.startswith(COMMAND)]
    )
    if folders and not frameworks and not commands:
        refuse_options(context)
    names = [_known(name) for name in only or ()]
    own = [_protocol(name) for name in protocol or ()]
    loops = loop or []
    for framework in frameworks:
        _check_loops(framework, loops)
    printer = FindingsPrinter(console(stderr=json_output), traceback)
    interrupt_on_sigterm()
    try:
        check_folders(folders, printer)
        check_commands(commands, own, device, timeout_s, printer)
        for framework in frameworks:
            with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
                checked = Check(
                    framework, device, Path(scratch), full, loops, names, timeout_s, own
                )
                for finding in checked.findings():
                    printer.add(finding)
                printer.remark(framework.name, checked.remarks)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    printer.print_summary()
    if json_output:
        print(as_json(printer.findings, printer.remarks))
    sys.exit(OK if all(finding.holds for finding in printer.findings) else FAILED)


def _frameworks(adapters: Sequence[str]) -> list["Framework"]:
    """Return the adapters, or exit where one is not known or its framework is not installed."""
    from harness.registry import UnknownFrameworkError, find

    try:
        frameworks = [find(name) for name in adapters]
    except UnknownFrameworkError as error:
        stop(USAGE, str(error))
    missing = [framework for framework in frameworks if framework.missing]
    if missing:
        names = ", ".join(framework.name for framework in missing)
        install_lines = sorted({framework.install_line for framework in missing})
        reason = f"These frameworks are not installed: {names}"
        stop(ENVIRONMENT, "\n".join([reason, *install_lines]))
    return frameworks


def _protocol(name: str) -> "Experiment":
    """Return an experiment of the catalogue or of a file, or exit where it is not one."""
    from harness.experiment.loading import ProtocolError, load

    try:
        return load(name)
    except ProtocolError as error:
        stop(USAGE, f"--protocol: {error}")


def _known(name: str) -> str:
    """Return the name of a protocol or rule as it is written, or exit where it is not known."""
    from harness.execute.checking import known_names
    from harness.experiment.names import unknown

    names = known_names()
    as_written = {each.replace("_", "-"): each for each in names}
    found = as_written.get(name.replace("_", "-").replace(" ", "-"))
    if found is None and not name.endswith("-derived"):
        stop(USAGE, f"--only: {unknown(name, names)}")
    return found or name


def _check_loops(framework: "Framework", loops: Sequence[str]) -> None:
    """Exit where an adapter lacks one of the loops."""
    from harness.experiment.names import unknown

    for loop in loops:
        if loop not in framework.loops:
            stop(USAGE, f"--loop of {framework.name}: {unknown(loop, framework.loops)}")
