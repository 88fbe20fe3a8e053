"""How many bits the products of a trace have that is further from float64 than float32 is.

Tensor cores round both operands of a product to TF32 (10 bits behind the point), and automatic
mixed precision to bfloat16 (7) or float16 (10). Operands rounded to k bits behind the point have
relative errors of up to u = 2^-(k + 1), about u / sqrt(3) in the mean square; so has a sum of
products of random sign about sqrt(2 / 3) u, from both operands.
"""

import dataclasses
import math

import numpy as np

from harness.experiment.model import Experiment
from harness.parity.judgement import Judgement
from harness.parity.trace import Trace, expected_trace
from harness.trainer import Array

FEWEST, MOST = 3, 20
"""Bits behind the point that can be told: float32 has 23."""
SPREAD_OVER = 0.5
"""The share of the numbers that differ, if it is the products and not one mistaken number."""
NAMES, NAMED_FROM = {7: "bfloat16 has 7", 10: "float16 and TF32 have 10"}, 200
"""Formats, and of how many numbers the bits are known well enough to name one."""


def with_precision(
    judgement: Judgement, trace: Trace, experiment: Experiment, seed: int
) -> Judgement:
    """Return the judgement of a float32 trace with what it looks like, in words.

    Args:
        judgement: that the trace differs.
        trace: of the adapter, in float32.
        experiment: of a proof's length.
        seed: of the trace's start.
    """
    failed = judgement.first_failure
    if failed is None or failed.name not in ("outputs", "gradients"):
        return dataclasses.replace(judgement, reason=f"seen first in {judgement.reason}")
    expected = expected_trace(experiment, seed)
    found = [W for W, _ in trace.output_pairs]
    right = [W for W, _ in expected.output_pairs]
    if failed.name == "gradients":
        found, right = [W for W, _ in trace.gradients], [W for W, _ in expected.gradients]
    bits = product_bits(found, right)
    if bits is None:
        return dataclasses.replace(judgement, reason=f"seen first in {judgement.reason}")
    known = ""
    if sum(values.size for values in right) >= NAMED_FROM:
        known = next((f" ({name})" for k, name in NAMES.items() if abs(k - bits) <= 1), "")
    reason = f"products of about {bits} bits{known}, float32 has 23; seen first in "
    return dataclasses.replace(judgement, reason=reason + judgement.reason)


def product_bits(found: list[Array], right: list[Array]) -> int | None:
    """Return about how many bits behind the point the products had; None where it is not that.

    Args:
        found: tensors that are sums of products.
        right: the same in float64.
    """
    a = np.concatenate([np.ravel(values).astype(np.float64) for values in found])
    b = np.concatenate([np.ravel(values) for values in right])
    if a.shape != b.shape or not b.any() or not np.isfinite(a).all():
        return None
    differs = np.abs(a - b) > np.abs(b) * 2.0**-MOST
    if differs[b != 0].mean() < SPREAD_OVER:
        return None
    ratio = math.sqrt(float(((a - b) ** 2).mean() / (b**2).mean()))
    bits = round(-math.log2(ratio / math.sqrt(2 / 3)) - 1)
    return bits if FEWEST <= bits <= MOST else None
