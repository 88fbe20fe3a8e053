"""What may have become of a file: strategies that draw it, for bytes and for values of JSON."""

import copy
from typing import Any

from hypothesis import strategies as st

STRANGE = (
    None, True, False, -1, 0, 1, 2, 10**6, 2**62, -(2**62), 0.5, -0.5, 1e-300, 1e300, -1e300,
    "", "x", "ok", "x" * 3_000, "../../thesis", "/etc/passwd", "a\0b", "a\nb", "\x1b[31m", "[/foo]",
    "</script>", "\N{BEATING HEART}", "nan", "1e999", "2026-01-01T00:00:00+00:00",
    [], {}, [[]], [None], {"": None}, [0, 1], ["x", "y"], {"name": "x"},
)  # fmt: skip
"""Values in place of the right one."""


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes that were cut, flipped, overwritten, doubled or put in."""
    place = draw(st.integers(0, max(0, len(content) - 1)))
    end = draw(st.integers(place, min(len(content), place + 64)))
    kind = draw(st.sampled_from(("cut", "flip", "overwrite", "double", "put in", "take out")))
    if kind == "cut":
        return content[:place]
    if kind == "flip":
        bit = draw(st.integers(0, 7))
        changed = bytes([content[place] ^ (1 << bit)]) if content else b""
        return content[:place] + changed + content[place + 1 :]
    if kind == "double":
        return content[:end] + content[place:]
    if kind == "take out":
        return content[:place] + content[end:]
    new = draw(st.binary(min_size=1, max_size=16))
    return content[:place] + new + content[end if kind == "overwrite" else place :]


@st.composite
def damaged_values(draw: st.DrawFn, values: Any, strange: tuple[Any, ...] = STRANGE) -> Any:
    """The values with one or two of them replaced, taken out, doubled or under another name."""
    changed = copy.deepcopy(values)
    for _ in range(draw(st.integers(1, 2))):
        changed = _changed(draw, changed, strange)
    return changed


def _changed(draw: st.DrawFn, values: Any, strange: tuple[Any, ...]) -> Any:
    places = list(_places(values))
    if not places:
        return draw(st.sampled_from(strange))
    holder, key = draw(st.sampled_from(places))
    kind = draw(st.sampled_from(("replace", "replace", "replace", "take out", "double", "add")))
    if kind == "take out":
        del holder[key]
    elif kind == "double" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == "add" and isinstance(holder, dict):
        holder[draw(st.sampled_from(("x", "name", "kind", "file", "__class__")))] = holder[key]
    else:
        holder[key] = copy.deepcopy(draw(st.sampled_from(strange)))
    return values


def _places(values: Any) -> Any:
    """(holder, key) of every value; those that are deep inside are as likely as the first ones."""
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items:
        yield values, key
        if isinstance(value, dict | list):
            yield from _places(value)
