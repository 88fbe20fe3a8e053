"""The only module that imports Dask: a scheduler, its workers, and tasks for one worker at a time.

The scheduler is asked to place nothing: every task names its worker, because a block of timed
trials belongs on a machine that is free, and because a lost machine must be noticed and counted
here instead of being retried three times by Dask.
"""

import contextlib
import logging
import queue
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cluster.address import ClusterAddress, ClusterError

if TYPE_CHECKING:
    from distributed import Client

SCHEDULER_ANSWERS_WITHIN_S = 30
LOG = "distributed"


class SchedulerLostError(ClusterError):
    """The scheduler cannot be reached; the message says what to do."""


@dataclass(frozen=True)
class Ended:
    """A task that ended.

    Args:
        key: which.
        answer: what it returned; None where it did not.
        why: why it did not return; "" where it did.
    """

    key: str
    answer: Any
    why: str


@contextlib.contextmanager
def connected(address: ClusterAddress, workers: int) -> Iterator["Connection"]:
    """Connect to a scheduler, or start one with `workers` workers here; both end with the block.

    Raises:
        SchedulerLostError: no scheduler answers.
    """
    from distributed import Client

    _silence_logs()
    with contextlib.ExitStack() as stack:
        try:
            if address.is_local:
                place: Any = stack.enter_context(_local(workers))
            else:
                place = None if address.file else address.text
            client = stack.enter_context(
                Client(
                    place,
                    scheduler_file=str(address.file) if address.file else None,
                    timeout=SCHEDULER_ANSWERS_WITHIN_S,
                    set_as_default=False,
                )
            )
        except (OSError, ValueError, KeyError) as error:  # no answer; a file of something else
            raise SchedulerLostError(
                f"--cluster {address.text}: no Dask scheduler answers there ({error}). Start one "
                "with `dask scheduler`, or leave --cluster out to run on this machine"
            ) from error
        yield Connection(client, address)


def _silence_logs() -> None:
    """What Dask logs is for its operators; what a user needs to know is said by a listener.

    Some of its loggers have a level of their own.
    """
    for name in [LOG, *logging.root.manager.loggerDict]:
        if name == LOG or name.startswith(f"{LOG}."):
            logging.getLogger(name).setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _local(workers: int) -> Iterator[Any]:
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory(prefix="samestep-dask-") as scratch:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_port=0,
            dashboard_address=None,
            memory_limit=0,  # it would count the worker, not the trials, which watch their own
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        )
        with cluster:
            yield cluster


class Connection:
    """Tasks of this command on the workers of a scheduler.

    Args:
        client: Dask's.
        address: where it is connected to.

    Attributes:
        ended: the tasks that ended, as they do.
    """

    def __init__(self, client: "Client", address: ClusterAddress) -> None:
        self._client, self._address = client, address
        self._futures: dict[str, Any] = {}
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def workers(self) -> dict[str, int]:
        """Return the address of every worker, and how many tasks it takes at once.

        Raises:
            SchedulerLostError: the scheduler is gone.
        """
        try:
            if self._client.status == "running":
                return dict(self._client.nthreads())
        except (OSError, TimeoutError, RuntimeError):
            pass
        raise SchedulerLostError(
            f"--cluster {self._address.text}: the scheduler is gone. What is finished is kept; "
            "start the scheduler again, and the same command goes on from here"
        )

    def submit(self, key: str, worker: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Have one worker call a function; its end comes up in `ended`.

        Args:
            key: the name of the task, used once.
            worker: its address.
            function: of a module that workers can import.
            arguments: small; whatever is large goes through files.
        """
        future = self._client.submit(
            function,
            *arguments,
            key=key,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        self._futures[key] = future
        future.add_done_callback(lambda _: self.ended.put(key))

    def result(self, key: str) -> Ended | None:
        """Return how a task that came up in `ended` ended; None where it was forgotten."""
        future = self._futures.pop(key, None)
        if future is None:
            return None
        if future.status == "finished":
            return Ended(key, future.result(), "")
        error = future.exception() if future.status == "error" else None
        why = f"{type(error).__name__}: {error}" if error else f"the task was {future.status}"
        return Ended(key, None, why)

    def forget(self, key: str) -> None:
        """Give up a task; Dask cannot stop one that runs."""
        future = self._futures.pop(key, None)
        if future is not None:
            with contextlib.suppress(Exception):  # the scheduler may be gone
                future.cancel()
