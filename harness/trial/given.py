"""Whether what an adapter was given is still what it was.

The arrays are read-only, but NumPy lets anybody lift that. Data is shared by all trials of a
process, so a change would reach trials that did not make it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from harness.data.prepared import Prepared, checksums_of
from harness.parameters import named_arrays
from harness.trainer import Array, Parameters
from harness.trial.outcome import GivenChanged, Outcome


def arrays_of_start(parameters: Parameters) -> dict[str, Array]:
    """Return the parameters that a trial starts from, by what they are."""
    return {f"initial {array}": array.values for array in named_arrays(parameters)}


@contextmanager
def data_left_alone(prepared: Prepared, outcome: Outcome) -> Iterator[None]:
    """Make sure that code leaves the data as it was before the process's first trial on it.

    As `left_alone`.
    """
    with left_alone(prepared.arrays, outcome, lambda: prepared.checksums):
        yield


@contextmanager
def left_alone(
    arrays: Mapping[str, Array],
    outcome: Outcome,
    known: Callable[[], dict[str, int]] | None = None,
) -> Iterator[None]:
    """Make sure that code leaves arrays as they are. What that takes is not counted.

    Args:
        arrays: by what they are.
        outcome: of the trial, whose `not_counted_s` grows.
        known: returns the checksums that the arrays must have; None: those they have now.

    Raises:
        GivenChanged: an array has other numbers now.
    """

    def current() -> dict[str, int]:
        return checksums_of(arrays)

    before = _not_counted(known or current, outcome)
    yield
    after = _not_counted(current, outcome)
    changed = [name for name in arrays if before[name] != after[name]]
    if changed:
        raise GivenChanged(
            f"wrote into the {', '.join(changed)}. What a trainer is given is read-only: copy "
            "what you want to change"
        )


def _not_counted(work: Callable[[], dict[str, int]], outcome: Outcome) -> dict[str, int]:
    began = perf_counter()
    checksums = work()
    outcome.not_counted_s += perf_counter() - began
    return checksums
