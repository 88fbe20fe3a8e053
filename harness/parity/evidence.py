"""Whether a mistake that reproduces an answer is more than a coincidence.

Hundreds of mistakes are tried. One of them may well move a single number as far as it is wrong.
So each number counts by how far it is wrong, relative to what the mistake leaves of it.
"""

import numpy as np

from harness.parity.estimates import Case, named
from harness.parity.functions import Floats
from harness.parity.hypotheses import Hypothesis
from harness.parity.trace import Trace

DECADES = 6.0
"""Decades of difference that a mistake must explain, over all numbers: a coincidence in a million,
of a few hundred that are tried."""


def is_no_coincidence(case: Case, simulated: Trace, hypothesis: Hypothesis) -> bool:
    """Whether the numbers that a mistake explains are enough to name it.

    Args:
        case: what was handed back.
        simulated: what the oracle leaves with the mistake.
        hypothesis: the mistake. A number that was read off the trace takes one number's weight.
    """
    decades = np.concatenate(
        [
            np.zeros(1),
            *(_decades(*part, case.digits.insignificant) for part in _parts(case, simulated)),
        ]
    )
    return float(np.sort(decades)[: len(decades) - hypothesis.estimated].sum()) >= DECADES


def _decades(found: Floats, right: Floats, simulated: Floats, rounding: float) -> Floats:
    """log10 of how far each number is wrong, over what the mistake leaves of that."""
    scale = float(np.abs(right).max(initial=0)) or 1.0
    gaps, left = np.abs(found - right) / scale, np.abs(found - simulated) / scale
    ratio = gaps / np.maximum(left, rounding)
    decades: Floats = np.log10(np.maximum(np.nan_to_num(ratio, nan=1.0), 1.0)).ravel()
    return decades


def _parts(case: Case, simulated: Trace) -> list[tuple[Floats, Floats, Floats]]:
    """What was handed back, what is right, and what the mistake leaves, part by part."""
    trace, expected = case.trace, case.expected
    groups = [
        (trace.output_pairs, expected.output_pairs, simulated.output_pairs),
        (trace.gradients, expected.gradients, simulated.gradients),
    ]
    steps = set(trace.parameters) & set(expected.parameters) & set(simulated.parameters)
    groups += [
        (trace.parameters[step], expected.parameters[step], simulated.parameters[step])
        for step in sorted(steps)
    ]
    parts = []
    for found, right, made in groups:
        values, others = dict(named(right)), dict(named(made))
        parts += [(a, values[name], others[name]) for name, a in named(found)]
    if trace.losses is not None and expected.losses is not None and simulated.losses is not None:
        parts.append((trace.losses, expected.losses, simulated.losses))
    return parts
