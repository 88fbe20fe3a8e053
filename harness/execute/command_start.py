"""Runs first in the child that becomes a command: `python command_start.py CPUS PROGRAM WORDS...`.

Affinity, and dying with the parent, are set here and stay when the program takes the child's place:
between fork and exec a parent with threads must not run Python. Imports the standard library only.
"""

import ctypes
import os
import signal
import subprocess
import sys


def main() -> None:
    """Bind this process to its CPUs, and become the program."""
    cpus, words = sys.argv[1], sys.argv[2:]
    if cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, map(int, cpus.split(",")))
    if sys.platform.startswith("linux"):
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and programs would too
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if os.name == "nt":  # exec would start another process there, and end this one
        sys.exit(subprocess.call(words))
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.exit(f"{words[0]}: cannot be run ({error.strerror})")


if __name__ == "__main__":
    main()
