"""`check "cmd:..."`: a program is handed a protocol, run, and its answer judged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.check_folder import refuse_given
from harness.cli.exits import ENVIRONMENT, USAGE, stop
from harness.experiment.vocabulary import OWN_LOOP, Device, Dtype, Status

if TYPE_CHECKING:
    from harness.command_line import Command
    from harness.experiment.model import Experiment
    from harness.report.check_findings import FindingsPrinter

OF_ADAPTERS = ("full", "loop", "only")
"""Options that say something about the loops and rules of an adapter."""


def commands_in(context: typer.Context, names: Sequence[str]) -> list["Command"]:
    """Return the commands among the names, or exit where one cannot be run."""
    from harness.command_line import is_command, parse
    from harness.registry import UnknownFrameworkError

    try:
        commands = [parse(name) for name in names if is_command(name)]
    except UnknownFrameworkError as error:
        stop(USAGE, str(error))
    for command in commands:
        if command.missing:
            stop(ENVIRONMENT, command.why_missing)
    if commands and not context.params["protocol"]:
        stop(
            USAGE,
            "--protocol: a program is checked on protocols that you name, since it may not follow "
            "every one. Such as --protocol xor-mlp, or a .toml file",
        )
    if commands and len(commands) == len(names):
        refuse_given(context, OF_ADAPTERS, "is about adapters; leave it out for a command")
    return commands


def check_commands(
    commands: Sequence["Command"],
    protocols: Sequence["Experiment"],
    device: Device,
    timeout_s: float | None,
    printer: "FindingsPrinter",
) -> None:
    """Prove every command on every protocol, in float64, and print what is found."""
    import tempfile

    from harness.data.fetching import DataMissingError
    from harness.execute.commands import Commands
    from harness.parity.findings import Finding
    from harness.planning import proof_trials
    from harness.results import RunFolder

    for command in commands:
        for protocol in protocols:
            (proof,) = proof_trials(command, protocol, OWN_LOOP, device, Dtype.FLOAT64)
            with tempfile.TemporaryDirectory(prefix="samestep-check-") as scratch:
                runs = Commands(RunFolder(Path(scratch)), timeout_s, timed=False)
                try:
                    judgement, tail = runs.judge(proof, protocol, command, keep=False)
                except DataMissingError as error:
                    stop(ENVIRONMENT, str(error))
                finally:
                    runs.kill()
            finding = Finding(
                command.name,
                OWN_LOOP,
                "ladder",
                protocol.name,
                judgement.proven,
                judgement.reason,
                judgement,
                "\n".join(tail) if judgement.status != Status.OK else "",
            )
            printer.add(finding)
