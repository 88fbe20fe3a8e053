"""How a command ends: exit codes, an error in one sentence, a signal taken as Ctrl-C."""

import signal
import sys
from typing import NoReturn

OK, FAILED, USAGE, ENVIRONMENT, INTERRUPTED = 0, 1, 2, 3, 130


def stop(code: int, message: str) -> NoReturn:
    """Say why on standard error, and exit."""
    print(message, file=sys.stderr)
    sys.exit(code)


def fail(code: int, message: str) -> int:
    """Say why on standard error, and go on; the code that the command may end with."""
    print(message, file=sys.stderr)
    return code


def interrupt_on_sigterm() -> None:
    """From here on SIGTERM is a KeyboardInterrupt, so that workers end with the command."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
