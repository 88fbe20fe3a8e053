"""A plan divided: every trial in one part, blocks whole, the parts about equally long."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.experiment.vocabulary import Preset
from harness.plan import Request
from harness.planning import make_plan
from harness.report.trial_durations import estimates_anywhere_s
from harness.shards import Shard, part_of

PLAN = make_plan(
    Request(("and", "xor-mlp", "digits-mlp"), ("numpy", "sklearn"), preset=Preset.STANDARD)
)
UNTIMED = make_plan(Request(("and", "digits-mlp"), ("numpy",), seeds=7, timed=False))


def parts(plan, count):
    estimates_s = estimates_anywhere_s(plan)
    return [part_of(plan, Shard(number, count), estimates_s) for number in range(1, count + 1)]


def block(trial):
    return trial.experiment, trial.seed, trial.repeat, trial.threads


@settings(max_examples=20)
@given(st.integers(1, 30), st.sampled_from([PLAN, UNTIMED]))
def test_every_trial_is_in_one_part(count, plan):
    divided = parts(plan, count)
    assert Counter(trial.id for part in divided for trial in part.trials) == Counter(
        trial.id for trial in plan.trials
    )
    for part in divided:
        order = [plan.trials.index(trial) for trial in part.trials]
        assert order == sorted(order)
        assert part.digest == plan.digest
        cells = {(t.experiment, t.framework, t.loop) for t in part.trials}
        assert {(p.experiment, p.framework, p.loop) for p in part.proofs} == cells
        assert {limit.experiment for limit in part.limits} <= {t.experiment for t in part.trials}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_blocks_are_whole(count):
    """Ratios of times are taken inside a block, which one machine must measure."""
    for part in parts(PLAN, count):
        blocks = {block(trial) for trial in part.trials}
        assert [t for t in PLAN.trials if block(t) in blocks] == list(part.trials)


@pytest.mark.parametrize("count", [2, 3])
def test_parts_take_about_as_long(count):
    """No part is longer than the shortest by more than the longest block."""
    estimates_s = estimates_anywhere_s(PLAN)
    loads = [sum(estimates_s[t.id] for t in part.trials) for part in parts(PLAN, count)]
    blocks = Counter()
    for trial in PLAN.trials:
        blocks[block(trial)] += estimates_s[trial.id]
    assert max(loads) - min(loads) <= max(blocks.values()) * 1.000001


def test_without_times_every_trial_is_a_unit():
    assert sorted(len(part.trials) for part in parts(UNTIMED, 14)) == [1] * 14


@pytest.mark.parametrize("text", ["1/1", "2/5", " 5/5 "])
def test_a_part_is_read(text):
    assert str(Shard.parse(text)) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["", "0/5", "6/5", "1", "1/0", "a/b", "1/5/2", "-1/5", "1.0/5", "1/99999", "\u0662/\u0665"],
)
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match="--shard must be i/n"):
        Shard.parse(text)
