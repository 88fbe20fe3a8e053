"""NumPy archives: arrays of numbers and text, never objects, never more than was announced."""

import io
import zipfile

import numpy as np
import pytest

from harness.tables import TableError
from harness.tables.files import read
from harness.tables.selection import Choices, select


def saved(tmp_path, **arrays):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_pictures_are_flattened_row_by_row(tmp_path):
    pictures = np.arange(24, dtype=np.uint8).reshape(3, 4, 2)
    table = read(saved(tmp_path, x=pictures, y=np.array(["ㄴ", "ㄱ", "ㄴ"])))
    selected = select(table, Choices(target=("y",)))
    assert selected.inputs.tolist() == pictures.reshape(3, 8).tolist()
    assert selected.inputs.dtype == np.uint8
    assert selected.names[:3] == ("x[0,0]", "x[0,1]", "x[1,0]")
    assert (selected.targets.tolist(), selected.classes) == ([1, 0, 1], ("ㄱ", "ㄴ"))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((3, 2)), "y": np.array([None, 1, 2])}, "'y' holds Python objects"),
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, r"same number of rows. Got x \(3, 2\), y \(2,\)"),
        ({"x": np.ones((3, 2)), "y": 1.0}, r"a row per example.*Got shape \(\)"),
        ({"x": np.ones((3, 2), complex)}, "must hold numbers, booleans or text. Got complex128"),
        ({"x": np.ones((0, 2))}, "no rows"),
        ({}, "has no arrays|not a whole"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path, arrays, words):
    with pytest.raises(TableError, match=words):
        read(saved(tmp_path, **arrays))


def test_a_damaged_archive_is_refused(tmp_path):
    path = saved(tmp_path, x=np.ones((30, 2)))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TableError, match=r"not a whole \.npz archive"):
        read(path)


def test_nothing_is_allocated_by_a_header_alone(tmp_path):
    header = io.BytesIO()
    described = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"\0" * 80)
    with pytest.raises(TableError, match="'x' is damaged: its header says"):
        read(tmp_path / "lie.npz")


def test_arrays_are_bounded_before_they_are_unpacked(tmp_path, monkeypatch):
    path = saved(tmp_path, x=np.zeros((10_000, 10)))
    monkeypatch.setattr("harness.tables.files.LARGEST_BYTES", 100_000)
    with pytest.raises(TableError, match=r"800,\d+ bytes; at most 100,000 are read"):
        read(path)


def test_another_zip_is_named_for_what_it_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "k.npz", "w") as archive:
        archive.writestr("train.csv", "a,b\n1,2\n")
    with pytest.raises(TableError, match=r"a \.zip without arrays \('train.csv'\)"):
        read(tmp_path / "k.npz")
