"""samestep: the same network, from the same weights, on the same batches, in every framework.

This package knows experiments, never a framework; `implementations` knows frameworks,
never an experiment's name. They meet in `harness.trainer`, the contract.

Nothing is imported here on purpose: a worker sets threads and affinity before NumPy loads.
"""

from typing import TYPE_CHECKING

from harness.__version__ import __version__

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd

__all__ = ["__version__", "load_results"]


def load_results(path: "str | PathLike[str]") -> "pd.DataFrame":
    """Read a run's rows as a table: one row per trial, the public columns of `results.csv`.

    Besides the stored columns (`harness.results.Row`: times in seconds `_s` or microseconds
    `_us`, memory in MiB) these are computed on reading: `parity` (the verdict: same, different,
    not comparable), `parity_detail` (why), `gemm_fraction` and `own_gemm_fraction` (the time of
    a step's matrix products alone, in the machine's fastest and in the framework's own library,
    over the step's time) and `noise` (why a row was measured on a disturbed machine).

    Whole numbers are `Int64`, others `Float64`, text is `string`; what a row does not have is
    `pd.NA`. `attrs` holds `plan`, the digest that names the run, and `machine`.

    Args:
        path: a run's folder such as `results/runs/<plan>`, or a file that `samestep report`
            wrote: its `results.csv`, or a `.csv` or `.json` from `-o`.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it is there and is none of these.

    Example:
        >>> import harness
        >>> table = harness.load_results("results/runs/0123456789abcdef")  # doctest: +SKIP
        >>> table.groupby(["experiment", "framework"]).train_s.median()  # doctest: +SKIP
    """
    from harness.report.read_exports import read

    return read(path)
