"""A file of the user's as data: how it is written, and what was found in it."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from harness.experiment.fields import Frozen
from harness.experiment.names import unknown

if TYPE_CHECKING:
    from harness.tables.table import TextFormat

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": "space"}
"""Names that may stand for a delimiter."""

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _delimiter(text: str) -> str:
    sign = DELIMITERS.get(text, text)
    if sign not in DELIMITERS.values():
        raise ValueError(unknown(text, DELIMITERS))
    return sign


class FileFormat(Frozen):
    """How a text file is written. What is left out is found out from the file.

    Args:
        encoding: such as `utf-8`, `cp949` or `latin-1`. By default UTF-8 or UTF-16 by their
            byte-order mark, else UTF-8, else CP949 (of which EUC-KR is a part).
        delimiter: `comma`, `semicolon`, `tab`, `bar` or `space` (any white space), or the sign
            itself.
        decimal: `.` or `,`. By default a comma where commas are not delimiters, some numbers
            have one, and none has a point.
        header: whether the first line has the names of the columns. By default it has, and a
            first line with a number in it is refused until this is stated. Columns without
            names are `column1`, `column2` and so on.
    """

    encoding: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    decimal: Literal[".", ","] | None = None
    header: Annotated[bool, Field(strict=True)] | None = None

    def as_stated(self) -> "TextFormat":
        """Return the same for the reader of files."""
        from harness.tables.table import TextFormat

        return TextFormat(self.encoding, self.delimiter, self.decimal, self.header)


class Contents(Frozen):
    """What was found in a file when the protocol was read. A plan and its rows keep it.

    Args:
        sha256: 64 hexadecimal digits of SHA-256 over the file; of several files over their
            digests, one after the other.
        rows: how many rows are used.
        dropped: how many rows were left out, because a value is missing.
        inputs: names of the columns of the inputs, in their order; one of `one_hot` is named
            `colour=red`, a number of an array `pixels[0,3]`.
        kind: of the targets, as in `harness.experiment.datasets`.
        outputs: number of classes, 1 for kind `binary`, or number of target columns.
        classes: the classes in their order: the first is number 0.
        form: how the file is written, in words.
        test_rows: how many of the rows, the last ones, are test rows of the file's own or of
            `test_file`.
    """

    sha256: Sha256
    rows: int
    dropped: int
    inputs: tuple[str, ...]
    kind: Literal["classes", "binary", "values", "none"]
    outputs: int
    classes: tuple[str, ...]
    form: str
    test_rows: int = 0
