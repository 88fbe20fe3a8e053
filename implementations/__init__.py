"""One adapter per framework. Each imports `harness.trainer` and its framework, nothing else."""
