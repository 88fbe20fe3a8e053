"""What the charts are called, and why one cannot be drawn.

Nothing heavy is imported, so that a command can check before it runs anything.
"""

CLAIMS = ("differences",)
COMPARISON = ("time", "time-to-baseline")
SWEEP = ("step-time",)
"""Names of the charts of `reproduce`, `compare` and `scale`."""
OVERVIEW = "overview"
"""A report's chart of all its experiments. The others depend on its plan, see
`page.drawing.names`."""


class NoChartError(ValueError):
    """There is no such chart. The message lists the charts there are."""


class NoChartLibraryError(RuntimeError):
    """vl-convert cannot be imported. The message says how to install it."""


def need_library() -> None:
    """Check that charts can be drawn here.

    Raises:
        NoChartLibraryError: vl-convert is not installed.
    """
    try:
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise NoChartLibraryError(
            'charts as files need vl-convert: pip install "samestep[report]"'
        ) from error
