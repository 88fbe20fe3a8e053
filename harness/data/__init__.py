"""From the name of a dataset to arrays: reading, features, splits and scaling.

`load` returns the arrays that a trial trains on. `fetching` downloads MNIST and Fashion-MNIST.
"""

from harness.data.prepared import Prepared, load

__all__ = ["Prepared", "load"]
