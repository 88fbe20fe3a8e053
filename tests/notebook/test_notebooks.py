"""The notebooks in `results/notebooks`: they run, show what is stored, and name no machine."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.notebook import run_cells

FOLDER = Path(__file__).parents[2] / "results" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MEASURED = re.compile(r"[\d.]+e-\d\d|[\d.]+ (?:ms|µs|s)\b|runs/[0-9a-f]+|[\d.]{6,}")
"""Times, differences of the size of rounding, numbers of many digits, and the name of a run."""

LONGER = "ten_minutes"
"""What it calls, the tests of the room try by default."""


def name_of(path):
    return path.stem


each = pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)


def cells(path, kind="code"):
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def stored(cell):
    """What a cell shows, as text."""
    texts = [
        o["data"]["text/plain"] for o in cell["outputs"] if o["output_type"] == "execute_result"
    ]
    return "".join("".join(text) for text in texts)


def comparable(text):
    """The first line of what is shown, without what was measured."""
    return MEASURED.sub("#", text.partition("\n")[0])


@pytest.mark.xdist_group("more processes")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.full_product] if path.stem == LONGER else [])
        for path in NOTEBOOKS
    ],
    ids=name_of,
)
def test_it_shows_what_is_stored(path, tmp_path):
    done = subprocess.run(
        [sys.executable, run_cells.__file__, path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert len(shown) == len(cells(path))
    for text, cell in zip(shown, cells(path), strict=True):
        assert comparable(text) == comparable(stored(cell))


@each
def test_it_is_stored_as_it_ran(path):
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [o for cell in cells(path) for o in cell["outputs"] if o["output_type"] == "error"]
    assert any("image/svg+xml" in o.get("data", {}) for c in cells(path) for o in c["outputs"])


@each
def test_it_names_no_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|tmp|home|root|Users)/", text)
    assert len(text) < 100_000


@each
def test_its_links_lead_somewhere(path):
    text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (path.parent / link).exists(), link


@pytest.mark.full_product
@pytest.mark.xdist_group("more processes")
@each
def test_a_kernel_runs_it(path, tmp_path):
    from tests.notebook.notebooks import execute

    executed = execute(path, tmp_path)
    for now, before in zip(executed.cells, json.loads(path.read_text())["cells"], strict=True):
        if now.cell_type == "code":
            assert [o.output_type for o in now.outputs] == [
                o["output_type"] for o in before["outputs"]
            ]
