"""Results that several threads need: each is computed once, and kept while there is room."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
BYTES_AT_MOST = 256 << 20
"""Arrays that the results of one function may hold together. The latest result always stays."""


@dataclass
class _Entry:
    """A result, once there is one. The thread that computes it holds the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    results: list[Any] = field(default_factory=list)
    size: int = 0


class computed_once(Generic[Arguments, Result]):  # noqa: N801  (a decorator)
    """Remembers the results of a pure function by its arguments, which must be hashable.

    A second thread with the same arguments waits for the first; threads with other arguments do
    not. Where the results hold more than `BYTES_AT_MOST`, those used longest ago are forgotten.
    """

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        self._function = function
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        update_wrapper(self, function)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Return the function's result, computed now or before."""
        key = (args, tuple(sorted(kwargs.items())))
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:
            if not entry.results:
                entry.results.append(self._function(*args, **kwargs))
                entry.size = array_bytes(entry.results)
                self._forget_oldest(key)
            result: Result = entry.results[0]
        return result

    def cache_clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._entries.clear()

    def _forget_oldest(self, latest: Hashable) -> None:
        with self._lock:
            total = sum(entry.size for entry in self._entries.values())
            for key in list(self._entries):
                if total <= BYTES_AT_MOST:
                    return
                if key != latest:
                    total -= self._entries.pop(key).size


def array_bytes(value: Any) -> int:
    """Return the bytes of all arrays in a value: in dataclasses, mappings, lists and tuples."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if is_dataclass(value):
        return sum(array_bytes(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        value = list(value.values())
    return sum(map(array_bytes, value)) if isinstance(value, list | tuple) else 0
