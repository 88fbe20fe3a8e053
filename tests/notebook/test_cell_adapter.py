"""A class in a cell as an adapter: what goes into its file, and what is refused."""

import linecache
import sys
import types

import numpy as np
import pytest

from harness.notebook.cell_adapter import NoSourceError, adapter_source, requested_framework
from harness.registry import find

IMPORTS = """
import numpy as np
import numpy.linalg
from math import exp as e
from numpy import dot
from harness.trainer import StepTrainer
"""
METHODS = """
    def __init__(self, task): ...
    def advance(self, batches): ...
    def parameters(self): ...
"""


@pytest.fixture
def cells(monkeypatch):
    """Run cells one after the other in a `__main__` of their own, as IPython does."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(*sources):
        for number, source in enumerate(sources):
            name = f"<ipython-input-{number}-test>"
            monkeypatch.setitem(
                linecache.cache, name, (len(source), None, source.splitlines(True), name)
            )
            exec(compile(source, name, "exec"), vars(main))
        return main

    return run


def adapter(body, base="StepTrainer"):
    return f"class Mine({base}):\n    loops = ('stepwise',)\n{METHODS}\n{body}\n"


def predicting(expression):
    return adapter(f"    def predict(self, x: 'Any') -> np.ndarray:\n        return {expression}")


HELPERS = """
LIMIT = [1, 2.5]
def helper(x):
    return other(x) + len(LIMIT)
def other(x):
    return np.tanh(x)
"""
BASE = """
def plain(f):
    return f
class Base(StepTrainer):
    def predict(self, x):
        return x
"""


def test_what_it_uses_goes_with_it(cells):
    main = cells(IMPORTS, HELPERS, predicting("dot(helper(x), e(0)) + np.linalg.norm(x)"))
    source = adapter_source(main.Mine)
    assert "import numpy as np" in source
    assert "from math import exp as e" in source
    assert "from numpy import dot" in source
    assert "LIMIT = [1, 2.5]" in source
    place = {}
    exec(compile(source, "file", "exec"), place)
    assert np.allclose(place["Mine"].predict(None, np.zeros(3)), 2.0)


def test_what_it_does_not_use_stays(cells):
    main = cells(IMPORTS, "data = np.zeros(3)\nimport pandas as pd", predicting("x"))
    source = adapter_source(main.Mine)
    assert "data" not in source
    assert "pandas" not in source


def test_annotations_and_local_names_need_nothing(cells):
    main = cells(IMPORTS, "x = np.zeros(3)", predicting("[x for x in (1, 2)]"))
    assert "x = " not in adapter_source(main.Mine).replace("for x in", "")


def test_a_base_class_and_a_decorator_come_first(cells):
    main = cells(IMPORTS, BASE, adapter("    @plain\n    def more(self): ...", base="Base"))
    source = adapter_source(main.Mine)
    assert source.index("class Base") < source.index("class Mine")
    assert source.index("def plain") < source.index("class Mine")


def test_a_cell_with_a_magic_line(cells):
    main = cells(IMPORTS)
    source = "%time x = 1\n" + predicting("x")
    name = "<ipython-input-9-test>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    code = compile(source.replace("%time x = 1", "pass"), name, "exec")
    exec(code, vars(main))
    assert "class Mine" in adapter_source(main.Mine)


def test_the_last_definition_counts(cells):
    main = cells(IMPORTS, predicting("1"), predicting("2"))
    assert "return 2" in adapter_source(main.Mine)


def test_it_is_a_file_adapter(cells, tmp_path):
    main = cells(IMPORTS, predicting("x"))
    name = requested_framework(main.Mine, tmp_path)
    framework = find(name)
    assert framework.name == "Mine"
    assert framework.loops == ("stepwise",)
    digest = framework.digest
    changed = cells(IMPORTS, predicting("x + 1"))
    assert requested_framework(changed.Mine, tmp_path) == name
    assert find(name).digest != digest


def test_names_paths_and_own_adapters_stay_what_they_are(tmp_path):
    from implementations.numpy_scratch import NumpyTrainer

    assert requested_framework("numpy") == "numpy"
    assert requested_framework(tmp_path / "mine.py") == str(tmp_path / "mine.py")
    assert requested_framework(NumpyTrainer) == "numpy"


REFUSED = {
    "an array": ("data = np.zeros(3)", "data + x", "data, of type ndarray, which has no source"),
    "a lambda": ("scale = lambda x: x", "scale(x)", "scale, a lambda.*def scale"),
    "a closure": (
        "def make(k):\n    def inner(x):\n        return k * x\n    return inner\ninner = make(2)",
        "inner(x)",
        "inner, which is defined inside a function",
    ),
    "another name": ("def f(x):\n    return x\ng = f", "g(x)", "g, another name of f.*Call it f"),
    "an unknown name": ("", "nowhere(x)", "nowhere, which is not defined"),
    "an object": ("thing = object()", "thing", "thing, of type object"),
    "infinity": ("far = float('inf')", "x + far", "far, of type float"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_source_is_refused(cells, what):
    before, expression, message = REFUSED[what]
    main = cells(IMPORTS, before, predicting(expression))
    with pytest.raises(NoSourceError, match=f"(?s)class Mine uses {message}"):
        adapter_source(main.Mine)


def test_a_module_beside_the_notebook_is_refused(cells, tmp_path, monkeypatch):
    (tmp_path / "beside_it.py").write_text("def f(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    main = cells(IMPORTS, "import beside_it", predicting("beside_it.f(x)"))
    with pytest.raises(NoSourceError, match=r"beside_it\.py.*lies beside the notebook"):
        adapter_source(main.Mine)


def test_two_adapters_in_one_are_refused(cells):
    main = cells(IMPORTS, predicting("x").replace("Mine", "Base"), adapter("", base="Base"))
    with pytest.raises(NoSourceError, match="Base, which states loops too"):
        adapter_source(main.Mine)


def test_a_class_without_source(cells, tmp_path):
    main = cells(IMPORTS)
    exec(predicting("x"), vars(main))
    with pytest.raises(NoSourceError, match="Mine, whose source is not known"):
        requested_framework(main.Mine, tmp_path)


CLASSES = {
    "no methods": (
        "class Mine(StepTrainer):\n    loops = ('stepwise',)",
        "lacks the methods __init__",
    ),
    "no trainer": ("class Mine: ...", "must derive from harness.trainer.StepTrainer"),
    "no loops": (
        f"class Mine(StepTrainer):\n{METHODS}\n    def predict(self, x): ...",
        "must state `loops",
    ),
}


@pytest.mark.parametrize("what", CLASSES)
def test_a_class_that_is_no_adapter(cells, what, tmp_path):
    source, message = CLASSES[what]
    main = cells(IMPORTS, source)
    with pytest.raises(TypeError, match=message):
        requested_framework(main.Mine, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [lambda: 1, 3, None, np.zeros(2)])
def test_what_is_no_framework(given):
    with pytest.raises(TypeError, match="frameworks: must be names, adapter files"):
        requested_framework(given)


def test_a_class_in_a_function(cells, tmp_path):
    source = "def make():\n" + "\n".join(f"    {line}" for line in predicting("x").splitlines())
    main = cells(IMPORTS, f"{source}\n    return Mine\nMine = make()")
    with pytest.raises(NoSourceError, match="is defined inside a function"):
        requested_framework(main.Mine, tmp_path)


def test_the_name_of_an_installed_adapter(cells, tmp_path):
    main = cells(IMPORTS, predicting("x").replace("Mine", "numpy"))
    with pytest.raises(TypeError, match="class numpy has the name of an installed adapter"):
        requested_framework(main.numpy, tmp_path)
