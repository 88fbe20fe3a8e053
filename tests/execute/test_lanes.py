"""Lanes: everything is done once, a key never twice at a time, in order, and Ctrl-C is heard."""

import signal
import threading
import time

import pytest

from harness.execute.lanes import in_lanes


def test_each_item_once_and_each_keys_in_order():
    done, running, lock = [], set(), threading.Lock()

    def work(item, lane):
        key = item[0]
        with lock:
            assert key not in running
            running.add(key)
        time.sleep(0.002)
        with lock:
            running.discard(key)
            done.append(item)

    items = [(key, number) for number in range(10) for key in "abc"]
    in_lanes(items, lambda item: item[0], work, 2, lambda: None)
    assert sorted(done) == sorted(items)
    for key in "abc":
        assert [number for k, number in done if k == key] == list(range(10))


def test_two_lanes_work_at_once():
    both = threading.Barrier(2, timeout=10)
    lanes = set()

    def work(item, lane):
        both.wait()
        lanes.add(lane)

    in_lanes(["a", "b"], lambda item: item, work, 2, lambda: None)
    assert lanes == {0, 1}


def test_an_error_ends_all_lanes():
    done = []

    def work(item, lane):
        if item == 1:
            raise ValueError("one")
        done.append(item)
        time.sleep(0.01)

    with pytest.raises(ValueError, match="one"):
        in_lanes(list(range(100)), lambda item: item % 2, work, 2, lambda: None)
    assert len(done) < 50


def test_ctrl_c_abandons_what_is_in_progress():
    abandoned = threading.Event()

    def work(item, lane):
        if item == 0:
            signal.raise_signal(signal.SIGINT)
        assert abandoned.wait(10)

    with pytest.raises(KeyboardInterrupt):
        in_lanes([0, 1, 2, 3], lambda item: item, work, 2, abandoned.set)


def test_no_thread_ends_before_the_last_item():
    """A worker that a lane started dies with its thread, and another lane may be using it."""
    both, threads = threading.Barrier(2, timeout=10), set()

    def work(item, lane):
        threads.add(threading.current_thread())
        both.wait()
        if item == "long":
            time.sleep(0.3)
            assert len(threads) == 2
            assert all(thread.is_alive() for thread in threads)

    in_lanes(["short", "long"], lambda item: item, work, 2, lambda: None)
