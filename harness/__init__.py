"""samestep: the same network, from the same weights, on the same batches, in every framework.

This package knows experiments, never a framework; `implementations` knows frameworks,
never an experiment's name. They meet in `harness.trainer`, the contract.

Nothing is imported here on purpose: a worker sets threads and affinity before NumPy loads.
"""

__version__ = "0.1.0"
