"""The digest of a start: two trials that share it started from the same numbers."""

import hashlib

import numpy as np

from harness.start.batches import BatchPlan
from harness.trainer import Parameters


def start_digest(parameters: Parameters, plan: BatchPlan | None) -> str:
    """Return 16 hexadecimal digits over the parameters and the first epoch's batches.

    Parameters are hashed as float64. A network that only predicts has no plan.
    """
    hasher = hashlib.sha256()
    for pair in parameters:
        for array in pair:
            if array is not None:
                hasher.update(np.ascontiguousarray(array, dtype=np.float64).data)
    if plan is not None:
        batches = plan.segment(0, min(plan.steps, plan.steps_per_epoch))
        if batches.rows is not None:
            hasher.update(batches.rows.data)
        hasher.update(batches.sizes.data)
        for masks in batches.masks:
            hasher.update(masks.data)
    return hasher.hexdigest()[:16]
