"""The words that protocols, plans, columns and options share. Each value is what a row says.

This module imports the standard library only, because the command and the worker use the words
before NumPy is loaded.
"""

from enum import StrEnum


class Track(StrEnum):
    """Whether an adapter follows the given start and batches, or a library's own solver trains."""

    IDENTICAL = "identical"
    NATIVE = "native"


class Loop(StrEnum):
    """The three levels of a training loop, slowest first."""

    IDIOMATIC = "idiomatic"
    STEPWISE = "stepwise"
    FUSED = "fused"


COMMAND = "cmd:"
"""What a request for a command begins with, see `harness.command_line`."""
OWN_LOOP = "own"
"""What a command has in place of a loop: which one its program has is not known."""


class Dtype(StrEnum):
    """The precision of parameters and data."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Device(StrEnum):
    """Where to compute; `auto` takes a GPU where the framework sees one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Preset(StrEnum):
    """How much of the catalogue is run, and how often."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class Purpose(StrEnum):
    """What a trial is for."""

    MEASURE = "measure"
    """Train, time and score."""
    PROOF = "proof"
    """Leave the trace of a short run, for the ladder."""
    PROOF_IN_DETAIL = "proof, closely"
    """Leave the trace of a proof that failed, with its first 20 steps."""
    PROOF_AS_TIMED = "proof, as timed"
    """Leave the trace of a shorter run in the precision that is timed, if that is another."""
    LIMIT = "limit"
    """Time the matrix products of an installed framework that the user did not name."""
    MANY_STARTS = "many seeds"
    """Train from many starts at once, untimed, for a success rate."""


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    UNSUPPORTED = "unsupported"
    MISSING = "missing"
    DIVERGED = "diverged"
    TIMEOUT = "timeout"
    OOM = "oom"
    CRASHED = "crashed"
    ERROR = "error"
    INTERRUPTED = "interrupted"

    @property
    def done(self) -> bool:
        """Whether a trial with this status is not run again."""
        return self in (Status.OK, Status.UNSUPPORTED)

    @property
    def failed(self) -> bool:
        """Whether this status makes a command exit with 1."""
        return not self.done and self is not Status.MISSING
