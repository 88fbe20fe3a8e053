"""A schedule in words, in the caption of a table."""

import pytest
from pydantic import TypeAdapter

from harness.experiment.loading import parse
from harness.experiment.schedules import Schedule
from harness.report.protocol_text import update_rule
from harness.report.schedule_text import schedule_text
from tests.conftest import protocol

BY_STEP = {"by": "step", "first": "unchanged"}
ENDS = {"end_rate": 0.0, "epochs": 10, "by": "epoch", "first": "unchanged"}
WARM_UP = {"steps": 100, "start": 0.0, **BY_STEP}
ONE_CYCLE = {
    "name": "one_cycle", "steps": 90, "rising": 0.3, "start_divisor": 25.0, "end_divisor": 1e4,
    "annealing": "cosine", "three_phases": False, **BY_STEP,
}  # fmt: skip
WORDS = {
    "rate times 0.5 every 5 epochs": {"name": "step_decay", "factor": 0.5, "every_epochs": 5},
    "rate times 0.5 every step, the first step after the first change": {
        "name": "step_decay", "factor": 0.5, "every_steps": 1, "first": "changed",
    },
    "exponential decay by 0.1 in 20 epochs, changed between epochs only": {
        "name": "exponential_decay", "factor": 0.1, "every_epochs": 20, **BY_STEP, "by": "epoch",
    },
    "rate over 1 + 1e-06 t / 1 step": {
        "name": "inverse_time_decay", "factor": 1e-6, "every_steps": 1, "staircase": False,
        **BY_STEP,
    },
    "rate over (1 + t / 10 steps)^0.5": {
        "name": "power_decay", "power": 0.5, "every_steps": 10, **BY_STEP,
    },
    "rate 0.005 after 5 epochs, 0.001 after 15 epochs": {
        "name": "piecewise_constant", "at_epochs": [5, 15], "rates": [0.005, 0.001],
        "first": "unchanged",
    },
    "linear decay to 0 over 10 epochs, changed between epochs only": {
        "name": "polynomial_decay", "power": 1.0, **ENDS,
    },
    "cosine decay to 0 over 10 epochs, changed between epochs only, warm-up over 100 steps from 0, "
    "then the schedule": {
        "name": "cosine_decay", **ENDS, "warm_up": WARM_UP | {"schedule_waits": True},
    },
    "cosine restarts, the first cycle of 10 epochs, each 2 times as long, changed between epochs "
    "only": {"name": "cosine_restarts", "growth": 2.0, "peak_factor": 1.0, **ENDS},
    "1cycle over 90 steps": ONE_CYCLE,
    "warm-up over 100 steps from 0.5 of the rate": {
        "name": "constant", "warm_up": WARM_UP | {"start": 0.5},
    },
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_a_schedule_is_said(words):
    schedule = TypeAdapter(Schedule).validate_python(WORDS[words])
    assert schedule_text(schedule) == words


def test_a_caption_says_the_schedule_beside_the_rate():
    schedule = {"name": "step_decay", "factor": 0.5, "every_epochs": 5}
    experiment = parse(protocol(training__schedule=schedule), "test")
    assert update_rule(experiment) == ("Adam 0.001, rate times 0.5 every 5 epochs, batches of 32")
