"""`check FOLDER`: what a program handed back is compared with what it was given."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.exits import ENVIRONMENT, USAGE, stop

if TYPE_CHECKING:
    from harness.report.check_findings import FindingsPrinter

OF_ADAPTERS = ("full", "loop", "only", "protocol", "device", "timeout", "traceback")
"""Options that say something about an adapter, and nothing about a folder."""


def folders_in(names: Sequence[str]) -> list[str]:
    """Return those names that are folders, or exit where one is no exported folder."""
    folders = [name for name in names if Path(name).is_dir()]
    if not folders:
        return []
    from harness.handover.folder import is_exported
    from harness.handover.layout import MARKER
    from harness.registry import installed

    exported = [name for name in folders if is_exported(Path(name))]
    for name in folders:
        if name not in exported and name not in installed():
            stop(
                USAGE,
                f"{name}: is a folder without {MARKER}, so not one that `samestep export` wrote. "
                "Give the folder that was exported, or an adapter's name or file",
            )
    return exported


def refuse_options(context: typer.Context) -> None:
    """Exit where an option was given that is about adapters alone."""
    refuse_given(
        context, OF_ADAPTERS, "is about adapters; a folder takes --json alone. Leave it out"
    )


def refuse_given(context: typer.Context, names: Sequence[str], why: str) -> None:
    """Exit where one of these options was given, and say why it does not fit."""
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        given = source is not None and not source.name.startswith("DEFAULT")
        if parameter.name in names and given:
            stop(USAGE, f"{parameter.opts[0]}: {why}")


def check_folders(folders: Sequence[str], printer: "FindingsPrinter") -> None:
    """Judge the answer in every folder, and print what is found."""
    from harness.data.fetching import DataMissingError
    from harness.handover.folder import HandoverError
    from harness.handover.judging import check

    for name in folders:
        try:
            finding, remarks = check(Path(name))
        except HandoverError as error:
            stop(USAGE, str(error))
        except DataMissingError as error:
            stop(ENVIRONMENT, str(error))
        printer.add(finding)
        printer.remark(finding.framework, remarks)
