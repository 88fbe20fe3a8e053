"""Several trials at once, where times do not matter: lanes that share one list of work."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
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

    def serve(lane: int) -> None:
        while not stopped.is_set():
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item, lane)
            except BaseException as error:
                errors.append(error)
                stopped.set()

    threads = [threading.Thread(target=serve, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_EVERY_S)
    except BaseException:
        stopped.set()
        abandon()
        for thread in threads:
            thread.join()
        raise
    if errors:
        raise errors[0]
