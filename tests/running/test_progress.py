"""What is printed while a plan runs: counters that count on, and a time left that does not jump."""

import io
import re

import pytest
from rich.console import Console

from harness.plan import Request
from harness.planning import make_plan
from harness.running.progress import Announcer
from harness.running.time_left import FASTEST, SLOWEST, TRUSTED_S, TimeLeft
from harness.trial.outcome import blank_row
from tests.report.pages import SAME

PLACE = re.compile(r"^\[(?:(rerun|proof) )?(\d+)/(\d+)\]")


@pytest.fixture
def plan():
    return make_plan(Request(("and", "or", "digits-mlp"), ("numpy", "jax"), seeds=2))


def row_of(plan, trial, status="ok", **columns):
    experiment = plan.experiments[trial.experiment]
    return blank_row(trial, plan.digest, "1", experiment, status, None, **columns)


def run(plan, announcer, reruns, worse=(), given_up=0):
    """Report a run as `Runner` does; yield after every event."""
    for trial in plan.trials:
        announcer.started(trial)
        yield
        announcer.finished(trial, row_of(plan, trial), [])
        yield
    for count in reruns:
        again = plan.trials[:count]
        announcer.rerunning(again)
        for number, trial in enumerate(again[: count - given_up]):
            announcer.started(trial)
            yield
            announcer.reran(trial, row_of(plan, trial), kept=number in worse)
            yield
        if given_up:
            announcer.gave_up(given_up, "enough")
    for proof in plan.proofs:
        announcer.proved(proof, SAME, [])
        yield


def test_counters_count_on_in_reruns_and_proofs(plan):
    stream = io.StringIO()
    with Announcer(plan, Console(file=stream, width=140)) as announcer:
        for _ in run(plan, announcer, reruns=(4, 2), worse=(1,)):
            pass
    places = [PLACE.match(line) for line in stream.getvalue().splitlines()]
    counts = {"": [], "rerun": [], "proof": []}
    for place in filter(None, places):
        counts[place[1] or ""].append((int(place[2]), int(place[3])))
    trials, proofs = len(plan.trials), len(plan.proofs)
    assert counts[""] == [(n + 1, trials) for n in range(trials)]
    assert counts["proof"] == [(n + 1, proofs) for n in range(proofs)]
    assert counts["rerun"] == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6)]
    assert stream.getvalue().count("disturbed more; the earlier row stays") == 2


def test_the_bar_shows_the_counters_of_the_lines(plan, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    console = Console(file=io.StringIO(), width=140, force_terminal=True)
    with Announcer(plan, console) as announcer:
        events = run(plan, announcer, reruns=(3,), given_up=1)
        shown = [announcer.bar.tasks[0].description for _ in events]
        (bar,) = announcer.bar.tasks
        assert bar.completed == bar.total == len(plan.trials) + 2 + len(plan.proofs)
    places = [PLACE.match(text) for text in shown]
    assert all(places)
    trials = [int(place[2]) for place in places if not place[1]]
    assert trials == sorted(trials)
    assert trials[0] == 1
    assert trials[-1] == len(plan.trials)
    assert next(place[0] for place in places if place[1] == "rerun") == "[rerun 1/3]"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("pace", [0.2, 1.0, 2.5, 6.0])
def test_the_time_left_does_not_jump(plan, pace):
    """Whatever the pace, an event changes it by little more than its own trial, or than reruns."""
    estimates = {trial.id: 6.0 for trial in (*plan.trials, *plan.proofs)}
    clock = Clock()
    left = TimeLeft(estimates, clock)
    total = before = left.seconds
    assert total == 6.0 * len(estimates)
    for trial in plan.trials:
        left.begin(trial)
        assert left.seconds == pytest.approx(before)
        clock.now += 6.0 * pace
        left.end(trial, is_typical=True)
        correction = abs(pace - 1) * total * 6.0 / (TRUSTED_S + 6.0)
        assert before - left.seconds < 6.0 * SLOWEST + correction
        assert left.seconds - before < correction + 1e-9
        before = left.seconds
    bounded = min(max(pace, FASTEST), SLOWEST)
    per_proof = left.seconds / (6.0 * len(plan.proofs))
    assert min(1.0, bounded) <= per_proof <= max(1.0, bounded)
    left.plan_reruns(plan.trials[:5])
    assert left.seconds == pytest.approx(before + 5 * 6.0 * per_proof)
    left.begin(plan.trials[0])
    clock.now += 6.0
    left.end_rerun(plan.trials[0])
    assert left.seconds == pytest.approx(before + 4 * 6.0 * per_proof)
    left.drop_reruns()
    assert left.seconds == pytest.approx(before)
    for proof in plan.proofs:
        left.end(proof)
    assert left.seconds == 0.0


def test_a_long_trial_uses_up_its_own_time_alone(plan):
    clock = Clock()
    left = TimeLeft({trial.id: 10.0 for trial in plan.trials}, clock)
    others = 10.0 * (len(plan.trials) - 1)
    left.begin(plan.trials[0])
    for now, expected in ((4.0, others + 6.0), (10.0, others), (500.0, others)):
        clock.now = now
        assert left.seconds == pytest.approx(expected)
