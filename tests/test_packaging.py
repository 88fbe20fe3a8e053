"""What `pyproject.toml` says has to fit together."""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_group_dev_is_the_extra_test():
    groups = PROJECT["dependency-groups"]
    dev = [line for part in groups["dev"] for line in groups[part["include-group"]]]
    assert sorted(dev) == sorted(PROJECT["project"]["optional-dependencies"]["test"])
