"""How a command ends: exit codes, an error in one sentence, a signal handled like Ctrl-C."""

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from harness.experiment.vocabulary import Status
from harness.untrusted import printable

if TYPE_CHECKING:
    from harness.run import Run

OK, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130


def stop(code: int, message: str) -> NoReturn:
    """Print the message on standard error, and exit with the code."""
    say(message)
    sys.exit(code)


def fail(code: int, message: str) -> int:
    """Print the message on standard error, and return the code for a later exit."""
    say(message)
    return code


def say(message: str) -> None:
    """Print a message on standard error; nothing that it quotes controls the terminal."""
    print(printable(message), file=sys.stderr)


def exit_code(run: "Run") -> int:
    """Return the exit code of a run that was not interrupted."""
    if run.rows and all(row.status == Status.MISSING for row in run.rows):
        return ENVIRONMENT
    broken = any(
        judgement.refuted or judgement.status.failed for judgement in run.verdicts.values()
    )
    return FAILED if broken or any(row.failed for row in run.rows) else OK


def interrupt_on_sigterm() -> None:
    """Raise KeyboardInterrupt on SIGTERM from now on, as on Ctrl-C, so that workers end, too.

    What came is counted, see `interrupted_twice`.
    """
    _came.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # it may be ignored
        signal.signal(signal.SIGINT, _interrupt)


def interrupted_twice() -> bool:
    """Whether the user does not want to wait even for a partial report."""
    return len(_came) > 1


_came: list[int] = []


def _interrupt(number: int, frame: object) -> NoReturn:
    _came.append(number)
    raise KeyboardInterrupt
