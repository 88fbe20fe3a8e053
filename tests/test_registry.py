from importlib import metadata
from types import SimpleNamespace

import pytest

from harness import registry
from harness.registry import LISTED_FIRST, UnknownFrameworkError, find, installed
from harness.trial import measure
from tests.conftest import skip_without

FILE = """
from harness.trainer import StepTrainer

class {name}(StepTrainer):
    loops = {loops}
"""


def test_our_frameworks_are_entered_in_order():
    ours = [name for name in LISTED_FIRST if name in installed()]
    assert list(installed())[: len(ours)] == ours
    assert {"numpy", "sklearn", "tensorflow", "keras", "torch", "jax"} <= set(ours)
    assert list(installed("native")) == ["sklearn"]


@pytest.mark.parametrize("name", LISTED_FIRST)
def test_loops_read_from_source_are_those_of_the_class(name):
    if name not in installed():
        pytest.skip(f"{name} is not entered")
    skip_without(name)
    framework = installed()[name]
    assert framework.load().loops == framework.loops
    assert framework.version


def test_versions_name_all_that_matters():
    skip_without("keras")
    assert "(tensorflow 2." in installed()["keras"].version
    assert installed()["tensorflow"].version.startswith("2.")


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownFrameworkError, match="Did you mean 'torch'"):
        find("tourch")


def test_a_file_is_an_adapter(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(FILE.format(name="Mine", loops='("stepwise", "fused")'))
    found = find(str(file))
    assert (found.name, found.class_name, found.loops) == ("mine", "Mine", ("stepwise", "fused"))
    assert found.load().__name__ == "Mine"
    digest = found.digest
    file.write_text(file.read_text() + "\n# changed\n")
    assert find(str(file)).digest != digest


def test_a_change_of_what_an_adapter_uses_is_seen(tmp_path, monkeypatch):
    package = tmp_path / "mypackage"
    (package / "deep").mkdir(parents=True)
    adapter = FILE.format(name="Mine", loops='("fused",)')
    imports = "import math\nfrom mypackage.base import Base\nfrom .layers import NAME\n"
    (package / "adapter.py").write_text(imports + adapter)
    (package / "base.py").write_text(FILE.format(name="Base", loops='("stepwise",)'))
    (package / "layers.py").write_text("from .deep.far import RATE\n")
    beside = [package / "__init__.py", package / "rules.py"]
    below = [package / "deep" / "__init__.py", package / "deep" / "far.py"]
    for file in (*beside, *below):
        file.write_text("RATE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    def digest():
        return find("mypackage.adapter:Mine").digest

    used = [*beside, *below, *(package / name for name in ("adapter.py", "base.py", "layers.py"))]
    digests = [digest()]
    for file in used:
        file.write_text(file.read_text() + "\n# changed\n")
        digests.append(digest())
    assert len(set(digests)) == 1 + len(used)


def test_what_an_adapter_does_not_use_is_not_seen(tmp_path, monkeypatch):
    package = tmp_path / "neighbours"
    (package / "other").mkdir(parents=True)
    adapter = FILE.format(name="Mine", loops='("fused",)')
    for name in ("__init__.py", "other/__init__.py", "other/layers.py"):
        (package / name).write_text("")
    (package / "adapter.py").write_text(adapter + "\nlayers = 1\n")
    (package / "neighbour.py").write_text(adapter)
    monkeypatch.syspath_prepend(tmp_path)
    before = find("neighbours.adapter:Mine").digest
    for name in ("neighbour.py", "other/layers.py"):
        (package / name).write_text("# changed\n" + adapter)
    (package / ".#adapter.py").symlink_to("nowhere")  # an editor's lock of an unsaved file
    (package / "folder.py").mkdir()
    assert find("neighbours.adapter:Mine").digest == before


def test_every_file_of_an_adapter_that_is_a_package_is_seen(tmp_path, monkeypatch):
    package = tmp_path / "packaged"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text(FILE.format(name="Mine", loops='("fused",)'))
    far = package / "deep" / "far.py"
    far.write_text("RATE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = find("packaged:Mine").digest
    far.write_text("RATE = 2\n")
    assert find("packaged:Mine").digest != before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1\n", "must have one class"),
        ("class Mine: pass\n", "None of Mine states them"),
        (FILE.format(name="Mine", loops='("quick",)'), "out of idiomatic, .*Got 'quick'"),
        (FILE.format(name="Mine", loops='("stepwise")'), r"write \('stepwise',\) with a comma"),
        (FILE.format(name="Mine", loops="LOOPS"), "literal strings. Got LOOPS"),
        (FILE.format(name="Mine", loops="()"), r"one or more names. Got \(\)"),
        (FILE.format(name="Mine", loops='("fused",)\n    dtypes = ("float16",)'),
         "dtypes of class 'Mine' must be names out of float32, float64. Got 'float16'"),
        (FILE.format(name="Mine", loops='("fused",)\n    slow_to_start = ("fast",)'),
         "slow_to_start of class 'Mine' must be names out of idiomatic, stepwise, fused"),
        (FILE.format(name="A", loops='("fused",)') + FILE.format(name="B", loops='("fused",)'),
         "Got 2; name it with module:Class"),
        ("def broken(:\n", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_adapter(tmp_path, content, message):
    file = tmp_path / "mine.py"
    file.write_text(content)
    with pytest.raises(UnknownFrameworkError, match=message):
        find(str(file))


def test_a_loop_that_is_slow_to_start_is_read_from_the_source(tmp_path):
    file = tmp_path / "mine.py"
    loops = '("stepwise", "fused")\n    slow_to_start = ("fused",)'
    file.write_text(FILE.format(name="Mine", loops=loops))
    assert find(str(file)).slow_to_start == ("fused",)
    assert not find(str(file)).is_own
    assert find("numpy").slow_to_start == ()
    assert find("numpy").is_own


def test_a_module_and_class():
    found = find("implementations.numpy_scratch:NumpyTrainer")
    assert found.loops == ("stepwise",)
    with pytest.raises(UnknownFrameworkError, match="no Python source"):
        find("no.such.module:Class")
    with pytest.raises(UnknownFrameworkError, match=r"must state `loops.*has NumpyTrainer$"):
        find("implementations.numpy_scratch:Nothing")


def test_a_broken_plugin_breaks_nobody_else(monkeypatch):
    from importlib import metadata

    def points(group):
        good = metadata.EntryPoint("numpy", "implementations.numpy_scratch:NumpyTrainer", group)
        bad = metadata.EntryPoint("broken", "a_package_that_is_gone:Trainer", group)
        return (good, bad)

    monkeypatch.setattr(registry.metadata, "entry_points", points)
    monkeypatch.setattr(registry, "BROKEN", {})
    installed.cache_clear()
    try:
        assert list(installed()) == ["numpy"]
        with pytest.raises(UnknownFrameworkError, match=r"broken is broken: .*a_package_that"):
            find("broken")
    finally:
        monkeypatch.undo()
        installed.cache_clear()


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


MINE = FILE.format(name="Mine", loops='("stepwise",)')
BESIDE = {
    "a statement": {"mine.py": "import helper\n", "helper.py": ""},
    "in a function": {"mine.py": "def f():\n    from helper import x\n", "helper.py": ""},
    "by way of another": {"mine.py": "import first\n", "first.py": "import helper",
                          "helper.py": ""},
    "a package": {"mine.py": "from tools import helper\n", "tools/__init__.py": "",
                  "tools/helper.py": ""},
    "deep in a package": {"mine.py": "import tools\n", "tools/__init__.py": "",
                          "tools/deep/helper.py": ""},
    "a folder without __init__": {"mine.py": "import tools.helper\n", "tools/helper.py": ""},
    "importlib": {"mine.py": "import importlib\nimportlib.import_module('hel' + 'per')\n",
                  "helper.py": ""},
    "runpy": {"mine.py": "from runpy import run_path\nrun_path('hel' + 'per.py')\n",
              "helper.py": ""},
    "__import__": {"mine.py": "x = __import__\nx('helper')\n", "helper.py": ""},
    "sys.path": {"mine.py": "import sys\nsys.path.append('lib')\nimport helper\n",
                 "lib/helper.py": ""},
}  # fmt: skip


@pytest.mark.parametrize("files", BESIDE.values(), ids=BESIDE)
def test_a_change_beside_a_file_that_the_file_imports_is_seen(tmp_path, files):
    write(tmp_path, {**files, "mine.py": files["mine.py"] + MINE})
    (helper,) = tmp_path.rglob("helper.py")
    before = find(str(tmp_path / "mine.py")).digest
    helper.write_text("x = 3\n")
    assert find(str(tmp_path / "mine.py")).digest != before


def test_what_lies_beside_a_file_and_is_not_imported_is_not_seen(tmp_path):
    write(
        tmp_path,
        {"mine.py": f'"""No other."""\nimport random\nfrom importlib import metadata\n{MINE}'},
    )
    before = find(str(tmp_path / "mine.py")).digest
    others = ("other.py", "random.py", "harness/__init__.py", ".venv/helper.py", "notes.txt")
    write(tmp_path, dict.fromkeys(others, "x = 1\n"))
    assert find(str(tmp_path / "mine.py")).digest == before


def test_a_file_imports_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(registry.sys, "path", list(registry.sys.path))
    text = f"import random\nimport helper_beside\n{MINE}    rate = helper_beside.RATE\n"
    write(tmp_path, {"mine.py": text, "helper_beside.py": "RATE = 3\n", "random.py": "x = 1\n"})
    assert find(str(tmp_path / "mine.py")).load().rate == 3
    import random

    assert hasattr(random, "shuffle")


def test_the_version_of_a_file_is_that_of_the_packages_it_imports(tmp_path):
    text = f"import numpy as np\nimport helper_beside\nimport no_such_package\n{MINE}"
    helper = "def late():\n    from pydantic import BaseModel\n"
    write(tmp_path, {"mine.py": text, "helper_beside.py": helper})
    found = find(str(tmp_path / "mine.py"))
    assert found.version == f"pydantic {metadata.version('pydantic')}"
    assert found.missing == ()
    write(tmp_path, {"mine.py": f"import os\nimport numpy as np\n{MINE}"})
    assert find(str(tmp_path / "mine.py")).version == f"numpy {metadata.version('numpy')}"


@pytest.mark.parametrize(
    ("imports", "is_numpys"),
    [("numpy", True), ("numpy, math, scipy.linalg", True), ("numpy, pydantic", False),
     ("ctypes, numpy", False)],
)  # fmt: skip
def test_the_products_are_numpys_only_where_nothing_else_computes(
    tmp_path, monkeypatch, imports, is_numpys
):
    monkeypatch.setattr(measure, "blas_in_use", lambda: "openblas")
    write(tmp_path, {"mine.py": f"import {imports}\n{MINE}    blas = ''\n"})
    adapter = find(str(tmp_path / "mine.py")).load()
    adapter.__abstractmethods__ = frozenset()
    trainer = object.__new__(adapter)
    assert measure.products_library(trainer) == ("openblas" if is_numpys else None)
    trainer.blas = "MKL"
    assert measure.products_library(trainer) == "MKL"


def test_a_byte_order_mark_is_taken(tmp_path):
    file = tmp_path / "mine.py"
    file.write_bytes(b"\xef\xbb\xbf" + MINE.encode())
    assert find(str(file)).load().__name__ == "Mine"


def test_text_of_another_encoding_is_to_be_saved_as_utf_8(tmp_path):
    file = tmp_path / "mine.py"
    text = f'"""손글씨"""\n{MINE}'
    file.write_bytes(text.encode("cp949"))
    with pytest.raises(UnknownFrameworkError, match="CP949: save it as UTF-8"):
        find(str(file))
    file.write_bytes(f"# coding: cp949\n{text}".encode("cp949"))
    assert find(str(file)).load().__name__ == "Mine"


def test_a_file_may_not_take_an_installed_name(tmp_path):
    file = tmp_path / "numpy.py"
    file.write_text(FILE.format(name="Mine", loops='("stepwise",)'))
    with pytest.raises(UnknownFrameworkError, match="rename the file"):
        find(str(file))


def test_a_missing_package_names_its_install_line(monkeypatch):
    monkeypatch.setattr(registry, "_version", lambda name: None)
    framework = installed()["torch"]
    assert framework.missing == ("torch",)
    assert framework.install_line.startswith("python -m pip install ")
    assert "[torch]" in framework.install_line
    assert framework.version == ""


@pytest.mark.parametrize(("stated", "column"), [("", None), ("ggml 0.9", "ggml 0.9")])
def test_a_trainer_may_state_the_version_of_what_is_no_package(stated, column):
    from harness.results import MeasuredColumns
    from harness.trial.measure import describe_device
    from tests.trials import trial_of

    columns = MeasuredColumns()
    trainer = SimpleNamespace(device="cpu", precision="float32", blas="its own", version=stated)
    describe_device(trainer, trial_of(), columns)
    assert columns.framework_version == column
    assert ("framework_version" in columns.measured()) == bool(stated)
