"""`doctor`: what slows this machine."""

import sys

from harness.cli import options
from harness.cli.console import console
from harness.cli.exits import INTERRUPTED, USAGE, interrupt_on_sigterm, stop


def doctor(
    frameworks: options.FrameworksOption = "", json_output: options.JsonOption = False
) -> None:
    """List what slows this machine, and how to fix it.

    Shows the machine, the installed frameworks and libraries, and how fast each of them computes.
    """
    from harness.execute.inspecting import inspect
    from harness.registry import UnknownFrameworkError
    from harness.report import doctor as report

    errors = console(stderr=True)
    interrupt_on_sigterm()
    try:
        facts = inspect(
            options.adapters(frameworks), lambda line: report.print_progress(line, errors)
        )
    except UnknownFrameworkError as error:
        stop(USAGE, str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if json_output:
        print(report.as_json(facts))
    else:
        report.print_facts(facts, console())
    sys.exit(report.exit_code(facts))
