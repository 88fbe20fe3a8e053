import pytest

from harness import registry
from harness.registry import UnknownFrameworkError, find, installed
from tests.conftest import skip_without

FILE = """
from harness.trainer import StepTrainer

class {name}(StepTrainer):
    loops = {loops}
"""


def test_our_frameworks_are_entered_in_order():
    assert list(installed())[:5] == ["numpy", "sklearn", "keras", "torch", "jax"]
    assert list(installed("native")) == ["sklearn"]


@pytest.mark.parametrize("name", ["numpy", "sklearn", "keras", "torch", "jax"])
def test_loops_read_from_source_are_those_of_the_class(name):
    skip_without(name)
    framework = installed()[name]
    assert framework.load().loops == framework.loops
    assert framework.version


def test_versions_name_all_that_matters():
    skip_without("keras")
    assert "(tensorflow 2." in installed()["keras"].version


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


def test_a_change_of_a_helper_of_its_own_package_is_seen(tmp_path, monkeypatch):
    package = tmp_path / "mypackage"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    imports = "import math\nfrom mypackage import layers, NAME\nfrom .deep.far import helper\n"
    (package / "adapter.py").write_text(imports + FILE.format(name="Mine", loops='("fused",)'))
    helpers = [package / f for f in ("__init__.py", "layers.py", "rules.py", "deep/far.py")]
    (package / "deep" / "__init__.py").write_text("from ..rules import RATE\n")
    for file in helpers:
        file.write_text("NAME = RATE = helper = 1\n")
    unused = package / "unused.py"
    unused.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    found = find("mypackage.adapter:Mine")
    digests = [found.digest]
    for file in helpers:
        file.write_text("NAME = RATE = helper = 2\n")
        digests.append(found.digest)
    assert len(set(digests)) == 1 + len(helpers)
    unused.write_text("RATE = 2\n")
    assert found.digest == digests[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1\n", "must have one class"),
        (FILE.format(name="Mine", loops='("quick",)'), "must have one class"),
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


def test_a_module_and_class():
    found = find("implementations.numpy_scratch:NumpyTrainer")
    assert found.loops == ("stepwise",)
    with pytest.raises(UnknownFrameworkError, match="no Python source"):
        find("no.such.module:Class")
    with pytest.raises(UnknownFrameworkError, match="must state `loops"):
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
