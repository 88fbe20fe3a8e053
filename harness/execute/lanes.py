"""Several trials at once, where times do not matter: lanes that share one list of work."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
WAKE_EVERY_S = 0.2
"""How often the main thread wakes up, so that Ctrl-C is noticed."""


def in_lanes(
    items: Sequence[Item],
    work: Callable[[Item, int], None],
    lanes: int,
    abandon: Callable[[], None],
) -> None:
    """Call `work(item, lane)` for every item, first come first served, in `lanes` threads.

    A lane shares nothing with other lanes, child processes included: on Linux a child that
    wants to die with its parent dies with the thread that started it. When the main thread is
    interrupted, it calls `abandon`, which has to make the work in progress return.

    Raises:
        BaseException: what interrupted the main thread, or the first exception of `work`. Either
            ends all lanes after the items in progress.
    """
    waiting = deque(items)
    errors: list[BaseException] = []
    stopped = threading.Event()
    over = [threading.Event() for _ in range(lanes)]

    def serve(lane: int) -> None:
        try:
            while not stopped.is_set() and (item := _pop(waiting)):
                work(item[0], lane)
        except BaseException as error:
            errors.append(error)
            stopped.set()
        finally:
            over[lane].set()

    threads = [threading.Thread(target=serve, args=(lane,)) for lane in range(lanes)]
    try:
        for thread in threads:
            thread.start()
        _wait(over)
    except BaseException:
        stopped.set()
        abandon()
        _wait(end for end, thread in zip(over, threads, strict=True) if thread.ident is not None)
        raise
    if errors:
        raise errors[0]


def _pop(waiting: "deque[Item]") -> tuple[Item] | None:
    """The first item, alone in a tuple; None when another lane took the last."""
    try:
        return (waiting.popleft(),)
    except IndexError:
        return None


def _wait(events: Iterable[threading.Event]) -> None:
    """Wait for all events, in turns.

    `Thread.join` does not do: after an interrupted join Python 3.11 believes that the thread has
    ended.
    """
    for event in events:
        while not event.wait(WAKE_EVERY_S):
            pass
