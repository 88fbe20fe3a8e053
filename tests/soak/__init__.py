"""Runs that are broken again and again, and have to end as one that was not: `python -m tests.soak`."""
