"""Who has which CPUs of a machine, and who is alone there."""

import os
import threading

import pytest

from harness.clock.environment import allowed_cpus
from harness.cluster import host
from harness.cluster.host import Abandoned, node_of, place

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")


@pytest.fixture(autouse=True)
def four_cpus(tmp_path, monkeypatch):
    """Four CPUs, and locks that no other test has."""
    monkeypatch.setattr(host, "_folder", lambda: tmp_path)
    monkeypatch.setattr(host, "allowed_cpus", lambda: [0, 1, 2, 3])


def never():
    return False


def at_once():
    return True


def test_trials_have_cpus_of_their_own():
    with place(1, False, never) as first, place(2, False, never) as second:
        assert (first, second) == ([3], [1, 2])
        with pytest.raises(Abandoned), place(2, False, at_once):
            pass
        with place(1, False, at_once) as third:
            assert third == [0]
    with place(9, False, at_once) as all_of_them:
        assert all_of_them == [0, 1, 2, 3]


def test_a_timed_trial_is_alone(monkeypatch):
    monkeypatch.setattr(host, "_move_threads", lambda cpus: None)
    with place(1, True, never) as cpus:
        assert cpus == [3]
        for alone in (True, False):
            with pytest.raises(Abandoned), place(1, alone, at_once):
                pass
    with place(1, False, at_once), pytest.raises(Abandoned), place(1, True, at_once):
        pass


def test_who_waits_to_be_alone_is_next(monkeypatch):
    """Else trials that come and go would keep a timed one out forever."""
    monkeypatch.setattr(host, "_move_threads", lambda cpus: None)
    came, leave = threading.Event(), threading.Event()

    def wait_to_be_alone():
        with place(1, True, lambda: came.set() or False):
            leave.wait()

    waiting = threading.Thread(target=wait_to_be_alone)
    with place(1, False, never):
        waiting.start()
        came.wait()
        with pytest.raises(Abandoned), place(1, False, at_once):  # although CPUs are free
            pass
    leave.set()
    waiting.join()
    with place(1, False, at_once):
        pass


def test_who_waits_for_many_cpus_is_next():
    """Else trials that need few would keep out one that needs many."""
    waits, leave = threading.Event(), threading.Event()

    def wait_for_all():
        with place(4, False, lambda: waits.set() or False) as cpus:
            got.extend(cpus)
            leave.wait()

    got = []
    waiting = threading.Thread(target=wait_for_all)
    with place(1, False, never):
        waiting.start()
        waits.wait()
        with pytest.raises(Abandoned), place(1, False, at_once):
            pass
    leave.set()
    waiting.join()
    assert got == [0, 1, 2, 3]


def test_dasks_threads_leave_the_cpus_of_a_timed_trial(monkeypatch):
    own = allowed_cpus()
    if len(own) < 2:
        pytest.skip("needs two CPUs")
    monkeypatch.setattr(host, "allowed_cpus", lambda: own)
    stop = threading.Event()
    loop = threading.Thread(target=stop.wait)
    loop.start()
    try:
        with place(1, True, never) as cpus:
            assert os.sched_getaffinity(loop.native_id) == set(own) - set(cpus)
        assert os.sched_getaffinity(loop.native_id) == set(own)
    finally:
        stop.set()
        loop.join()


def test_a_node_has_the_same_name_within_a_run_only():
    assert node_of("run") == node_of("run") != node_of("other")
    assert len(node_of("run")) == 8
