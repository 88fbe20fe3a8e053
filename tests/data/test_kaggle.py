"""The user's own train.csv, and the stand-in for it."""

import gzip
import io
import zipfile

import numpy as np
import pytest

from harness.cli import listing
from harness.data import fetching, idx, kaggle, raw
from harness.data.fetching import DataMissingError
from harness.data.sources import MEMBERS


@pytest.fixture
def small(monkeypatch):
    """Files of 20 rows, two of each class, are accepted in place of Kaggle's 42,000."""
    monkeypatch.setattr(kaggle, "ROWS", 20)
    monkeypatch.setattr(kaggle, "CLASS_ROWS", (1, 4))


def table():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 784))
    return np.column_stack([np.arange(20) % 10, pixels])


def write(folder, rows, header=kaggle.HEADER):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [header, *(",".join(str(number) for number in row) for row in rows)]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder / "train.csv"


@pytest.mark.parametrize("given", ["folder", "file", "environment"])
def test_the_file_is_read_from_the_place_that_the_user_names(
    small, cache, tmp_path, monkeypatch, given
):
    file = write(tmp_path / "mine", table())
    if given == "environment":
        monkeypatch.setenv("SAMESTEP_DATA", str(file.parent))
    source = {"folder": file.parent, "file": file, "environment": None}[given]
    assert "no SHA-256 of it is known" in fetching.fetch("kaggle-digits", source)
    assert fetching.fetch("kaggle-digits") == "already there"
    read = raw.read("kaggle-digits")
    np.testing.assert_array_equal(read.inputs, table()[:, 1:])
    np.testing.assert_array_equal(read.targets, table()[:, 0])
    assert read.train_rows == 20
    assert not list((cache / "kaggle-digits").glob("fetching-*"))


def test_the_file_is_never_downloaded(cache):
    for attempt in (
        lambda: fetching.fetch("kaggle-digits"),
        lambda: raw.read("kaggle-digits"),
    ):
        with pytest.raises(DataMissingError) as caught:
            attempt()
        for sign in ("kaggle.com", "data fetch kaggle-digits --from", "mnist-42000"):
            assert sign in str(caught.value)


def packed(kind, file):
    """The file as people have it, and what to name: it, or its folder."""
    content, folder = file.read_bytes(), file.parent
    if kind == "byte-order mark":
        file.write_bytes(b"\xef\xbb\xbf" + content)
    elif kind == "CRLF":
        file.write_bytes(content.replace(b"\n", b"\r\n"))
    elif kind == "quoted header":
        file.write_bytes(content.replace(b"label,pixel0,", b'"label","pixel0",'))
    elif kind == "gz":
        (folder / "train.csv.gz").write_bytes(gzip.compress(content))
        file.unlink()
    elif kind == "gz of another name":
        file.write_bytes(gzip.compress(content))
        return file
    else:
        name = "digit-recognizer.zip" if kind == "Kaggle's zip" else "내려받은 것.zip"
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member in ("sample_submission.csv", "test.csv"):
                archive.writestr(member, "ImageId,Label\n")
            archive.write(file, "train.csv" if kind == "Kaggle's zip" else "data/train.csv")
        file.unlink()
        return folder if kind == "Kaggle's zip" else folder / name
    return folder


@pytest.mark.parametrize(
    "kind",
    ["byte-order mark", "CRLF", "quoted header", "gz", "gz of another name", "Kaggle's zip",
     "zip with a folder"],
)  # fmt: skip
def test_the_file_is_taken_as_people_have_it(small, cache, tmp_path, kind):
    fetching.fetch("kaggle-digits", packed(kind, write(tmp_path / "내 자료", table())))
    np.testing.assert_array_equal(raw.read("kaggle-digits").targets, table()[:, 0])


def archive_of(names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "label\n")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive_of(["test.csv"]), "must have a file train.csv. It has test.csv"),
        (archive_of([]) or b"", "the first line must be"),
        (archive_of(["train.csv"])[:40], "a damaged or locked archive"),
        (gzip.compress(b"label" * 99)[:20], "a damaged or locked archive"),
        (gzip.compress(bytes(2_000)), "larger than 1,000 bytes"),
        ("label,손글씨".encode("cp949"), "probably CP949: save it as UTF-8"),
        ("label".encode("utf-16"), "probably UTF-16: save it as UTF-8"),
    ],
    ids=["other", "empty", "cut zip", "cut gz", "too large", "CP949", "UTF-16"],  # not the bytes
)
def test_an_archive_or_a_text_that_is_not_the_file(
    small, cache, tmp_path, monkeypatch, content, reason
):
    monkeypatch.setattr(kaggle, "LARGEST_FILE_BYTES", 1_000)
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(DataMissingError, match=reason):
        fetching.fetch("kaggle-digits", tmp_path)


def changed(row, column, value):
    rows = table().tolist()
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        (table(), "label,pixel1", "the first line must be label,pixel0"),
        (table()[:19], kaggle.HEADER, r"must have shape \(20, 785\).*Got \(19, 785\)"),
        (table()[:, :784], kaggle.HEADER, r"Got \(20, 784\)"),
        (changed(0, 0, 10), kaggle.HEADER, "labels must be 0 to 9. Got 0 to 10"),
        (changed(3, 5, 256), kaggle.HEADER, "pixels must be 0 to 255. Got 0 to 256"),
        (changed(3, 5, -1), kaggle.HEADER, "pixels must be 0 to 255. Got -1"),
        (changed(3, 5, "x"), kaggle.HEADER, "not a table of whole numbers"),
        (changed(3, 5, 0.5), kaggle.HEADER, "not a table of whole numbers"),
        (
            np.column_stack([np.zeros(20, int), table()[:, 1:]]),
            kaggle.HEADER,
            "every class must have 1 to 4 rows. Got",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(small, cache, tmp_path, rows, header, reason):
    write(tmp_path / "mine", rows, header)
    with pytest.raises(DataMissingError, match=reason):
        fetching.fetch("kaggle-digits", tmp_path / "mine")
    assert not list((cache / "kaggle-digits").iterdir())


def test_no_file_in_the_place_that_the_user_names(small, cache, tmp_path):
    with pytest.raises(DataMissingError, match=r"train\.csv: cannot be read \(No such file"):
        fetching.fetch("kaggle-digits", tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_damaged_copy_is_detected(small, cache, tmp_path, content):
    fetching.fetch("kaggle-digits", write(tmp_path / "mine", table()))
    (cache / "kaggle-digits" / kaggle.MEMBER).write_bytes(content)
    with pytest.raises(DataMissingError, match="cannot be read"):
        raw.read("kaggle-digits")
    fetching.fetch("kaggle-digits", tmp_path / "mine")
    assert len(raw.read("kaggle-digits").targets) == 20


def test_the_stand_in_is_made_from_mnist(cache, monkeypatch):
    """On 70,000 made-up rows, each with its number in its first three pixels."""
    numbers = np.arange(70_000)
    images = np.zeros((70_000, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1], images[:, 0, 2] = (
        numbers % 256,
        numbers // 256 % 256,
        numbers // 65_536,
    )
    labels = (numbers % 10).astype(np.uint8)
    labels[:5_000] = 1
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    hashes = {}
    for part, array in {
        "train images": images[:60_000],
        "train labels": labels[:60_000],
        "test images": images[60_000:],
        "test labels": labels[60_000:],
    }.items():
        (folder / MEMBERS[part]).write_bytes(idx.encode(array))
        hashes[part] = fetching._sha256(folder / MEMBERS[part])
    monkeypatch.setitem(fetching.SHA256, "mnist", hashes)
    assert fetching.folder("mnist-42000") == folder
    assert fetching.fetch("mnist-42000") == "already there"
    drawn = raw.read("mnist-42000")
    row_numbers = drawn.inputs[:, :3].astype(int) @ [1, 256, 65_536]
    assert (drawn.inputs.shape, drawn.train_rows) == ((42_000, 784), 42_000)
    assert len(np.unique(row_numbers)) == 42_000
    np.testing.assert_array_equal(drawn.targets, labels[row_numbers])
    np.testing.assert_array_equal(
        np.bincount(drawn.targets), np.round(np.bincount(labels) * 0.6).astype(int)
    )
    np.testing.assert_array_equal(raw.read("mnist-42000").inputs, drawn.inputs)


def test_the_message_of_a_missing_stand_in_names_mnist(cache):
    with pytest.raises(DataMissingError, match="fetch it with 'samestep data fetch mnist'"):
        raw.read("mnist-42000")


def test_listing_says_where_datasets_come_from():
    comes = {record["name"]: record["comes"] for record in listing.datasets()}
    assert comes["mnist"] == "fetched"
    assert comes["mnist-42000"] == "made from mnist"
    assert comes["kaggle-digits"] == "your own file"
    assert comes["iris"] == "with samestep"
