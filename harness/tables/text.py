"""Text files to tables: encoding, delimiter, decimal sign and header as people have them."""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from harness.tables.errors import TableError, listed, quoted
from harness.tables.table import Column, Table, TextFormat

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "space": "white space"}
"""Between columns, and their names. The first that fits best is taken."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks that Excel and editors write, and the encodings that they stand for."""
GUESSED_LINES = 1000
"""Lines at the beginning by which delimiter and decimal sign are found out."""
NOTHING = "behind the last delimiter\n"
"""A name that no column has."""
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\n')
"""The first line by which Excel is told the delimiter."""


def read(name: str, sha256: str, content: bytes, stated: TextFormat) -> Table:
    """Return the columns of a text file.

    Args:
        name: of the file, for messages.
        sha256: of its bytes.
        content: its bytes, unpacked.
        stated: how it is written; what is not stated is found out.

    Raises:
        TableError: it is no table, or what must be stated cannot be found out.
    """
    text, encoding = decoded(name, content, stated.encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    separator = SEPARATOR_LINE.match(text)
    lines_before = 0
    delimiter = stated.delimiter
    if separator:
        text, lines_before = text[separator.end() :], 1
        delimiter = delimiter or separator[1]
    if not text.strip():
        raise TableError(f"{name}: the file is empty")
    delimiter = delimiter or _delimiter(text)
    cells = list(itertools.islice(_rows(text, delimiter), GUESSED_LINES))
    decimal = stated.decimal or _decimal(cells, delimiter)
    header = _has_header(name, cells[0], stated.header)
    names = _names(name, cells[0], header)
    if len(cells) < 1 + header:
        raise TableError(f"{name}: has a header and no rows")
    body, skipped = _body(text, delimiter) if header else (text, 0)
    frame = _frame(name, body, names, delimiter, decimal, lines_before + skipped)
    form = f"{encoding.upper()}, {DELIMITERS.get(delimiter, quoted(delimiter))} between columns"
    form += ", decimal comma" if decimal == "," else ""
    form += "" if header else ", no header"
    columns = {column: Column(column, _values(frame[column], decimal)) for column in names}
    # A file without blank lines and line breaks inside of quotes has a row per line.
    is_plain = body.count("\n") + 1 == len(frame)
    first = 1 + lines_before + skipped
    line = partial(_add, first) if is_plain else _line_finder(body, delimiter, first)
    return Table(name, sha256, columns, form, line=line)


def decoded(name: str, content: bytes, stated: str | None) -> tuple[str, str]:
    """Return the text of a file, and its encoding: as stated, or UTF-8, UTF-16 or CP949.

    CP949 is what Korean Windows writes; EUC-KR is a part of it.

    Raises:
        TableError: it is no text in any of these.
    """
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    for encoding in [stated] if stated else [marked] if marked else ["utf-8", "cp949"]:
        try:
            text = content.decode(encoding)
        except LookupError as error:
            raise TableError(f"format.encoding: {quoted(encoding)} is not known") from error
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise TableError(f"{name}: not a text file (it has zero bytes); save it as 'CSV UTF-8'")
        return text.removeprefix("\ufeff"), encoding.removesuffix("-sig")
    tried = stated or marked or "UTF-8 or CP949"
    raise TableError(
        f"{name}: cannot be read as {tried}; save it as 'CSV UTF-8', or state its encoding, such "
        'as format = { encoding = "latin-1" } (on the command line: --encoding latin-1)'
    )


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of every row that is not blank, for messages and for guesses."""
    if delimiter == "space":
        yield from (line.split() for line in text.split("\n") if line.strip())
        return
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    csv.field_size_limit(2**27)
    yield from ([cell.strip() for cell in row] for row in lines if row)


def _delimiter(text: str) -> str:
    """Return the delimiter that gives the same number of columns, more than one, in most lines.

    Of several, that by which the first line has as many, and by which most cells are numbers.
    """
    end = 0
    for _ in range(50):
        end = text.find("\n", end) + 1
        if not end:
            break
    sample = text[:end] if end else text

    def fit(delimiter: str) -> tuple[float, bool, bool, float, int]:
        rows = list(itertools.islice(_rows(sample, delimiter), 50))
        counts = [len(row) for row in rows]
        columns = max(counts[0], counts[-1])
        if columns < 2:
            return 0.0, False, False, 0.0, 0
        share = sum(count == columns for count in counts) / len(counts)
        # Decimal commas part a row too, but not the header, and what they leave are no numbers.
        cells = [cell for row in rows for cell in row]
        numbers = sum(bool(NUMBER.fullmatch(cell)) for cell in cells) / len(cells)
        is_space = delimiter == "space"
        return round(share, 1), counts[0] == columns, not is_space, round(numbers, 1), columns

    best = max(DELIMITERS, key=fit)
    return best if fit(best)[0] > 0 else ","


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """Return a comma where some numbers have one and none has a point."""
    if delimiter == ",":
        return "."
    cells = [cell for row in rows for cell in row]
    has_comma = any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return "," if has_comma and not any(map(DECIMAL_POINT.fullmatch, cells)) else "."


def _has_header(name: str, first: list[str], stated: bool | None) -> bool:
    """Return whether the first line has names; refuse one that may have either.

    Raises:
        TableError: it has numbers, so it may be a row.
    """
    if stated is not None:
        return stated
    numbers = [cell for cell in first if NUMBER.fullmatch(cell)]
    if numbers:
        raise TableError(
            f"{name}: the first line has numbers ({listed(numbers)}); state whether it has the "
            "names of the columns, format = { header = true }, or is a row already, "
            "format = { header = false }; the columns are then column1, column2, ... (on the "
            "command line: --header or --no-header)"
        )
    return True


def _names(name: str, first: list[str], header: bool) -> list[str]:
    """Return the names of the columns. One without a name is called by its place, `column3`.

    Raises:
        TableError: two columns have the same name.
    """
    if not header:
        return [f"column{number}" for number in range(1, len(first) + 1)]
    while len(first) > 1 and not first[-1]:  # a delimiter at the end of the line
        first = first[:-1]
    names = [cell or f"column{number}" for number, cell in enumerate(first, 1)]
    for column in names:
        places = [str(number) for number, other in enumerate(names, 1) if other == column]
        if len(places) > 1:
            raise TableError(
                f"{name}: columns {' and '.join(places)} have the same name, {quoted(column)}; "
                "rename them in the first line, or if that is a row already, write "
                "format = { header = false }"
            )
    return names


def _body(text: str, delimiter: str) -> tuple[str, int]:
    """Return what is below the header, and how many lines the header takes."""
    blank = len(text) - len(text.lstrip("\n"))
    if delimiter == "space":
        lines = blank + 1
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        next(row for row in reader if row)
        lines = reader.line_num
    end = 0
    for _ in range(lines):
        end = text.index("\n", end) + 1
    return text[end:], lines


def _frame(
    name: str, body: str, names: list[str], delimiter: str, decimal: str, lines_before: int
) -> Any:
    """Let pandas parse the rows. It keeps the text of every column that is not all numbers."""
    import warnings

    import pandas

    # Until 3.0, pandas read some numbers a last digit off.
    exact = {} if int(pandas.__version__.split(".")[0]) > 2 else {"float_precision": "round_trip"}
    options = {
        "header": None,
        "index_col": False,
        "na_filter": False,
        "low_memory": False,
        "skipinitialspace": True,
        "sep": r"\s+" if delimiter == "space" else delimiter,
        "decimal": decimal,
        **exact,
    }

    def parsed(columns: list[str]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            return pandas.read_csv(io.StringIO(body), names=columns, **options)

    try:
        try:
            return parsed(names)
        except pandas.errors.ParserWarning:
            # One more cell in every row: a delimiter at the end of lines leaves it empty. pandas
            # itself sees that only where pyarrow is not installed.
            wider = parsed([*names, NOTHING])
            if set(wider[NOTHING].astype(str).str.strip()) - {"", "nan"}:
                raise
            return wider[names]
    except (pandas.errors.ParserError, pandas.errors.ParserWarning, ValueError) as error:
        raise TableError(
            _ragged(name, body, len(names), delimiter, lines_before)
            or f"{name}: not a table ({str(error).strip()})"
        ) from error


def _ragged(name: str, body: str, columns: int, delimiter: str, lines_before: int) -> str:
    """Return which row has more cells than there are columns; "" where none has."""
    reader: Any = (line.split() for line in body.split("\n"))
    if delimiter != "space":
        reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    for number, row in enumerate(reader, 1):
        while len(row) > columns and not row[-1].strip():
            row.pop()
        if len(row) > columns:
            line = lines_before + getattr(reader, "line_num", number)
            if columns == 1:
                return (
                    f"{name}, line {line}: has {len(row)} cells, and the first line has one. The "
                    "first line must have the names of the columns: delete titles and comments "
                    "above them"
                )
            return (
                f"{name}, line {line}: must have {columns} cells, as the first line has. "
                f"Got {len(row)}; put text that has the delimiter in it between quotes"
            )
    return ""


def _values(column: Any, decimal: str) -> np.ndarray:
    """Return the values of a pandas column: numbers, booleans, or str with a decimal point."""
    if column.dtype.kind in "buif":
        return np.asarray(column.to_numpy())
    values = column.to_numpy(dtype=object)
    texts = [value if isinstance(value, str) else str(value) for value in values]
    if decimal == ",":
        texts = [t.replace(",", ".") if DECIMAL_COMMA.fullmatch(t.strip()) else t for t in texts]
    return np.array(texts, dtype=object)


def _add(first: int, row: int) -> int:
    return first + row


def _line_finder(body: str, delimiter: str, first: int) -> Any:
    """Return a function from row to line, for a file with blank lines or with breaks in quotes."""

    def line(row: int) -> int:
        if delimiter == "space":
            lines = [n for n, text in enumerate(body.split("\n")) if text.strip()]
            return first + lines[row]
        reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
        found = 0
        for cells in reader:
            found += bool(cells)
            if found > row:
                return first + reader.line_num - 1
        return first + row

    return line
