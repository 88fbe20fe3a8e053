"""`compare`: what changed between two runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options, outputs, run_plan
from harness.cli.console import console
from harness.cli.exits import FAILED, OK, USAGE, say, stop

if TYPE_CHECKING:
    from harness.analysis.gates import Gate

SUFFIXES = (".md", ".json", ".html")


def compare(
    a: Annotated[Path, typer.Argument(help="Folder of the run to compare with.")],
    b: Annotated[Path, typer.Argument(help="Folder of the other run.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help='Exit with 1 if B is worse, such as "time>5%" or "accuracy>1%". Lines that are '
            "not proven count too. May be repeated.",
        ),
    ] = None,
    output: Annotated[list[str] | None, outputs.file_option(SUFFIXES)] = None,
    chart: Annotated[list[str] | None, outputs.chart_option("time or time-to-baseline")] = None,
    json_output: options.JsonOption = False,
) -> None:
    """Compare the times and accuracies of two runs.

    Trials are compared in pairs, with confidence intervals. Runs of other machines, devices or
    protocols are refused.
    """
    from harness.report import change_table
    from harness.report.chart_names import COMPARISON
    from harness.report.run_comparison import compare_runs

    gates = [_gate(text) for text in fail_on or ()]
    files = outputs.parse(output, chart, SUFFIXES, COMPARISON)
    comparison = compare_runs((run_plan.read_run(a), run_plan.read_run(b)), gates)
    if comparison.refusal:
        files = [file for file in files if not file.chart]

    def show() -> None:
        if comparison.refusal:
            say(f"{a} and {b} cannot be compared:\n{comparison.refusal}")
        elif json_output:
            print(change_table.as_json(comparison))
        else:
            change_table.print_comparison(comparison, console())
        for failure in comparison.failures:
            say(failure)

    def write(file: Path, chart: str) -> None:
        from harness.report.files import write_comparison

        write_comparison(file, comparison, chart)

    code = USAGE if comparison.refusal else FAILED if comparison.failures else OK
    outputs.finish(show, code, files, write)


def _gate(text: str) -> "Gate":
    from harness.analysis.gates import Gate

    try:
        return Gate.parse(text)
    except ValueError as error:
        stop(USAGE, str(error))
