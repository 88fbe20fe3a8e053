"""Runs the cells of a notebook in `__main__`, as a kernel does, and prints what they show as JSON.

Without a kernel this takes a third of the time. The source of a cell can be looked up, as IPython
lets it.
"""

import ast
import json
import linecache
import sys
from pathlib import Path


def _run_cell(source: str, number: int) -> str:
    """Run a cell; return what its last line shows, "" if nothing."""
    name = f"<cell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), globals())
    if last is None:
        return ""
    shown = eval(compile(ast.Expression(last.value), name, "eval"), globals())
    return "" if shown is None else repr(shown)


if __name__ == "__main__":
    _cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
    _sources = ["".join(cell["source"]) for cell in _cells if cell["cell_type"] == "code"]
    _shown_by = [_run_cell(source, number) for number, source in enumerate(_sources)]
    print("\n" + json.dumps(_shown_by))
