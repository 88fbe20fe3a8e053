"""The neutral start: from (experiment, seed) to initial parameters and batches.

NumPy draws everything, so no framework's generator is ever used. PCG64 has one stream for the
parameters and one for the batches of every epoch (`parameters`, `batches`). Where a protocol
repeats the seeded run of a source, one `RandomState` draws everything (`random_state`). `task`
makes what an adapter is given.
"""

from harness.start.batches import BatchPlan, checksum, piece
from harness.start.constants import (
    float32,
    given,
    given_loss,
    given_network,
    given_number,
    rounded,
)
from harness.start.digest import start_digest
from harness.start.parameters import initial_parameters
from harness.start.task import task_of

__all__ = [
    "BatchPlan",
    "checksum",
    "float32",
    "given",
    "given_loss",
    "given_network",
    "given_number",
    "initial_parameters",
    "piece",
    "rounded",
    "start_digest",
    "task_of",
]
