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

    Args:
        items: the work.
        work: does an item in a lane.
        lanes: how many threads.
        abandon: see `serve`.

    Raises:
        As `serve`.
    """
    waiting = deque(items)
    serve(lambda lane: waiting.popleft() if waiting else None, work, lanes, abandon)


def serve(
    take: Callable[[int], Item | None],
    work: Callable[[Item, int], None],
    lanes: int,
    abandon: Callable[[], None],
) -> None:
    """Call `work(item, lane)` in `lanes` threads, until `take(lane)` has no item for the lane.

    `take` is called by one lane at a time.

    A lane shares nothing with other lanes, child processes included: on Linux a child that
    wants to die with its parent dies with the thread that started it. When the main thread is
    interrupted, it calls `abandon`, which has to make the work in progress return.

    Raises:
        BaseException: what interrupted the main thread, or the first exception of `work`. Either
            ends all lanes after the items in progress.
    """
    taking = threading.Lock()
    errors: list[BaseException] = []
    stopped = threading.Event()
    over = [threading.Event() for _ in range(lanes)]

    def next_item(lane: int) -> Item | None:
        with taking:
            return None if stopped.is_set() else take(lane)

    def run_lane(lane: int) -> None:
        try:
            while (item := next_item(lane)) is not None:
                work(item, lane)
        except BaseException as error:
            errors.append(error)
            stopped.set()
        finally:
            over[lane].set()

    threads = [  # daemons, so that a second Ctrl-C waits for none
        threading.Thread(target=run_lane, args=(lane,), daemon=True) for lane in range(lanes)
    ]
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


def _wait(events: Iterable[threading.Event]) -> None:
    """Wait for all events, in turns.

    `Thread.join` does not do: after an interrupted join Python 3.11 believes that the thread has
    ended.
    """
    for event in events:
        while not event.wait(WAKE_EVERY_S):
            pass
