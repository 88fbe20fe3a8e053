"""The only writer of files: what a command found, in the format that a file's suffix names.

Each function raises `chart_names.NoChartError` where there is no such chart, and
`chart_names.NoChartLibraryError` where charts cannot be drawn here. `chart` is the name of the
chart that an image shows; "" is the first.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.claims.judge import Judged
from harness.report import change_table, claims, markdown, row_export, scale
from harness.report.model import Report
from harness.report.page import claims_page, compare_page, drawing, report_page
from harness.report.page.drawing import IMAGES, Drawings
from harness.report.run_comparison import RunComparison
from harness.report.sweep import Sweep
from harness.results import write_atomically

Texts = Mapping[str, Callable[[], str]]
"""Suffix to what makes the text of such a file."""


def write_report(file: Path, report: Report, chart: str = "") -> None:
    texts: Texts = {
        ".md": lambda: markdown.as_markdown(report),
        ".csv": lambda: row_export.as_csv(report.run),
        ".json": lambda: row_export.as_json(report.run),
        ".html": lambda: report_page.as_html(report),
    }
    _write(file, texts, lambda: drawing.of_report(report), chart)


def write_comparison(file: Path, comparison: RunComparison, chart: str = "") -> None:
    texts: Texts = {
        ".md": lambda: change_table.as_markdown(comparison),
        ".json": lambda: change_table.as_json(comparison) + "\n",
        ".html": lambda: compare_page.as_html(comparison),
    }
    _write(file, texts, lambda: drawing.of_comparison(comparison), chart)


def write_sweep(file: Path, sweep: Sweep, chart: str = "") -> None:
    texts: Texts = {".json": lambda: scale.as_json(sweep) + "\n"}
    _write(file, texts, lambda: drawing.of_sweep(sweep), chart)


def write_verdicts(
    file: Path, judged: Sequence[Judged], names: Mapping[str, str], chart: str = ""
) -> None:
    """Write verdicts on claims; `names`: a claim's id to what the user typed for it."""
    texts: Texts = {
        ".md": lambda: claims.as_markdown(judged),
        ".json": lambda: claims.as_json(judged) + "\n",
        ".html": lambda: claims_page.as_html(judged, names),
    }
    _write(file, texts, lambda: drawing.of_claims(judged), chart)


def _write(file: Path, texts: Texts, drawings: Callable[[], Drawings], chart: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        ValueError: no format has this suffix.
    """
    if file.suffix in texts:
        content = texts[file.suffix]().encode()
    elif file.suffix in IMAGES:
        content = drawing.image(drawings(), chart, file.suffix)
    else:
        known = ", ".join([*texts, *IMAGES])
        raise ValueError(f"{file}: suffix must be one of {known}. Got {file.suffix!r}")
    write_atomically(file, content)
