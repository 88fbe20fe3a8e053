"""The charts' JavaScript: Vega, Vega-Lite and Vega-Embed, out of the package vl-convert.

A page contains this script compressed, at two fifths of its size, and unpacks it when it is opened.
Making the bundle takes two seconds, so the user's cache stores it, one file per version.
"""

import base64
import contextlib
import gzip
import zlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from harness.cache import cache_folder
from harness.results import write_atomically

PACKAGE = "vl-convert-python"
SNIPPET = "window.vegaEmbed = vegaEmbed;"


@dataclass(frozen=True)
class ChartLibrary:
    """JavaScript that defines `vegaEmbed`.

    Args:
        text: the script that runs.
        packed: the same by gzip and base64, as a page contains it.
    """

    text: str
    packed: str

    @classmethod
    def of(cls, compressed: bytes) -> "ChartLibrary":
        """Unpack a script.

        Raises:
            OSError, EOFError, zlib.error, UnicodeDecodeError: it is not a whole script.
        """
        if not compressed:
            raise EOFError("an empty file")
        return cls(gzip.decompress(compressed).decode(), base64.b64encode(compressed).decode())


def chart_library() -> ChartLibrary | None:
    """Return the charts' library; None where vl-convert cannot be imported.

    Vega-Embed contains Vega's expression interpreter, so that a page needs no `unsafe-eval`.
    """
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    file = cache_folder() / "page" / f"vega-{version}.js.gz"
    with contextlib.suppress(ImportError):  # it is there, and broken
        return _read(file) or _make(file)
    return None


def _read(file: Path) -> ChartLibrary | None:
    with contextlib.suppress(OSError, EOFError, zlib.error, UnicodeDecodeError):
        return ChartLibrary.of(file.read_bytes())
    return None


def _make(file: Path) -> ChartLibrary:
    import vl_convert

    bundle = vl_convert.javascript_bundle(SNIPPET)
    compressed = gzip.compress(bundle.encode(), mtime=0)  # the same bytes every time
    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
        write_atomically(file, compressed)
    return ChartLibrary.of(compressed)
