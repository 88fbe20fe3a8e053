"""Executes the notebooks of `results/notebooks` again: `python -m tests.notebook.notebooks`.

They run in a folder of their own, so that nothing of a run lies beside them, and are written with
their outputs. Times and what a kernel prints about itself are left out.
"""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "results" / "notebooks").glob("*.ipynb"))
TIMEOUT_S = 120


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells, run in a folder."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, resources=resources, record_timing=False).execute()
    return notebook


def write(path: Path) -> None:
    """Execute one notebook and write it with its outputs."""
    with tempfile.TemporaryDirectory(prefix="samestep-notebook-") as folder:
        notebook = execute(path, Path(folder))
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for each in NOTEBOOKS:
        write(each)
        print(f"wrote {each}")
