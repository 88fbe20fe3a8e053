"""Whatever a worker or a file holds is a value that can be written again, or a ValueError."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parity import verdicts
from harness.plan import Plan
from harness.results import BadRowError, from_json
from harness.untrusted import DEEPEST, parse_json, whole_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner)
)
ANYTHING = st.text(st.characters()) | VALUES.map(json.dumps)
STRANGE = ["[" * 200_000, '{"a":' * 5_000, "9" * 5_000, '"\\ud800"', "1e999", "NaN", "", "[]x"]


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


@given(ANYTHING | st.sampled_from(STRANGE))
def test_a_value_can_be_written_or_is_refused(text):
    try:
        value = parse_json(text)
    except ValueError:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    assert all(math.isfinite(number) and abs(number) < 1e309 for number in numbers(value))


@given(st.binary())
def test_bytes_likewise(text):
    with contextlib.suppress(ValueError):
        parse_json(text)


@given(VALUES)
def test_what_is_plain_is_kept(value):
    text = json.dumps(value)
    try:
        read = parse_json(text, keeps_infinite=True)
    except ValueError:
        return
    if not any(isinstance(n, float) and math.isnan(n) for n in numbers(value)):
        assert json.dumps(read) == text or "\\ud" in text


def test_how_deep_and_how_large():
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    for text in ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), str(2**63), str(-(2**63))):
        with pytest.raises(ValueError, match=r"too deep|63 bits"):
            parse_json(text)
    assert parse_json("[NaN, 1e999, -Infinity]") == [None, None, None]
    assert parse_json("[1e999]", keeps_infinite=True) == [math.inf]
    assert whole_text("cp\udcff") == "cp\\udcff"


@given(ANYTHING | st.sampled_from(STRANGE))
def test_readers_of_files_raise_what_they_say(text):
    with pytest.raises(BadRowError):
        from_json(text)
    with pytest.raises(ValueError, match=r".*"):
        Plan.from_json(text)


@pytest.mark.parametrize("text", STRANGE)
def test_a_damaged_verdict_is_none(tmp_path, text):
    file = tmp_path / "proof.json"
    file.write_text(text)
    assert verdicts._read_file(file) is None
