"""The neutral start: from (experiment, seed) to initial parameters and batches.

NumPy draws everything, so no framework's generator is ever used: PCG64, with one stream for the
parameters and one for every epoch's batches; or, where the protocol repeats a seeded run of a
source, that source's legacy generator (`legacy`).
"""

from harness.start.batches import BatchPlan
from harness.start.constants import float32, rounded, rounded_network
from harness.start.digest import start_digest
from harness.start.parameters import PARAMETER_STREAM, TRUNCATED_STD, initial_parameters
from harness.start.task import task_of

__all__ = [
    "PARAMETER_STREAM",
    "TRUNCATED_STD",
    "BatchPlan",
    "float32",
    "initial_parameters",
    "rounded",
    "rounded_network",
    "start_digest",
    "task_of",
]
