"""`check` and `new-adapter`: for whoever writes an adapter."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options
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
from harness.experiment.vocabulary import Device


def check(
    adapters: Annotated[
        list[str], typer.Argument(help="Names of frameworks, adapter files or module:Class.")
    ],
    full: Annotated[bool, typer.Option("--full", help="Every protocol, not just twelve.")] = False,
    device: Annotated[Device, typer.Option(help="cpu or cuda.")] = Device.CPU,
    json_output: options.JsonOption = False,
) -> None:
    """Does an adapter compute the right thing and keep the contract? If not, what does it do?"""
    import tempfile

    from harness.execute.checking import check as run_check
    from harness.registry import UnknownFrameworkError, find
    from harness.report import checks

    try:
        missing = {find(name).install_line for name in adapters if find(name).missing}
    except UnknownFrameworkError as error:
        stop(USAGE, str(error))
    if missing:
        stop(ENVIRONMENT, "\n".join(["not installed", *sorted(missing)]))
    screen = console(stderr=json_output)
    findings = []
    interrupt_on_sigterm()
    try:
        for name in adapters:
            with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
                for finding in run_check(name, full, device, Path(scratch)):
                    findings.append(finding)
                    checks.print_finding(finding, screen)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    checks.print_summary(findings, screen)
    if json_output:
        print(checks.as_json(findings))
    sys.exit(OK if all(finding.holds for finding in findings) else FAILED)


def new_adapter(
    name: Annotated[str, typer.Argument(help="Of the framework, as a Python file may be called.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where to write it.")] = Path(),
) -> None:
    """Write an adapter that runs at once and says what is still to write."""
    from harness import scaffold
    from harness.registry import installed

    if name in installed():
        stop(USAGE, f"name: {name!r} is the name of an installed adapter; take another")
    try:
        file = scaffold.write(name, folder)
    except ValueError as error:
        stop(USAGE, str(error))
    except OSError as error:
        stop(ENVIRONMENT, f"{folder}: cannot be written ({error.strerror or error})")
    print(f"wrote {file}")
    print(f"samestep check {file}    # green as it is; run it after every change")
