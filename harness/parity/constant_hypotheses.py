"""Other constants of an update rule: usual values, and the same rounded to float32 or exact."""

from collections.abc import Iterator
from typing import Any

from harness.parity.estimates import Case
from harness.parity.switches import Switches
from harness.start import float32

OTHER_EPSILONS = (1e-7, 1e-8, 1e-6, 1e-10, 1e-16, 1e-5, 1e-4, 1e-3)
OTHER_BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999)


def constants(**changes: Any) -> Switches:
    """Return the mistake of an update rule with these constants or forms, by name."""
    return Switches(rule=tuple(changes.items()))


def others(
    who: str, numbers: tuple[float, ...], given: float, case: Case
) -> Iterator[tuple[float, str]]:
    """Yield other values of a constant, each rounded to float32 or not, and the words for it."""
    other_form = "exactly, not rounded to float32 as in the task"
    if case.given(given) == given:
        other_form = "rounded to float32, not exactly"
    for number in dict.fromkeys((*numbers, given)):
        for value in dict.fromkeys((float32(number), number)):
            if value == case.given(given):
                continue
            if float32(number) == float32(given):
                yield value, f"{who} is {number:g} {other_form}"
            else:
                yield value, f"{who} is {number:g}, not {given:g}"
