"""Adapters against plain hand-written loops: `python -m tests.bench`."""
