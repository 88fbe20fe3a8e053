"""`python -m harness` is the `samestep` command, which begins here too.

Python puts the working folder first on its search path for `-m`, and imports modules from there
before this line runs. `samestep` and `python -P -m harness` do not: take these in a folder whose
files you do not trust.
"""

import os
import sys


def _forget_working_folder() -> None:
    """Import nothing more from the working folder, unless this package itself is in it."""
    here = os.getcwd()  # noqa: PTH109 (pathlib would be imported from that folder)
    is_checkout = os.path.isdir(f"{here}/harness")  # noqa: PTH112
    if not sys.flags.safe_path and not is_checkout:
        sys.path[:] = [place for place in sys.path if place not in ("", here)]


def start() -> None:
    """Run the command. Ctrl-C while it is still being imported ends it quietly, too."""
    import atexit
    import signal

    # Called last, when nothing is waited for any more: another Ctrl-C changes no exit code.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        from harness.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    _forget_working_folder()
    start()
