"""Several trials at once, where times do not matter: lanes that share one list of work."""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
LOOK_EVERY_S = 0.2
"""How often the main thread looks up, so that Ctrl-C is heard."""


def in_lanes(
    items: Sequence[Item],
    key: Callable[[Item], Hashable],
    work: Callable[[Item, int], None],
    lanes: int,
    abandon: Callable[[], None],
) -> None:
    """Call `work(item, lane)` for every item, in at most `lanes` threads.

    Items of the same key are worked on one at a time and in order; a lane takes the first whose
    key is free. No thread ends before all have nothing left to do: on Linux a child that asked
    to die with its parent dies with the thread that started it. `abandon` is called from the
    main thread when it is interrupted, and has to make the work in progress return.

    Raises:
        BaseException: what interrupted the main thread, or the first that `work` raised; either
            ends all lanes after the items in progress.
    """
    waiting, busy = list(items), set[Hashable]()
    errors: list[BaseException] = []
    change = threading.Condition()
    stopped = threading.Event()
    all_idle = threading.Barrier(lanes)

    def take() -> Item | None:
        with change:
            while waiting and not stopped.is_set():
                free = next((item for item in waiting if key(item) not in busy), None)
                if free is not None:
                    waiting.remove(free)
                    busy.add(key(free))
                    return free
                change.wait(LOOK_EVERY_S)
        return None

    def serve(lane: int) -> None:
        while (item := take()) is not None:
            try:
                work(item, lane)
            except BaseException as error:
                errors.append(error)
                stopped.set()
            with change:
                busy.discard(key(item))
                change.notify_all()
        all_idle.wait()

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
