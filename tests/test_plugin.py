"""A framework from a package outside the repository, found through its entry point."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from harness.parity.rules import BY_NAME
from harness.registry import installed

pytestmark = [pytest.mark.full_product, pytest.mark.xdist_group("processes")]

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def installed_plugin(tmp_path):
    """What pip leaves of the plugin: its package, its metadata and its entry points."""
    pytest.importorskip("autograd", reason="the plugin's framework is not installed")
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    info = site / f"samestep_autograd-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (site / "samestep_autograd").symlink_to(PLUGIN / "samestep_autograd")
    extras = [
        line
        for name, requirements in project["optional-dependencies"].items()
        for line in [f"Provides-Extra: {name}"]
        + [f'Requires-Dist: {requirement}; extra == "{name}"' for requirement in requirements]
    ]
    head = ["Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}"]
    (info / "METADATA").write_text("\n".join([*head, *extras]) + "\n")
    entries = project["entry-points"]
    (info / "entry_points.txt").write_text(
        "\n".join(
            line
            for group, points in entries.items()
            for line in [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        )
    )
    return site


@pytest.fixture
def on_the_path(installed_plugin, monkeypatch):
    """The plugin, for this process and all that it starts."""
    monkeypatch.setenv("PYTHONPATH", str(installed_plugin))
    monkeypatch.syspath_prepend(installed_plugin)
    installed.cache_clear()
    yield
    monkeypatch.undo()
    installed.cache_clear()


def test_it_is_listed_checked_and_reported_like_our_own(invoke, samestep, on_the_path):
    listed = json.loads(samestep("list", "frameworks", "--json").stdout)["frameworks"]
    (entry,) = [framework for framework in listed if framework["name"] == "autograd"]
    assert entry["loops"] == "stepwise"
    assert entry["version"][0].isdigit()
    checked = invoke("check", "autograd")
    assert checked.exit_code == 0, checked.stdout
    summary = rf"autograd stepwise: \d+ protocols, {len(BY_NAME)} rules, all hold"
    assert re.search(summary, checked.stdout)
    done = invoke("report", "diabetes-linear", "iris-softmax", "--frameworks", "numpy,autograd")
    assert done.exit_code == 0, done.stderr
    assert "[proof 8/8]" in done.stderr  # of whichever proof ends last
    assert "] iris-softmax autograd stepwise: same" in done.stderr
