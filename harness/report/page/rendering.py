"""A page out of a template: what keeps it safe to open, and what all our pages share."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.__version__ import __version__
from harness.report.page.chart_library import chart_library
from harness.report.page.figures import CHART_CONFIG, reserved_height
from harness.report.page.tables import STATE_SIGNS
from harness.results import clean

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: Any) -> str:
    """Return one HTML file. It sends no request, and it says the same without JavaScript."""
    library = chart_library()
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return (
        environment(TEMPLATES)
        .get_template(template)
        .render(
            policy=policy([script] if library is None else [script, library.text]),
            style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
            script=script,
            library=library.packed if library else None,
            charts=library is not None,
            chart_config=CHART_CONFIG,
            state_signs=STATE_SIGNS,
            samestep_version=__version__,
            **context,
        )
    )


def environment(*folders: Path) -> jinja2.Environment:
    """Return what reads templates of these folders, and escapes all that they show."""
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        finalize=printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["embedded"] = embedded
    jinja.filters["packed"] = packed
    jinja.filters["reserved"] = reserved_height
    jinja.filters["columns"] = _columns
    return jinja


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return records as columns, which take half the bytes."""
    names = records[0].keys() if records else ()
    return {name: [record[name] for record in records] for name in names}


def policy(scripts: list[str]) -> str:
    """Return a Content-Security-Policy: these scripts, no network, no evaluation of text."""
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes}; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def embedded(value: Mapping[str, Any]) -> Markup:
    """Return JSON without NaN, in which no text can end the script element around it."""
    text = json.dumps(clean(value), allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def packed(value: Mapping[str, Any]) -> str:
    """Return JSON without NaN by gzip and base64, at a fifth of its size."""
    text = json.dumps(clean(value), allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def printable(value: Any) -> Any:
    """Return text without control characters, which no reader of a page can see."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in value)
