"""Run a plan on the workers of a Dask cluster.

Dask carries the ids of trials to its workers, and "done" back. Every trial is a process of its
own, started by the worker as the local runner starts it. What is computed travels through the
run's folder, which all machines see: rows on disk are the only state.
"""
