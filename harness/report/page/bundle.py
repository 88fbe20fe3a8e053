"""The charts' JavaScript: Vega, Vega-Lite and Vega-Embed, out of the package vl-convert.

Making the bundle takes two seconds, so it is kept in the user's cache, one file per version.
"""

import contextlib
from importlib import metadata

from harness.data.fetching import cache
from harness.results import write_atomically

PACKAGE = "vl-convert-python"
SNIPPET = "window.vegaEmbed = vegaEmbed;"


def chart_library() -> str | None:
    """JavaScript that defines `vegaEmbed`; None where vl-convert is not installed.

    Vega-Embed brings Vega's expression interpreter, so that a page needs no `unsafe-eval`.
    """
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    file = cache() / "page" / f"vega-{version}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    import vl_convert

    made = inert(vl_convert.javascript_bundle(SNIPPET))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        write_atomically(file, made.encode())
    return made


def inert(script: str) -> str:
    """The same JavaScript without what would end or hide a script element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
