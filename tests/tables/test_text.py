"""Text files as people have them are read alike; what cannot be told is refused with a way out."""

import gzip

import numpy as np
import pytest

from harness.tables import TableError
from harness.tables.files import read
from harness.tables.table import TextFormat

ROWS = [(1.5, 2.0, "setosa"), (-3.25, 4.0, "virginica"), (0.001, 6.0, "setosa")]


def written(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(delimiter=",", decimal=".", end="\n", header="a,b,y"):
    rows = [delimiter.join(str(v).replace(".", decimal) for v in row) for row in ROWS]
    return end.join([header.replace(",", delimiter), *rows]) + end


AS_PEOPLE_HAVE_THEM = {
    "plain": lines().encode(),
    "no newline at the end": lines().rstrip().encode(),
    "byte-order mark": b"\xef\xbb\xbf" + lines().encode(),
    "CRLF": lines(end="\r\n").encode(),
    "CR": lines(end="\r").encode(),
    "blank lines": lines(end="\n\n").encode() + b"\n\n",
    "tabs": lines("\t").encode(),
    "semicolons": lines(";").encode(),
    "semicolons and decimal commas": lines(";", ",").encode(),
    "tabs and decimal commas": lines("\t", ",").encode(),
    "bars": lines("|").encode(),
    "white space": lines("   ").encode(),
    "space after commas": lines(", ").encode(),
    "Excel's first line": b"sep=;\r\n" + lines(";", end="\r\n").encode(),
    "a comma at the end of lines": lines(end=",\n").encode(),
    "quotes": b'"a","b","y"\n"1.5","2","setosa"\n-3.25,4,"virginica"\n1e-3,6,setosa\n',
    "UTF-16": lines().encode("utf-16"),
    "packed": gzip.compress(lines().encode()),
}


@pytest.mark.parametrize("content", AS_PEOPLE_HAVE_THEM.values(), ids=AS_PEOPLE_HAVE_THEM)
def test_a_file_is_read_however_it_is_written(tmp_path, content):
    name = "table.csv.gz" if content[:2] == b"\x1f\x8b" else "table.csv"
    table = read(written(tmp_path, content, name))
    assert list(table.columns) == ["a", "b", "y"]
    assert table.columns["a"].numbers.values.tolist() == [1.5, -3.25, 0.001]
    assert table.columns["b"].numbers.values.tolist() == [2, 4, 6]
    assert table.columns["y"].labels.texts == ("setosa", "virginica")
    assert [table.columns[name].kind for name in "aby"] == ["numbers", "whole numbers", "text"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "euc-kr", "utf-16"])
def test_korean_text_is_read_in_every_usual_encoding(tmp_path, encoding):
    path = written(tmp_path, "길이 (cm),꽃 종류\n1.5,장미\n2,국화\n".encode(encoding), "꽃 표.csv")
    table = read(path)
    assert list(table.columns) == ["길이 (cm)", "꽃 종류"]
    assert table.columns["꽃 종류"].labels.texts == ("국화", "장미")


def test_another_encoding_can_be_stated(tmp_path):
    path = written(tmp_path, "größe,y\n1,é\n2,ü\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"cannot be read as UTF-8 or CP949; .*encoding"):
        read(path)
    table = read(path, TextFormat(encoding="latin-1"))
    assert table.columns["y"].labels.texts == ("é", "ü")
    with pytest.raises(TableError, match="'latin-7b' is not known"):
        read(path, TextFormat(encoding="latin-7b"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 have the same name, 'a'; rename"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "the first line has numbers.*header = false"),
        ("0,1,2\n1,2,3\n", "the first line has numbers.*header = true"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4: must have 2 cells.*Got 3"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2: must have 2 cells.*Got 3"),
        ('a,b\n1,"2\n3,4\n', "not a table"),
        ("# mine\na,b\n1,2\n3,4\n", "line 2: has 2 cells, and the first line has one.*delete"),
        (b"a,b\n1,\x00\n", "zero bytes"),
        (b"PK\x03\x04rest", "Excel workbook.*CSV UTF-8"),
        (b"\x80\x04\x95pickle", "is a pickle, which is never read"),
        (gzip.compress(b"a,y\n" * 1000, mtime=0)[:-9], "damaged"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path, content, words):
    with pytest.raises(TableError, match=words):
        read(written(tmp_path, content))


PARTED = {
    "a decimal comma in two of three": ("a;b;c\n1,5;2,25;x\n", ";", ","),
    "a decimal comma in one of two": ("a;c\n1,5;x\n", ";", ","),
    "a decimal comma in all": ("a;b\n1,5;2,25\n", ";", ","),
    "tabs and decimal commas": ("a\tb\tc\n1,5\t2,25\tx\n", "\t", ","),
    "bars": ("a|b|c\n1.5|2,2|x\n", "|", "."),
    "semicolons inside of text": ("a,b,c\n1.5,x;y;z,2\n", ",", "."),
    "spaces inside of text": ("a,b,c\n1.5,New York City,2\n", ",", "."),
    "white space": ("a  b c\n1.5 2  3\n", "space", "."),
    "a name of two words": ("first name,c\nJohn Smith,1.5\n", ",", "."),
}


@pytest.mark.parametrize(("text", "delimiter", "decimal"), PARTED.values(), ids=PARTED)
@pytest.mark.parametrize("rows", [1, 60])
def test_columns_are_parted_by_what_parts_them(tmp_path, text, delimiter, decimal, rows):
    """What is found out reads the file as it is read when it is stated."""
    header, row, _ = text.split("\n")
    path = written(tmp_path, "\n".join([header, *[row] * rows]) + "\n")
    found, stated = read(path), read(path, TextFormat(delimiter=delimiter, decimal=decimal))
    assert list(found.columns) == list(stated.columns)
    for name, column in stated.columns.items():
        assert found.columns[name].values.tolist() == column.values.tolist()


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(TableError, match=r"none.csv: cannot be read \(No such file"):
        read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=r"folder.csv: cannot be read \(Is a directory"):
        read(tmp_path / "folder.csv")
    with pytest.raises(TableError, match=r"must end in \.csv"):
        read(written(tmp_path, "a,b\n1,2\n", "table.xlsx"))


def test_a_packed_file_is_bounded_when_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.tables.files.LARGEST_BYTES", 10_000)
    with pytest.raises(TableError, match="larger than 10,000 bytes when unpacked"):
        read(written(tmp_path, gzip.compress(b"1,2\n" * 100_000), "bomb.csv.gz"))


def test_numbers_are_read_to_the_last_digit(tmp_path):
    numbers = np.random.default_rng(0).normal(size=2000) * 10.0 ** np.arange(-10, 10).repeat(100)
    text = "x,y\n" + "".join(f"{value!r},a\n" for value in numbers.tolist())
    assert read(written(tmp_path, text)).columns["x"].values.tolist() == numbers.tolist()


def test_a_message_names_the_line_of_the_file(tmp_path):
    text = 'note,x\n"two\nlines",1\n\nplain,2\nplain,3\n'
    table = read(written(tmp_path, text))
    assert [table.line(row) for row in range(3)] == [2 + 1, 5, 6]
    spaces = read(written(tmp_path, "a b\n1 2\n\n3 4\n", "spaces.csv"))
    assert [spaces.line(row) for row in range(2)] == [2, 4]
    excel = read(written(tmp_path, "sep=;\na;b\n1;2\n3;4\n", "excel.csv"))
    assert [excel.line(row) for row in range(2)] == [3, 4]
