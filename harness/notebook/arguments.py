"""Arguments that a user typed, checked: the rule, the value, and what was meant."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from harness.clock.environment import available_cpus
from harness.experiment.names import unknown
from harness.experiment.vocabulary import Loop

Word = TypeVar("Word", bound=StrEnum)


def word(name: str, value: Any, words: type[Word]) -> Word:
    """Return one of a few words.

    Raises:
        ValueError: it is none of them.
    """
    known = [str(each) for each in words]
    if value not in known:
        raise ValueError(f"{name}: {unknown(str(value), known)}")
    return words(value)


def several(value: Any) -> tuple[Any, ...]:
    """Return a list of one or more, of which one may stand by itself."""
    if isinstance(value, list | tuple | set | frozenset | range):
        return tuple(value)
    return (value,)


def one_or_more(name: str, value: Any) -> tuple[Any, ...]:
    """Return a list of one or more.

    Raises:
        ValueError: it is empty.
    """
    values = several(value)
    if not values:
        raise ValueError(f"{name}: name one or more. Got an empty list")
    return values


def count(name: str, value: Any, most: int) -> int | None:
    """Return a whole number of 1 to `most`, or None.

    Raises:
        ValueError, TypeError: it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: must be a whole number, how many. Got {value!r}")
    if not 1 <= value <= most:
        raise ValueError(f"{name}: must be 1 to {most:,}. Got {value}")
    return value


def loops(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of loops, "best" or "all".

    Raises:
        ValueError: one of them is not known.
    """
    known = ("best", "all", *map(str, Loop))
    names = tuple(str(name) for name in several(value))
    for name in names:
        if name not in known:
            raise ValueError(f"loops: {unknown(name, known)}")
    return names or ("best",)


def threads(value: int | str | Iterable[int | str]) -> tuple[int, ...]:
    """Return numbers of threads; "all" is every CPU that is available.

    Raises:
        ValueError, TypeError: there are not so many.
    """
    cpus = available_cpus()
    counts = [cpus if each == "all" else count("threads", each, cpus) for each in several(value)]
    return tuple(dict.fromkeys(each for each in counts if each is not None)) or (1,)


def folder(name: str, value: Any) -> Path:
    """Return the path of a folder.

    Raises:
        TypeError: it is no path.
    """
    if not isinstance(value, str | PathLike):
        raise TypeError(f"{name}: must be the path of a folder. Got {type(value).__name__}")
    return Path(value)


def timeout_s(value: float | None) -> float | None:
    """Return a limit in seconds; None is no limit.

    Raises:
        ValueError, TypeError: it is no positive number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"timeout_s: must be seconds, or None for no limit. Got {value!r}")
    if not value > 0:
        raise ValueError(f"timeout_s: must be more than 0 seconds. Got {value:g}")
    return float(value)
