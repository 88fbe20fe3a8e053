"""What several threads need is computed once, and forgotten where it takes too much room."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest

from harness.parity import computed_once as module
from harness.parity.computed_once import array_bytes, computed_once


def test_threads_with_the_same_arguments_share_one_computation():
    began, go, calls = threading.Event(), threading.Event(), []

    @computed_once
    def slow(number):
        calls.append(number)
        began.set()
        assert go.wait(10)
        return object()

    results = []
    threads = [threading.Thread(target=lambda: results.append(slow(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert began.wait(10)
    go.set()
    for thread in threads:
        thread.join()
    assert calls == [1]
    assert len(set(map(id, results))) == 1


def test_threads_with_other_arguments_do_not_wait():
    both = threading.Barrier(2, timeout=10)

    @computed_once
    def meets(number):
        both.wait()
        return number

    thread = threading.Thread(target=meets, args=(1,))
    thread.start()
    assert meets(2) == 2
    thread.join()


def test_an_error_is_not_remembered():
    answers = iter([ValueError("once"), 7])

    @computed_once
    def flaky():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ValueError, match="once"):
        flaky()
    assert flaky() == 7


def test_what_was_used_longest_ago_is_forgotten_and_the_latest_stays(monkeypatch):
    monkeypatch.setattr(module, "BYTES_AT_MOST", 1_000)
    calls = []

    @computed_once
    def arrays(name, size=400):
        calls.append(name)
        return {"values": np.zeros(size, np.uint8)}

    arrays("a"), arrays("b"), arrays("a"), arrays("c")  # b goes
    assert calls == ["a", "b", "c"]
    arrays("a")
    assert calls == ["a", "b", "c"]
    arrays("b")
    assert calls == ["a", "b", "c", "b"]
    large = arrays("d", size=5_000)
    assert arrays("d", size=5_000) is large
    arrays.cache_clear()
    assert arrays("d", size=5_000) is not large


@dataclass
class Holder:
    pair: tuple
    more: dict


def test_arrays_are_counted_wherever_they_are():
    holder = Holder((np.zeros(3), None), {1: [np.zeros((2, 2), np.float32)], "x": "text"})
    assert array_bytes([holder, 5]) == 3 * 8 + 4 * 4
