"""What `import harness` gives: examples that run, and nothing heavy on import."""

import doctest
import inspect
import subprocess
import sys

import pytest

import harness

FUNCTIONS = [name for name in harness.__all__ if name != "__version__"]
HEAVY = ("numpy", "pandas", "pydantic", "rich", "torch")


def function(name):
    return inspect.unwrap(harness._FUNCTIONS.get(name) or getattr(harness, name))


@pytest.mark.xdist_group("processes")  # the example of `run` starts a worker
@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (test,) = doctest.DocTestFinder().find(function(name), name, module=False, globs={})
    assert test.examples
    printed: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=printed.append)
    assert runner.failures == 0, "".join(printed)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_described(name):
    documented = inspect.getdoc(function(name))
    for parameter in inspect.signature(function(name)).parameters:
        assert f"\n    {parameter}: " in documented, parameter
    for part in ("Args:", "Raises:", "Example:"):
        assert part in documented


def test_nothing_heavy_is_imported():
    code = f"import sys, harness; print([m for m in {HEAVY} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert printed.strip() == "[]"


def test_names_of_modules_stay_callable():
    import harness.experiment.model
    import harness.run as stored

    assert harness.run is stored
    assert stored.load_run
    assert str(harness.experiment("and").network) == "2-1"
    assert "experiments" in inspect.signature(harness.run).parameters
    with pytest.raises(TypeError):
        harness.run()
