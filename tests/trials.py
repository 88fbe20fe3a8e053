"""Trials for tests that need no plan."""

from dataclasses import replace
from typing import Any

from harness.experiment.vocabulary import Device, Dtype, Purpose, Track
from harness.plan import Trial

MEASURED = Trial(
    purpose=Purpose.MEASURE,
    experiment="test",
    framework="numpy",
    loop="stepwise",
    track=Track.IDENTICAL,
    seed=0,
    repeat=0,
    device=Device.CPU,
    dtype=Dtype.FLOAT32,
    threads=1,
    id="test",
)


def trial_of(**changes: Any) -> Trial:
    """A measured trial of NumPy's stepwise loop on one CPU in float32, changed as stated."""
    return replace(MEASURED, **changes)
