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

FORMATS = {
    8: "products of about 7 bits (bfloat16)",
    11: "products of about 10 bits (float16 or TF32)",
    24: "products of float32 inside a float64 proof",
}
"""Significant bits, the leading one included, and what has so many behind the leading one."""
ALIKE = {8: 0.5, 11: 0.5, 24: 0.2}
"""Least correlation of two errors, by significant bits. In float32 the order of sums, which is the
library's own, makes errors as large as the operands do."""
CERTAIN = 6.0
"""How many standard deviations a correlation is from none, at least."""


def low_precision(case: Case) -> str:
    """Return which of the formats the errors of the trace are those of; "" if of none."""
    best, words = 0.0, ""
    for bits, name in FORMATS.items():
        for where in ("everywhere", "training", "forward", "forward in training"):
            simulated = case.simulated(Switches(product_bits=bits, products_where=where))
            likeness = _likeness(case, simulated)
            if likeness > max(best, ALIKE[bits]):
                place = "" if where in ("everywhere", "forward") else ", in training only"
                best, words = likeness, f"it computes {name}{place}"
    return words


def _likeness(case: Case, simulated: Trace) -> float:
    """The correlation of both errors over outputs and gradients; 0 where it proves nothing."""
    found, right = case.trace, case.expected
    of_trace = _errors(found, right)
    of_simulated = _errors(simulated, right)
    common = [name for name in of_simulated if name in of_trace]
    if not common:  # all outputs and gradients are 0
        return 0.0
    a = np.concatenate([of_trace[name] for name in common])
    b = np.concatenate([of_simulated[name] for name in common])
    if not np.isfinite(a).all() or not a.any() or not b.any():
        return 0.0
    sizes = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    correlation = float(a @ b) / (sizes[0] * sizes[1])
    ratio = sizes[0] / sizes[1]
    # Fisher's z: atanh of a correlation of n pairs has a standard deviation of 1 / sqrt(n - 3)
    z = math.atanh(min(correlation, 1 - 1e-15)) * math.sqrt(max(int(np.count_nonzero(b)) - 3, 0))
    return correlation if z > CERTAIN and 0.2 < ratio < 5 else 0.0


def _errors(trace: Trace, right: Trace) -> dict[object, Floats]:
    """The errors of every tensor of outputs and gradients, each relative to its largest number.

    A tensor that is nearly 0 is measured against a thousandth of the largest.
    """
    errors: dict[object, Floats] = {}
    for group, found, expected in (
        ("outputs", trace.output_pairs, right.output_pairs),
        ("gradients", trace.gradients, right.gradients),
    ):
        values, sizes = dict(named(found)), [np.abs(v).max(initial=0) for _, v in named(expected)]
        for name, b in named(expected):
            scale = max(float(np.abs(b).max(initial=0)), 1e-3 * max(sizes))
            if scale and name in values and values[name].shape == b.shape:
                errors[group, name] = (values[name] - b).ravel() / scale
    return errors
