"""The user's home and name, taken out of what a run leaves: its files are made to be passed on."""

import getpass
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

HOME, USER = "~", "<user>"


def without_user(text: str) -> str:
    """Return text with `~` for the path of the user's home, and `<user>` in other paths.

    The name alone stays: it may be any word. A home that is the root of the file system stays too.
    """
    name = _name()
    text = without_home(text)
    return _part_of_path(name).sub(USER, text) if name else text


def without_home(text: str) -> str:
    """Return text with `~` for the path of the user's home."""
    for pattern in _homes_in_text(*_homes()):
        text = pattern.sub(HOME, text)
    return text


def values_without_user(value: Any) -> Any:
    """Return the values of a JSON text, each text in it without the user."""
    if isinstance(value, str):
        return without_user(value)
    if isinstance(value, Mapping):
        return {key: values_without_user(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [values_without_user(item) for item in value]
    return value


def paths_without(value: Any, fields: Collection[str], shorten: Callable[[str], str]) -> Any:
    """Return the values of a JSON text, with the texts in these fields shortened, however deep."""
    if isinstance(value, Mapping):
        return {
            key: shorten(item)
            if key in fields and isinstance(item, str)
            else paths_without(item, fields, shorten)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [paths_without(item, fields, shorten) for item in value]
    return value


def _homes() -> tuple[str, str]:
    """The home as it is called, and where it really is; "" without any."""
    try:
        home = Path.home()
    except RuntimeError:
        return "", ""
    if len(home.parts) < 2:
        return "", ""
    return str(home), str(home.resolve())


def _name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # nobody knows the user; the type is Python's choice
        return ""


@lru_cache
def _homes_in_text(home: str, resolved: str) -> list[re.Pattern[str]]:
    """The longest path first, so that nothing of it is left by another."""
    homes = sorted({home, resolved} - {""}, key=len, reverse=True)
    return [re.compile(rf"(?<![\w.~-]){re.escape(path)}(?![\w-]|\.\w)") for path in homes]


@lru_cache
def _part_of_path(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=[/\\]){re.escape(name)}(?![\w-]|\.\w)")
