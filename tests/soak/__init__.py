"""Runs that are broken at random, and have to end as one that was not: `python -m tests.soak`."""
