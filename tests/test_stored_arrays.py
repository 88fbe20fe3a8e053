"""A `.npz` is read whole, or one exception says why not; sizes are known before it is unpacked."""

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results import RunFolder, write_arrays
from harness.stored_arrays import DamagedArraysError, read_arrays

CURVES = {
    "step": np.array([1, 6, 12]),
    "train_s": np.array([0.0, 0.1, 0.2]),
    "test_accuracy": np.array([0.5, np.nan, 1.0]),
    "loss": np.linspace(1, 0, 12),
    "W1": np.zeros((3, 2, 1), np.float32),
    "test_outputs": np.asfortranarray(np.arange(8.0).reshape(4, 2)),
    "best_step": np.array(6),
    "test_right": np.array([True, False]),
    "empty": np.zeros((0, 3)),
}


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def archive_of(content, name="loss.npy", compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def npy(header, content=b""):
    text = (header + " " * (63 - len(header) % 64)).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def header_of(descr="'<f8'", order="False", shape="(2,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def test_what_was_written_is_read(tmp_path):
    file = tmp_path / "a.npz"
    write_arrays(file, CURVES)
    read = read_arrays(file)
    assert list(read) == list(CURVES)
    for name, array in CURVES.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].flags.writeable


def encrypted():
    content = bytearray(packed(loss=np.zeros(3)))
    content[6] |= 1  # the flag in the member's own header, and in the directory
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    return bytes(content)


def unknown_compression():
    content = bytearray(packed(loss=np.zeros(3)))
    place = content.index(b"PK\x01\x02")
    content[8] = content[place + 10] = 99
    return bytes(content)


def flipped():
    content = bytearray(packed(loss=np.random.default_rng(0).random(1000)))
    content[len(content) // 2] ^= 255
    return bytes(content)


HUGE = 2**62
DAMAGED = {
    "nothing": b"",
    "text": b"no archive",
    "half": packed(loss=np.zeros(1000))[:-40],
    "encrypted": encrypted(),
    "unknown compression": unknown_compression(),
    "a flipped byte": flipped(),
    "no array": archive_of(b"text"),
    "objects": packed(loss=np.array([{}], dtype=object)),
    "text array": packed(loss=np.array(["a", "b"])),
    "complex": packed(loss=np.zeros(3, complex)),
    "dates": packed(loss=np.zeros(3, "M8[s]")),
    "structured": packed(loss=np.zeros(3, [("a", "f8")])),
    "a shape that is not there": archive_of(npy(header_of(shape="(3,)"), bytes(16))),
    "more than the shape": archive_of(npy(header_of(), bytes(17))),
    "a huge shape": archive_of(npy(header_of(shape=f"({HUGE},)"))),
    "a shape that overflows": archive_of(npy(header_of(shape=f"({HUGE}, {HUGE})"))),
    "a huge shape of nothing": archive_of(npy(header_of(shape=f"(0, {HUGE}, {HUGE})"))),
    "a negative shape": archive_of(npy(header_of(shape="(-1,)"), bytes(8))),
    "a header that calls": archive_of(npy("__import__('os').abort()")),
    "a header without end": archive_of(npy("[" * 5_000)),
    "many arrays": packed(**{f"a{number}": np.zeros(1) for number in range(10_001)}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_one_exception(tmp_path, content):
    file = tmp_path / "trials" / "a.npz"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(DamagedArraysError):
        read_arrays(file)
    assert RunFolder(tmp_path).arrays("a") == {}


MISFITS = {
    "a curve of another length": ("test_accuracy", np.zeros(4)),
    "a number where points are": ("W1", np.zeros(())),
    "a curve of two axes": ("train_s", np.zeros((3, 2))),
    "flat outputs": ("test_outputs", np.zeros(4)),
    "several best steps": ("best_step", np.arange(3)),
}


@pytest.mark.parametrize(("name", "array"), MISFITS.values(), ids=MISFITS.keys())
def test_an_array_of_another_form_is_left_out(tmp_path, name, array):
    file = tmp_path / "a.npz"
    write_arrays(file, CURVES | {name: array})
    assert list(read_arrays(file)) == [other for other in CURVES if other != name]


@pytest.mark.parametrize("step", [None, np.zeros(3), np.array(3)])
def test_curves_without_their_steps_are_left_out(tmp_path, step):
    file = tmp_path / "a.npz"
    others = {name: array for name, array in CURVES.items() if name != "step"}
    write_arrays(file, others if step is None else others | {"step": step})
    assert list(read_arrays(file)) == ["loss", "test_outputs", "best_step", "test_right", "empty"]


def test_a_bomb_is_not_unpacked(tmp_path):
    file = tmp_path / "bomb.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "abcd":
            archive.writestr(f"{name}.npy", npy(header_of(shape=f"({2**20},)"), bytes(2**23)))
    assert file.stat().st_size < 2**18
    tracemalloc.start()
    with pytest.raises(DamagedArraysError, match="at most 10,000 arrays of 16,777,216 bytes"):
        read_arrays(file, at_most=2**24)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path):
    content = bytearray(archive_of(npy(header_of(shape=f"({2**20},)"), bytes(2**23))))
    place = content.index(b"PK\x01\x02")
    for start in (22, place + 24):
        content[start : start + 4] = struct.pack("<I", 1_000)
    (tmp_path / "bomb.npz").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DamagedArraysError):
        read_arrays(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["link", "pipe", "device", "folder", "nothing"])
def test_only_a_plain_file_is_opened(tmp_path, kind):
    file = tmp_path / "a.npz"
    if kind == "link":
        write_arrays(tmp_path / "other.npz", CURVES)
        file.symlink_to("other.npz")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 (of several kinds)
        read_arrays(file)


WHOLE = packed(**CURVES)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "a.npz"


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 40), st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_any_damage_is_one_exception_or_arrays_of_numbers(damaged, changes):
    content = bytearray(WHOLE)
    for place, count, new in changes:
        content[place : place + count] = new
    damaged.write_bytes(content)
    try:
        arrays = read_arrays(damaged)
    except DamagedArraysError:
        return
    assert all(array.dtype.kind in "biuf" for array in arrays.values())
