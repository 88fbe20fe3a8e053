"""The committed ledger: its document is made from its rows, and no verdict by hand."""

from pathlib import Path

from typer.testing import CliRunner

from harness import cli
from harness.claims import samples
from harness.claims.claim_plan import claim_runs
from harness.claims.judge import judge
from harness.claims.loading import ledger
from harness.report.claim_text import ENOUGH_ROWS

LEDGER = Path(__file__).parents[2] / "results" / "ledger"


def test_the_document_is_what_the_rows_give(tmp_path):
    file = tmp_path / "ledger.md"
    done = CliRunner().invoke(cli.app, ["reproduce", "--from", str(LEDGER), "-o", str(file)])
    assert done.exit_code in (0, 1), done.output
    assert file.read_text() == (LEDGER / "ledger.md").read_text()


def test_its_rows_are_those_of_registered_claims():
    committed = samples.read(LEDGER)
    judged = {sample.claim for sample in committed if sample.counts}
    assert judged <= set(ledger())
    assert len(judged) >= 40
    assert all(sample.row.machine and sample.row.started_at for sample in committed)


APART = {
    "C02": "Adam at 0.1 swings from step to step, so rounding decides which rows are right",
    "C06": "20,000 and more steps in float32 end in networks 0.2 points apart at most",
}
"""Claims whose frameworks are not shown to be equivalent, all proven in float64, and why."""
ALONE = {
    "C03": "scikit-learn's own solver",
    "C05": "heavy: run in one framework",
    "C10": "a regression: no rows are right or wrong",
}
"""Claims that compare no frameworks, and why."""


def posts():
    """The posts' claims, judged by the committed rows."""
    committed = samples.read(LEDGER)
    for claim in ledger().values():
        if claim.group == "posts" and not claim.not_run:
            digests = {run.variant: run.experiment.digest for run in claim_runs(claim)}
            yield judge(claim, committed, digests)


def agrees(agreement):
    """Equivalent; on a test set too small to show that, right on the very same rows."""
    same = agreement.equivalence
    return same.holds if same.rows >= ENOUGH_ROWS else not same.only_first + same.only_second


def test_it_says_the_same_in_every_framework_of_the_posts():
    compared = {judged.claim.id: judged.agreements for judged in posts()}
    assert {name for name, pairs in compared.items() if not pairs} == set(ALONE)
    assert {name for name, pairs in compared.items() if not all(map(agrees, pairs))} == set(APART)
    for name, pairs in compared.items():
        frameworks = {framework for pair in pairs for framework in (pair.framework, pair.other)}
        assert name in ALONE or {"numpy", "jax", "keras", "torch"} <= frameworks, name
