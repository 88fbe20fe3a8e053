"""The committed ledger: its document is made from its rows, and no verdict by hand."""

from pathlib import Path

from typer.testing import CliRunner

from harness import cli
from harness.claims import samples
from harness.claims.loading import ledger

LEDGER = Path(__file__).parents[2] / "results" / "ledger"


def test_the_document_is_what_the_rows_give(tmp_path):
    made = tmp_path / "ledger.md"
    done = CliRunner().invoke(cli.app, ["reproduce", "--from", str(LEDGER), "-o", str(made)])
    assert done.exit_code in (0, 1), done.output
    assert made.read_text() == (LEDGER / "ledger.md").read_text()


def test_its_rows_are_those_of_registered_claims():
    told = samples.read(LEDGER)
    judged = {one.claim for one in told if one.counts}
    assert judged <= set(ledger())
    assert len(judged) >= 40
    assert all(one.row.machine and one.row.started_at for one in told)


def test_it_says_the_same_in_every_framework_of_the_posts():
    posts = {name for name, claim in ledger().items() if claim.group == "posts"}
    told = [one for one in samples.read(LEDGER) if one.claim in posts and one.counts]
    assert {one.claim for one in told} <= posts
    assert {"numpy", "jax"} <= {one.row.framework for one in told}
