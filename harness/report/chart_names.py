"""Charts as files: what they are called, and what keeps one from being drawn.

Nothing heavy is imported, so that a command can ask before anything is run.
"""

CLAIMS = ("differences",)
COMPARISON = ("time", "time-to-baseline")
SWEEP = ("step-time",)
"""Names of the charts of `reproduce`, `compare` and `scale`; those of a report depend on its
plan (`page.drawing.names`)."""


class NoChartError(ValueError):
    """There is no such chart; the message says which there are."""


class NoChartLibraryError(RuntimeError):
    """vl-convert cannot be imported; the message says how to get it."""


def need_library() -> None:
    """Find out whether charts can be drawn here.

    Raises:
        NoChartLibraryError: they cannot.
    """
    try:
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise NoChartLibraryError(
            'charts as files need vl-convert: pip install "samestep[report]"'
        ) from error
