"""One adapter per framework. Each imports `harness.trainer` and its own framework, no more."""
