"""A file of the user's to columns: CSV, TSV, Parquet, NumPy's arrays and IDX as people have them.

`sources` reads the files that make a table, `select` makes inputs and targets of its columns, and
`describe` says what is in it. Nothing is guessed that changes numbers: what cannot be told apart is
refused with what to write. The room imports nothing of ours. pandas, NumPy and pyarrow are imported
only when a file is read.
"""

from harness.tables.errors import TableError

__all__ = ["ARRAY_SUFFIXES", "IDX_SUFFIXES", "SUFFIXES", "TARGET_SUFFIXES", "TableError"]

IDX_SUFFIXES = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz")
"""Ends of the names of files like MNIST's, `train-images-idx3-ubyte.gz`."""
ARRAY_SUFFIXES = (".npy", *IDX_SUFFIXES)
"""Of files that are one array."""
TARGET_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".npz", ".parquet", *ARRAY_SUFFIXES)
"""Of files that may hold nothing but targets: a target with such an end is a file."""
SUFFIXES = (*TARGET_SUFFIXES, ".txt", ".data")
"""Ends of the names of files that can be read, in lower case."""
