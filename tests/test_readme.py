"""What README shows has to work."""

import re
import tomllib
from pathlib import Path

from harness.claims.loading import from_values
from harness.cli import app
from harness.experiment.loading import parse
from harness.parity.protocols import every
from tests import readme

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_example_protocol_is_valid():
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (example,) = [block for block in blocks if "[network]" in block]
    experiment = parse(tomllib.loads(example), "README")
    assert experiment.data.rows == (1293, 144, 360)
    commented = re.sub(r"^# (l2|schedule) = ", r"\1 = ", example, flags=re.MULTILINE)
    commented = commented.replace(
        "momentum = 0.9 }", "momentum = 0.9, rate_inside_velocity = true }"
    )
    assert parse(tomllib.loads(commented), "README").training.l2 is not None


def test_the_example_claim_is_valid():
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (example,) = [block for block in blocks if "[protocol.network]" in block]
    claim = from_values(tomllib.loads(example), "README")
    assert claim.protocol.data.rows == (1000, 0, 797)
    assert [variant.name for variant in claim.variants] == ["raw-pixels"]


def test_the_commands_exist():
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    shown = set(re.findall(r"samestep ([a-z]+(?:-[a-z]+)*)\b", README))
    assert shown - {"draws"} <= known


def test_the_numbers_it_states():
    assert f"all {len(every())} protocols" in README


def test_its_tables_are_what_results_holds():
    assert readme.written(README) == README, "run: python -m tests.readme"
