"""Name to arrays: datasets read or fetched, features, splits and scaling.

`load` gives what a trial trains on; `fetching` brings MNIST and Fashion-MNIST to this machine.
"""

from harness.data.prepared import Prepared, load

__all__ = ["Prepared", "load"]
