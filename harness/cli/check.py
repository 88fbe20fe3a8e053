"""`check`: does an adapter compute the right thing and keep the contract?"""

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
    full: Annotated[bool, typer.Option("--full", help="Every protocol, not only twelve.")] = False,
    device: options.DeviceOption = Device.CPU,
    json_output: options.JsonOption = False,
) -> None:
    """Check that an adapter computes what the protocol says.

    Every step is compared with a plain float64 network, and every rule of the adapter's contract
    is tested. What is broken is named in words, such as: the kernel is transposed.
    """
    import tempfile

    from harness.execute.checking import check as run_check
    from harness.registry import UnknownFrameworkError, find
    from harness.report import check_findings

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
    screen = console(stderr=json_output)
    findings = []
    interrupt_on_sigterm()
    try:
        for name in adapters:
            with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
                for finding in run_check(name, full, device, Path(scratch)):
                    findings.append(finding)
                    check_findings.print_finding(finding, screen)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    check_findings.print_summary(findings, screen)
    if json_output:
        print(check_findings.as_json(findings))
    sys.exit(OK if all(finding.holds for finding in findings) else FAILED)
