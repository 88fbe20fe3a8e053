"""What came from elsewhere: a worker, a file, a plug-in. It may hold anything.

JSON is read here, and text is made whole here, so that nothing later fails on it: a report is
written in UTF-8, and numbers are computed with.
"""

import json
import math
from typing import Any

LARGEST_INTEGER = 2**63
DEEPEST = 100


def parse_json(text: str | bytes, keeps_infinite: bool = False) -> Any:
    r"""Return the value of a JSON text.

    Characters that no encoding has (lone surrogates) are written out as `\udcff`.

    Args:
        text: UTF-8, if it is bytes.
        keeps_infinite: whether a number that is not finite stays; otherwise it is None.

    Raises:
        ValueError: the text is not JSON, is not UTF-8, is nested deeper than `DEEPEST`, or has an
            integer that no column holds.
    """
    try:
        if keeps_infinite:
            value = json.loads(text)
        else:
            value = json.loads(text, parse_float=_finite, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return _whole(value, DEEPEST)


def whole_text(text: str) -> str:
    """Return text that can be encoded, with what cannot be written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(key): _whole(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, depth - 1) for item in value]
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        raise ValueError("an integer of more than 63 bits")
    return value
