"""Inputs and targets of a table: as the protocol says, and never silently otherwise."""

import numpy as np
import pytest

from harness.tables import TableError
from harness.tables.files import read
from harness.tables.selection import Choices, select


@pytest.fixture
def table_of(tmp_path):
    def table(text):
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return read(path)

    return table


SMALL = "id,a,b,colour,y\n1,1,2.5,red,x\n2,3,4,blue,z\n3,5,6,red,x\n"


def test_columns_are_named_ignored_or_made_bits_of(table_of):
    table = table_of(SMALL)
    choices = Choices(target=("y",), ignore=("id",), one_hot=("colour",))
    selected = select(table, choices)
    assert selected.names == ("a", "b", "colour=blue", "colour=red")
    assert selected.inputs.tolist() == [[1, 2.5, 0, 1], [3, 4, 1, 0], [5, 6, 0, 1]]
    assert (selected.targets.tolist(), selected.classes) == ([0, 1, 0], ("x", "z"))
    ordered = select(table, Choices(target=("y",), inputs=("b", "a")))
    assert ordered.inputs.tolist() == [[2.5, 1], [4, 3], [6, 5]]
    reverse = select(table, Choices(target=("y",), inputs=("a",), classes=("z", "x")))
    assert (reverse.targets.tolist(), reverse.classes) == ([1, 0, 1], ("z", "x"))


LABELS = {
    "text": (["b", "a", " b"], None, [1, 0, 1], ("a", "b")),
    "true and false": (["True", "false", "TRUE"], None, [1, 0, 1], ("false", "true")),
    "whole numbers": (["10", "9", "10"], "classes", [1, 0, 1], ("9", "10")),
    "whole numbers written as fractions": (["7.0", "3", "7"], "classes", [1, 0, 1], ("3", "7")),
    "from -1": (["-1", "1", "1"], "binary", [0, 1, 1], ("-1", "1")),
    "text that is mostly numbers": (["1", "2", "two"], "classes", [0, 1, 2], ("1", "2", "two")),
    "NA is a word too": (["NA", "EU", "EU"], None, [1, 0, 0], ("EU", "NA")),
}


@pytest.mark.parametrize(("cells", "kind", "numbers", "classes"), LABELS.values(), ids=LABELS)
def test_classes_have_an_order_that_is_stated(table_of, cells, kind, numbers, classes):
    table = table_of("x,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    selected = select(table, Choices(target=("y",), kind=kind))
    assert (selected.targets.tolist(), selected.classes) == (numbers, classes)
    assert selected.outputs == (1 if kind == "binary" else len(classes))


def test_values_may_be_several_columns(table_of):
    table = table_of("x,u,v\n1,2,3\n4,5,6\n")
    selected = select(table, Choices(target=("u", "v")))
    assert selected.targets.tolist() == [[2, 3], [5, 6]]
    assert (selected.kind, selected.outputs) == ("values", 2)
    alone = select(table, Choices(target=("v",), kind="values"))
    assert (alone.targets.tolist(), alone.outputs) == ([[3], [6]], 1)
    nothing = select(table, Choices(target=()))
    assert (nothing.targets, nothing.kind, nothing.names) == (None, "none", ("x", "u", "v"))


def test_rows_with_missing_values_are_left_out_only_if_that_is_asked(table_of):
    text = "a,b,c,y\n1,2,red,x\n,3,red,z\n4,NA,blue,z\n5,6,,x\n7,8,red,\n9,9,red,z\n"
    table = table_of(text)
    choices = {"target": ("y",), "one_hot": ("c",)}
    with pytest.raises(TableError) as error:
        select(table, Choices(**choices))
    assert "line 3, column 'a': the value is missing ('')" in str(error.value)
    assert "also missing in 'b', 'c', 'y'" in str(error.value)
    assert 'missing = "drop_rows"' in str(error.value)
    selected = select(table, Choices(**choices, drop_rows=True))
    assert selected.dropped == 4
    assert selected.inputs.tolist() == [[1, 2, 1], [9, 9, 1]]  # blue is in no row that is left
    unused = select(table, Choices(target=("y",), inputs=("b",), drop_rows=True))
    assert unused.dropped == 2  # a value that is missing in `a` costs no row


MISTAKES = [
    (SMALL, {}, r"line 2, column 'colour': 'red' is text.*ignore = \[\"colour\"\].*one_hot"),
    (SMALL, {"target": ("Y",)}, "target: t.csv has no column 'Y'. Did you mean 'y'?"),
    (SMALL, {"ignore": ("idd",)}, "ignore: .* no column 'idd'. Did you mean 'id'?"),
    (SMALL, {"ignore": ("y",)}, "ignore: 'y' cannot be a target and stand here too"),
    (SMALL, {"inputs": ("a", "a")}, "inputs: 'a' stands twice"),
    (SMALL, {"inputs": ("a",), "one_hot": ("colour",)}, "one_hot: 'colour' must be in inputs"),
    (SMALL, {"inputs": ("a",), "ignore": ("b",)}, "ignore: leave it out where inputs"),
    (SMALL, {"inputs": ("a",), "kind": "values"}, "'x' is text, and kind = \"values\""),
    (SMALL, {"inputs": ("a",), "classes": ("x", "q")}, r'classes: .*\["x", "z"\]. Got'),
    ("a,y\n1,u\n2,u\n", {}, "all 2 rows are of one class .'u'."),
    ("a,y\n1,1\n2,2\n", {}, 'whole numbers; state what they are: kind = "classes"'),
    ("a,y\n1,1.5\n2,2\n", {"kind": "classes"}, "Got 1.5; for regression"),
    ("a,y\n1,1\n2,2\n3,3\n", {"kind": "binary"}, "needs two classes; 'y' has 3"),
    ("a,y\n1,u\n2x,v\n3,v\n4,v\n", {}, "line 3, column 'a': '2x' is not a number"),
    ("a;y\n1.5;u\n2,5;v\n3;v\n", {}, "'2,5' is not a number.*decimal = "),
    ("a,y\n1,u\n1e39,v\n", {}, "'1e.39' is not a number that float32 can hold"),
    ("a,y\n1,u\ninf,v\n3,v\n", {}, "'inf' is not a number"),
    ("y\nu\nv\n", {}, "no column is left"),
    ("a,y\n,u\n,v\n", {"drop_rows": True}, "every row has a missing value|is text"),
]


@pytest.mark.parametrize(("text", "fields", "words"), MISTAKES)
def test_a_mistake_is_answered_with_place_value_and_what_to_write(table_of, text, fields, words):
    choices = Choices(**{"target": ("y",)} | fields)
    with pytest.raises(TableError, match=words):
        select(table_of(text), choices)


def test_a_target_of_an_archive_may_have_many_values(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones((4, 3)), y=np.arange(8.0).reshape(4, 2))
    selected = select(read(tmp_path / "d.npz"), Choices(target=("y",)))
    assert (selected.targets.shape, selected.outputs, selected.kind) == ((4, 2), 2, "values")
    with pytest.raises(TableError, match="several target columns are 'values'"):
        select(read(tmp_path / "d.npz"), Choices(target=("y",), kind="classes"))
