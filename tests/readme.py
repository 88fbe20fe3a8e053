"""README's tables and its picture, made from what `results/` holds.

    python -m tests.readme

writes the text between README's marks anew, and draws `page.png` beside the report's page with a
headless Chromium. `tests/test_readme.py` holds README against the same functions.
"""

import base64
import json
import re
import sys
import tempfile
import textwrap
from pathlib import Path

from typer.testing import CliRunner

import harness
from harness.cli import app
from tests.report.browser import CHROMIUM, Browser

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REPORT = ROOT / "results/reference"
CLOCK = ROOT / "results/clock"
LEDGER = ROOT / "results/ledger"
WIDTH, HEIGHT = 1600, 1240
"""Of the picture, in CSS pixels: the page's answer, its table and the first chart."""
FIVE = {
    "C03": "scikit-learn, softmax regression by saga",
    "C04": "TensorFlow 1.15, softmax regression, full batch from N(0, 1)",
    "C02": "Keras, softmax regression, Adam at 0.1",
    "C05": "TensorFlow 1.15, 512-256-128 ReLU, full batch",
    "C06": "Keras, 512-256-128 ReLU, Adam",
}


def blocks() -> dict[str, str]:
    """By mark: the text that belongs between it and its end."""
    return {"results": results(), "bench": bench(), "ledger": ledger()}


def results() -> str:
    """The overview of the report, and what it was measured by."""
    report = (REPORT / "report.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"## At a glance\n\n(\|.*?)\n\n", report, re.DOTALL)
    rows = harness.load_results(REPORT / "results.csv")
    measured = rows[rows["track"] == "identical"]
    first_s = measured[measured["loop"] == "fused"]["first_step_s"].dropna()
    proven = measured.groupby("parity").size().sort_values(ascending=False)
    days = sorted({day[:10] for day in rows["started_at"].dropna()})
    place = REPORT.relative_to(ROOT)
    return "\n\n".join([
        table,
        _filled(
            "Test accuracy (mean squared error for `diabetes-linear`, the outputs themselves for "
            "`fixed-forward`) and training time without the first step, in which Keras and JAX "
            f"compile (a column of its own: {first_s.min():.2f} to {first_s.max():.1f} s); each "
            f"framework in its most compiled loop, {rows['dtype'].mode()[0]}, "
            f"{_count(int(rows['threads'].max()), 'thread')}, "
            f"{_count(rows['seed'].nunique(), 'seed')}, on "
            f"{_listed(rows['machine'].unique())}, {' to '.join(sorted({days[0], days[-1]}))}. "
            f"Of {len(rows)} trials {len(measured)} are of the identical track: "
            f"{', '.join(f'{count} proven `{verdict}`' for verdict, count in proven.items())}. "
            f"{rows['noise'].notna().sum()} were measured on a disturbed machine (`noisy`) and are "
            "not ranked. "
            f"The whole report and every row are in [`{place}`]({place})."
        ),
    ])  # fmt: skip


def bench() -> str:
    """The adapters' speed; the plain loops they are held against are 1 by definition."""
    lines = (CLOCK / "bench.md").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("|") and "| plain |" not in line)


def ledger() -> str:
    """How many claims came out how, and the posts' five accuracies."""
    done = CliRunner().invoke(app, ["reproduce", "--from", str(LEDGER), "--json"])
    told = json.loads(done.stdout)
    claims = {claim["id"]: claim for claim in told["claims"]}
    words = told["in_words"]
    place = LEDGER.relative_to(ROOT)
    table = [
        "| the posts' five accuracies | published | measured, mean (runs) | tolerance | verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, what in FIVE.items():
        found = claims[name]["findings"][0]
        mean = sum(found["measured"]) / len(found["measured"])
        table.append(
            f"| {name}: {what} | {float(found['published']):.4f} "
            f"| {mean:.4f} ({len(found['measured'])}) | {found['tolerance']:.4f} "
            f"| {claims[name]['verdict']} |"
        )
    whole = f"Whole, with rows, machine and versions: [`{place}`]({place}/ledger.md)."
    xor = claims["C08"]["findings"][0]["why"]
    return "\n\n".join([
        _filled(" ".join([words["judged"], words["not_run"], words["more"], whole])),
        "\n".join(table),
        _filled(f"XOR with two hidden units (C08): {xor}."),
        _filled(" ".join([words["registered"], words["by_chance"]])),
    ])  # fmt: skip


def written(readme: str) -> str:
    """README with every block as it belongs."""
    for mark, text in blocks().items():
        readme, times = re.subn(
            rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)",
            lambda found, text=text: f"{found[1]}{text}\n{found[2]}",
            readme,
            flags=re.DOTALL,
        )
        if times != 1:
            raise ValueError(f"README needs the marks of {mark!r} once; it has them {times} times")
    return readme


def draw(page: Path, picture: Path) -> None:
    """A picture of the page's upper end."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(Path(folder))
        try:
            browser.open(page, width=WIDTH, height=HEIGHT)
            shot = browser.call("Page.captureScreenshot", format="png")
        finally:
            browser.close()
    picture.write_bytes(base64.b64decode(shot["data"]))


def _filled(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _listed(values) -> str:
    return ", ".join(map(str, sorted(values)))


def main() -> None:
    """Write README, and the picture where there is a browser."""
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
    if CHROMIUM is None:
        sys.exit("no chromium: README is written, the picture is not")
    draw(REPORT / "report.html", REPORT / "page.png")


if __name__ == "__main__":
    main()
