"""Several trials at once, where times do not matter: lanes that share one list of work."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
LOOK_EVERY_S = 0.2
"""How often the main thread looks up, so that Ctrl-C is heard."""


def in_lanes(
    items: Sequence[Item],
    work: Callable[[Item, int], None],
    lanes: int,
    abandon: Callable[[], None],
) -> None:
    """Call `work(item, lane)` for every item, first come first served, in `lanes` threads.

    What a lane's `work` keeps for later calls is its own. On Linux that goes for child processes
    too: one that asked to die with its parent dies with the thread that started it. `abandon` is
    called from the main thread when it is interrupted, and has to make the work in progress
    return.

    Raises:
        BaseException: what interrupted the main thread, or the first that `work` raised; either
            ends all lanes after the items in progress.
    """
    waiting = deque(items)
    errors: list[BaseException] = []
    stopped = threading.Event()
    over = [threading.Event() for _ in range(lanes)]

    def serve(lane: int) -> None:
        try:
            while not stopped.is_set() and (next_one := _taken(waiting)):
                work(next_one[0], lane)
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


def _taken(waiting: "deque[Item]") -> tuple[Item] | None:
    """The first item, alone in a tuple; None when another lane took the last."""
    try:
        return (waiting.popleft(),)
    except IndexError:
        return None


def _wait(events: Iterable[threading.Event]) -> None:
    """Wait for all, in turns.

    Not by `Thread.join`: a thread whose join is interrupted passes for ended (Python 3.11).
    """
    for event in events:
        while not event.wait(LOOK_EVERY_S):
            pass
