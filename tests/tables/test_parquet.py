"""Parquet: numbers, text and dates, bounded before they are unpacked; pyarrow is optional."""

import datetime
import sys

import numpy as np
import pytest

from harness.tables import TableError
from harness.tables.files import read
from harness.tables.selection import Choices, select


def test_without_pyarrow_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    words = r"needs pyarrow, .*python -m pip install pyarrow; or write"
    with pytest.raises(TableError, match=words):
        read(tmp_path / "t.parquet")


@pytest.fixture
def written(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(columns, names=None):
        table = pyarrow.table(columns, names=names) if names else pyarrow.table(columns)
        parquet.write_table(table, tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    return write


def test_columns_keep_what_they_are(written):
    import pyarrow

    table = read(
        written(
            {
                "n": [1, 2, 3],
                "hole": [1, None, 3],
                "f": pyarrow.array([0.5, 1.5, 2.5], pyarrow.float32()),
                "yes": [True, False, True],
                "maybe": [True, None, True],
                "word": pyarrow.array(["b", "a", "b"]).dictionary_encode(),
                "price": pyarrow.array([1, 2, 3]).cast(pyarrow.decimal128(25, 2)),
                "day": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
            }
        )
    )
    kinds = {name: column.kind for name, column in table.columns.items()}
    assert kinds == {
        "n": "whole numbers",
        "hole": "whole numbers",
        "f": "numbers",
        "yes": "true or false",
        "maybe": "text",
        "word": "text",
        "price": "whole numbers",
        "day": "text",
    }
    assert table.columns["hole"].numbers.missing.tolist() == [False, True, False]
    assert table.columns["maybe"].labels.missing.tolist() == [False, True, False]
    assert table.columns["day"].values[0] == "2024-01-01"
    selected = select(table, Choices(("word",), inputs=("n", "f", "price")))
    assert selected.inputs.tolist() == [[1, 0.5, 1], [2, 1.5, 2], [3, 2.5, 3]]
    assert selected.classes == ("a", "b")


def test_what_is_no_table_is_refused(written, tmp_path, monkeypatch):
    with pytest.raises(TableError, match=r"column 'l' holds list<.*neither number nor text"):
        read(written({"l": [[1], [2]]}))
    with pytest.raises(TableError, match="two columns are called 'a'"):
        read(written([[1], [2]], ["a", "a"]))
    with pytest.raises(TableError, match="has no rows"):
        read(written({"a": np.ones(0)}))
    file = written({"a": np.zeros(100_000)})
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(TableError, match="not a whole Parquet file"):
        read(file)
    file = written({"a": np.zeros(100_000)})
    assert file.stat().st_size < 100_000
    monkeypatch.setattr("harness.tables.files.LARGEST_BYTES", 100_000)
    with pytest.raises(TableError, match=r"100,000 rows of 1 columns take 8.*at most 100,000"):
        read(file)
