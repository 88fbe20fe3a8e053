"""Products of few bits: the errors of a trace are those that rounding to so many bits makes.

Nothing reproduces such a trace to the last digit, because every library rounds and sums in its
own way. But the errors of the operands are the same for all, so the errors of a trace go along
with those of the oracle with rounded operands. Errors of another cause do not.
"""

import math

import numpy as np

from harness.parity.estimates import Case, named
from harness.parity.functions import Floats
from harness.parity.switches import Switches
from harness.parity.trace import Trace
from harness.trainer import Parameters

FORMATS = {
    8: "products of about 7 bits (bfloat16)",
    11: "products of about 10 bits (float16 or TF32)",
    24: "products of float32 inside a float64 proof",
}
"""Significant bits, the leading one included, and what has so many behind the leading one."""
ALIKE, CERTAIN = 0.5, 6.0
"""Least correlation of two errors, and how many standard deviations it is from none."""


def low_precision(case: Case) -> str:
    """Return which of the formats the errors of the trace are those of; "" if of none."""
    best, words = 0.0, ""
    for bits, name in FORMATS.items():
        for where in ("everywhere", "training", "forward", "forward in training"):
            simulated = case.simulated(Switches(product_bits=bits, products_where=where))
            likeness = _likeness(case, simulated)
            if likeness > best:
                place = "" if where in ("everywhere", "forward") else ", in training only"
                best, words = likeness, f"it computes {name}{place}"
    return words


def _likeness(case: Case, simulated: Trace) -> float:
    """The correlation of both errors over outputs and gradients; 0 where it proves nothing."""
    found, right = case.trace, case.expected
    of_trace = _errors(found, right, right)
    of_simulated = _errors(simulated, right, right)
    a = np.concatenate([of_trace[name] for name in of_simulated if name in of_trace])
    b = np.concatenate([of_simulated[name] for name in of_simulated if name in of_trace])
    if not np.isfinite(a).all() or not a.any() or not b.any():
        return 0.0
    correlation = float(a @ b / math.sqrt((a @ a) * (b @ b)))
    ratio = float(np.linalg.norm(a) / np.linalg.norm(b))
    alike = correlation > ALIKE and correlation * math.sqrt(len(a)) > CERTAIN
    return correlation if alike and 0.2 < ratio < 5 else 0.0


def _errors(trace: Trace, right: Trace, scale: Trace) -> dict[object, Floats]:
    """The errors of every tensor of outputs and gradients, each relative to its largest number."""
    tensors: Parameters = [(scale.outputs, None), *right.gradients]
    others: Parameters = [(trace.outputs, None), *trace.gradients]
    values = dict(named(others))
    return {
        name: (values[name] - b).ravel() / size
        for name, b in named(tensors)
        if name in values and values[name].shape == b.shape and (size := float(np.abs(b).max()))
    }
