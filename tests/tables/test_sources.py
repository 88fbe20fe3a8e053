"""Tables of one array, of several files, and with test rows of their own."""

import gzip
import struct

import numpy as np
import pytest

from harness.tables import TableError, idx
from harness.tables.selection import Choices, select
from harness.tables.sources import Source, likely_target, read

PICTURES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.array([1, 0, 1, 2], np.uint8)
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def as_idx(array, code=0x08):
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(TYPES[code]).tobytes()


def npy_pair(folder):
    np.save(folder / "X.npy", PICTURES)
    np.save(folder / "y.npy", LABELS)
    return Source(folder / "X.npy", "y.npy")


def idx_pair(folder):
    (folder / "a-images-idx3-ubyte.gz").write_bytes(gzip.compress(as_idx(PICTURES)))
    (folder / "a-labels-idx1-ubyte").write_bytes(as_idx(LABELS))
    return Source(folder / "a-images-idx3-ubyte.gz", "a-labels-idx1-ubyte")


def csv_pair(folder):
    cells = [",".join(map(str, row)) for row in PICTURES.reshape(4, 6).tolist()]
    (folder / "X.csv").write_text("\n".join(["a,b,c,d,e,f", *cells]))
    (folder / "y.csv").write_text("\n".join(["kind", *map(str, LABELS.tolist())]))
    return Source(folder / "X.csv", "y.csv")


def column_of_targets(folder):
    """Targets of shape (rows, 1)."""
    np.save(folder / "X.npy", PICTURES)
    np.save(folder / "y.npy", LABELS[:, np.newaxis])
    return Source(folder / "X.npy", "y.npy")


PAIRS = {f.__name__: f for f in (npy_pair, idx_pair, csv_pair, column_of_targets)}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_targets_may_be_a_file_beside_the_inputs(tmp_path, pair):
    source = pair(tmp_path)
    table = read(source)
    selected = select(table, Choices(target=(source.target,), kind="classes"))
    np.testing.assert_array_equal(selected.inputs, PICTURES.reshape(4, 6))  # last index fastest
    assert selected.targets.tolist() == LABELS.tolist()
    assert (selected.classes, selected.test_rows) == (("0", "1", "2"), 0)


def test_the_inputs_are_named_by_their_index(tmp_path):
    names = select(read(npy_pair(tmp_path)), Choices(target=("y.npy",), kind="classes")).names
    assert names[:3] == ("array[0,0]", "array[0,1]", "array[1,0]")


def test_unchanged_files_are_read_once_and_each_decides_the_digest(tmp_path):
    source = npy_pair(tmp_path)
    before = read(source)
    assert read(source) is before  # read once
    np.save(tmp_path / "y.npy", LABELS[::-1])
    assert read(source).sha256 != before.sha256


@pytest.mark.parametrize("code", TYPES)
def test_idx_has_all_its_types(code):
    array = np.array([[1, 2, 3], [4, 5, 100]])
    found = idx.decoded("f", as_idx(array, code))
    assert found.dtype == np.dtype(TYPES[code]).newbyteorder("=")
    np.testing.assert_array_equal(found, array)


WRONG_IDX = {
    "no idx": (b"hello", "not an IDX file .its first bytes are 68656c6c"),
    "nothing": (b"", "not an IDX file .its first bytes are none"),
    "no type": (b"\0\0\x0a\x01" + b"\0" * 8, "no type of numbers has the code 10"),
    "no dimension": (b"\0\0\x08\0", "not an IDX file"),
    "short header": (b"\0\0\x08\x02" + b"\0" * 4, "ends in its header"),
    "too short": (as_idx(LABELS)[:-1], r"header says \(4,\), and the file holds 3 bytes"),
    "too long": (as_idx(LABELS) + b"\0", r"header says \(4,\), and the file holds more"),
    "too large": (b"\0\0\x08\x02" + struct.pack(">2I", 2**31, 2**31), "at most 2,147,483,648"),
    "no rows": (as_idx(LABELS[:0]), r"has no numbers. Its shape is \(0,\)"),
}


@pytest.mark.parametrize(("content", "words"), WRONG_IDX.values(), ids=WRONG_IDX)
@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_idx_file_is_refused(tmp_path, content, words, packed):
    file = tmp_path / ("labels-idx1-ubyte" + ".gz" * packed)
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(TableError, match=words):
        read(Source(file))


def test_a_damaged_gzip_is_refused(tmp_path):
    file = tmp_path / "labels-idx1-ubyte.gz"
    file.write_bytes(gzip.compress(as_idx(np.arange(200) % 7))[:-12])
    with pytest.raises(TableError, match="damaged; gzip says"):
        read(Source(file))


def test_objects_are_never_read(tmp_path):
    np.save(tmp_path / "y.npy", np.array([1, None], object))
    with pytest.raises(TableError, match="holds Python objects, which are never read: to open"):
        read(Source(tmp_path / "y.npy"))
    (tmp_path / "z.npy").write_bytes(b"\x93NUMPY\x01\x00\xff")
    with pytest.raises(TableError, match=r"z.npy: the array is damaged"):
        read(Source(tmp_path / "z.npy"))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_one_hot_targets_are_classes(tmp_path, dtype):
    source = npy_pair(tmp_path)
    np.save(tmp_path / "y.npy", np.eye(3, dtype=dtype)[LABELS])
    choices = Choices(target=("y.npy",), kind="classes")
    selected = select(read(source), choices)
    assert (selected.targets.tolist(), selected.classes) == (LABELS.tolist(), ("0", "1", "2"))
    np.save(tmp_path / "y.npy", np.eye(3)[LABELS] + np.eye(4, 3))
    with pytest.raises(TableError, match="one array with a single 1 in every row"):
        select(read(source), choices)
    assert select(read(source), Choices(target=("y.npy",))).kind == "values"


WRONG_PAIRS = {
    "no such file": ("z.npy", "'z.npy' names a file beside X.npy.*'y.npy'"),
    "other rows": ("short.npy", "must have a row for each of the 4 rows of X.npy. It has 3"),
    "two columns": ("two.csv", "two.csv must have one column, the targets. It has 2"),
}


@pytest.mark.parametrize(("target", "words"), WRONG_PAIRS.values(), ids=WRONG_PAIRS)
def test_targets_that_do_not_fit_are_refused(tmp_path, target, words):
    npy_pair(tmp_path)
    np.save(tmp_path / "short.npy", LABELS[:3])
    (tmp_path / "two.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=words):
        read(Source(tmp_path / "X.npy", target))


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("X_train.npy", "y_train.npy"),
        ("my inputs.npy", "my targets.npy"),
        ("matrix.npy", ""),
        ("X.csv", ""),
    ],
)
def test_the_file_of_the_targets_is_found_by_its_name(tmp_path, inputs, targets):
    for name in (inputs, targets or "y.csv"):
        (tmp_path / name).touch()
    assert likely_target(tmp_path / inputs) == targets


# ---------------------------------------------------------------- test rows of their own


def test_a_test_file_has_the_same_columns_in_any_order(tmp_path):
    (tmp_path / "train.csv").write_text("a,b,k\n1,2,x\n3,4,y\n5,,x\n")
    (tmp_path / "test.csv").write_text("k;b;a\nx;NA;9\nz;8;7\n")
    table = read(Source(tmp_path / "train.csv", test_file=tmp_path / "test.csv"))
    selected = select(table, Choices(target=("k",), drop_rows=True))
    assert selected.inputs.tolist() == [[1, 2], [3, 4], [7, 8]]
    assert (selected.classes, selected.targets.tolist()) == (("x", "y", "z"), [0, 1, 2])
    assert (selected.test_rows, selected.dropped) == (1, 2)
    with pytest.raises(TableError, match=r"train.csv, line 4, column 'b'"):
        select(table, Choices(target=("k",)))
    (tmp_path / "train.csv").write_text("a,b,k\n1,2,x\n3,4,y\n")
    table = read(Source(tmp_path / "train.csv", test_file=tmp_path / "test.csv"))
    with pytest.raises(TableError, match=r"test.csv, line 2, column 'b'.*missing \('NA'\)"):
        select(table, Choices(target=("k",)))


def test_pairs_may_have_test_pairs(tmp_path):
    npy_pair(tmp_path)
    np.save(tmp_path / "Xt.npy", PICTURES[:2] + 100)
    np.save(tmp_path / "yt.npy", LABELS[:2])
    table = read(Source(tmp_path / "X.npy", "y.npy", tmp_path / "Xt.npy", "yt.npy"))
    selected = select(table, Choices(target=("y.npy",), kind="classes"))
    assert selected.inputs[4:].tolist() == (PICTURES[:2] + 100).reshape(2, 6).tolist()
    assert (selected.targets.tolist(), selected.test_rows) == ([1, 0, 1, 2, 1, 0], 2)


WRONG_TESTS = {
    "no target": ("a,b\n1,2\n", "test.csv has no column 'k'. Rows without a known target"),
    "another column": ("a,b,k,c\n1,2,x,3\n", "train.csv has no column 'c'"),
    "truth and number": ("a,b,k\n1,true,x\n", "must hold the same in both parts.*true or false"),
}


@pytest.mark.parametrize(("text", "words"), WRONG_TESTS.values(), ids=WRONG_TESTS)
def test_test_rows_that_do_not_fit_are_refused(tmp_path, text, words):
    (tmp_path / "train.csv").write_text("a,b,k\n1,2,x\n3,4,y\n")
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(TableError, match=words):
        read(Source(tmp_path / "train.csv", test_file=tmp_path / "test.csv"))


def test_the_files_must_be_stated_together(tmp_path):
    source = npy_pair(tmp_path)
    with pytest.raises(TableError, match=r"test_target: name the file with the targets of X.npy"):
        read(Source(source.file, "y.npy", test_file=source.file))
    with pytest.raises(TableError, match="test_target: only where test_file"):
        read(Source(source.file, "y.npy", test_target="y.npy"))
    with pytest.raises(TableError, match="test_file: must be another file"):
        read(Source(source.file, "y.npy", source.file, "y.npy"))


def test_an_archive_may_have_test_arrays(tmp_path):
    arrays = {"x_train": PICTURES, "y_train": LABELS, "x_test": PICTURES[:2], "y_test": LABELS[2:]}
    np.savez(tmp_path / "mnist.npz", **arrays)
    table = read(Source(tmp_path / "mnist.npz"))
    assert list(table.columns) == ["x_train", "y_train"]
    assert "x_train and x_test, y_train and y_test joined" in table.form
    selected = select(table, Choices(target=("y_train",), kind="classes"))
    assert (selected.targets.tolist(), selected.test_rows) == ([1, 0, 1, 2, 1, 2], 2)
    np.savez(tmp_path / "more.npz", **arrays, note=np.ones(4))
    with pytest.raises(TableError, match=r"told apart by their names, such as x_train"):
        read(Source(tmp_path / "more.npz"))
