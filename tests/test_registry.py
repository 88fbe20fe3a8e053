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
