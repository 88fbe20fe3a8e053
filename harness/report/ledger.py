"""Verdicts on published numbers to files: Markdown, JSON, HTML, and the chart as an image."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.claims.judge import Judged
from harness.report import claims
from harness.results import write_atomically


def write(file: Path, judged: Sequence[Judged], asked: Mapping[str, str], chart: str = "") -> None:
    """Write what the file's suffix names.

    Args:
        file: ends in .md, .json, .html, .svg or .png.
        judged: every claim.
        asked: a claim's id to what it was asked for by, where that is another.
        chart: which one, of an image.

    Raises:
        harness.report.chart_names.NoChartError: there is no such chart.
        harness.report.chart_names.NoChartLibraryError: charts cannot be drawn here.
    """
    match file.suffix:
        case ".md":
            content = (claims.markdown(judged).rstrip() + "\n").encode()
        case ".json":
            content = (claims.as_json(judged) + "\n").encode()
        case ".html":
            from harness.report.page import claims_page as page  # heavy

            content = page.html(judged, asked).encode()
        case _:
            from harness.report.page import drawing

            content = drawing.image(drawing.of_claims(judged), chart, file.suffix)
    write_atomically(file, content)
