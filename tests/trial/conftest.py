"""A clock that only a test moves."""

import pytest


class Clock:
    """Shows as much as it was moved: seconds, and those of all CPUs together."""

    current = None

    def __init__(self):
        self.seconds = self.cpu_seconds = 0.0

    def pass_by(self, seconds, cpus=1.0):
        self.seconds += seconds
        self.cpu_seconds += cpus * seconds


@pytest.fixture
def clock(monkeypatch):
    """What trials are timed by, and `Clock.current`."""
    shown = Clock()
    wall, cpu = "harness.clock.stopwatch.perf_counter_ns", "harness.trial.training.process_time"
    monkeypatch.setattr(wall, lambda: round(shown.seconds * 1e9))
    monkeypatch.setattr(cpu, lambda: shown.cpu_seconds)
    monkeypatch.setattr(Clock, "current", shown)
    return shown
