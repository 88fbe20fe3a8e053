"""Lanes: everything is done once, in order where there is one lane, and Ctrl-C is heard."""

import signal
import threading
import time

import pytest

from harness.execute.lanes import in_lanes

pytestmark = pytest.mark.xdist_group("processes")


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_each_item_once_and_begun_in_order(lanes):
    begun = []

    def work(item, lane):
        begun.append(item)
        assert 0 <= lane < lanes
        time.sleep(0.001)

    in_lanes(list(range(40)), work, lanes, lambda: None)
    assert sorted(begun) == list(range(40))
    if lanes == 1:
        assert begun == list(range(40))


def test_two_lanes_work_at_once():
    both = threading.Barrier(2, timeout=10)
    lanes = set()

    def work(item, lane):
        both.wait()
        lanes.add(lane)

    in_lanes(["a", "b"], work, 2, lambda: None)
    assert lanes == {0, 1}


def test_an_error_ends_all_lanes():
    done = []

    def work(item, lane):
        if item == 1:
            raise ValueError("one")
        done.append(item)
        time.sleep(0.01)

    with pytest.raises(ValueError, match="one"):
        in_lanes(list(range(100)), work, 2, lambda: None)
    assert len(done) < 50


def test_ctrl_c_abandons_what_is_in_progress_and_waits_for_its_end():
    both, abandoned, ended = threading.Barrier(2, timeout=10), threading.Event(), []

    def work(item, lane):
        both.wait()  # a lane that has not begun yet would have nothing to end
        if item == 0:
            signal.raise_signal(signal.SIGINT)
        assert abandoned.wait(10)
        time.sleep(0.3)
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        in_lanes([0, 1, 2, 3], work, 2, abandoned.set)
    assert sorted(ended) == [0, 1]
