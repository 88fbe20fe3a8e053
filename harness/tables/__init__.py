"""A file of the user's to columns: CSV, TSV and NumPy archives as people have them.

`read` takes a file apart, `select` makes inputs and targets of its columns, and `describe` says
what is in it. Nothing is guessed that changes numbers: what cannot be told apart is refused with
what to write. The room imports nothing of ours. pandas and NumPy are imported only when a file
is read.
"""

from harness.tables.errors import TableError

__all__ = ["SUFFIXES", "TableError"]

SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".csv.gz", ".tsv.gz", ".npz")
"""Ends of the names of files that can be read, in lower case."""
