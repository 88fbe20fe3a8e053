"""`reproduce` and `explain` from end to end, on a user's own claim file."""

import json

import pytest
from typer.testing import CliRunner

from harness import cli
from harness.claims import samples
from harness.execute import local

CLAIM = """
id = "mine"
title = "Softmax regression on the small digits"
seeds = 3
cost = "seconds"
expected = "CONSISTENT"

[source]
author = "A. Author"
title = "A page </script> [bold]"
year = "2020"
address = "https://example.org"
verified = "V1"

[[numbers]]
name = "test accuracy"
metric = "test_accuracy"
published = "{published}"
rule = "{rule}"
low = {low}
high = 0.88

[protocol.data]
dataset = "digits"
scale = "divide_by_16"
split = {{ name = "first", train = 1400 }}

[protocol.network]
inputs = 64
layers = [{{ units = 10, activation = "identity" }}]

[protocol.initializers]
weights = {{ name = "normal", std = 0.1 }}
biases = {{ name = "zeros" }}

[protocol.training]
loss = {{ name = "softmax_cross_entropy", batch = "mean" }}
optimizer = {{ name = "sgd", learning_rate = 0.5 }}
batches = {{ order = "shuffled", size = 100, last = "keep" }}
length = {{ epochs = 5 }}
evaluation = {{ every_epochs = 1 }}

[[variants]]
name = "raw-pixels"
role = "reading"
why = "pixels as they are, 0 to 16"
changes = {{ "data.scale" = "none" }}

[[variants]]
name = "smaller-start"
role = "reading"
why = "a smaller start"
changes = {{ "initializers.weights" = {{ name = "normal", std = 0.05 }} }}
"""


@pytest.fixture
def mine(tmp_path, cache):
    """Write the claim; `low` is the bound it states."""

    def write(low="0.8"):
        text = CLAIM.format(published="", rule="range", low=low)
        (tmp_path / "mine.toml").write_text(text)
        return "mine.toml"

    return write


def run(*arguments):
    return CliRunner().invoke(cli.app, [*arguments])


def test_a_users_own_claim(mine, tmp_path):
    done = run("reproduce", mine(), "--frameworks", "numpy", "--out", "r", "-o", "ledger.json")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "mine Softmax regression on the small digits CONSISTENT" in words
    assert "(3 seeds)" in words
    assert "1 claim judged: 1 consistent." in words
    assert "Every verdict is the registered one." in words
    assert len(samples.read(tmp_path / "r")) == 3
    markdown = (tmp_path / "r" / "ledger.md").read_text()
    assert "&lt;/script> \\[bold\\]" in markdown
    (told,) = json.loads((tmp_path / "ledger.json").read_text())["claims"]
    assert told["verdict"] == "CONSISTENT"
    again = run("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert "3 of 3 done already" in again.stderr
    assert again.stdout == done.stdout


def test_another_verdict_than_registered_exits_with_1(mine):
    done = run("reproduce", mine("0.999"), "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 1
    words = " ".join(done.stdout.split())
    assert "WORSE (registered: CONSISTENT)" in words
    assert "Other than registered: mine." in words


def test_judged_again_without_training(mine, tmp_path, monkeypatch):
    first = run("reproduce", mine(), "--frameworks", "numpy", "--out", "r")
    monkeypatch.setattr(local.Runner, "run", None)
    for left_over in ("trials", "proofs", "plan.json", "logs"):
        (tmp_path / "r" / left_over).rename(tmp_path / left_over)
    again = run("reproduce", "mine.toml", "--from", "r", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["claims"][0]["verdict"] == "CONSISTENT"
    assert "CONSISTENT" in first.stdout


def test_explain_names_the_ingredient(mine, tmp_path):
    done = run("explain", mine(), "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "The number is lost with: raw-pixels (instead of data.scale = divide_by_16)." in words
    assert "It comes out all the same with: smaller-start." in words
    told = json.loads(run("explain", "mine.toml", "--out", "r", "--json", "--frameworks", "numpy")
                      .stdout)  # fmt: skip
    assert [swap["before"] for swap in told["swaps"]] == [
        "data.scale = divide_by_16", "initializers.weights = {name normal, mean 0.0, std 0.1}",
    ]  # fmt: skip


def test_ctrl_c_keeps_what_is_done(mine, tmp_path, monkeypatch):
    store = local.Runner._store

    def interrupting(self, trial, row, tail):
        store(self, trial, row, tail)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(local, "lanes", lambda plan: 1)
        patched.setattr(local.Runner, "_store", interrupting)
        done = run("reproduce", mine(), "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 130
    assert len(samples.read(tmp_path / "r")) == 1
    on = run("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert "1 of 3 done already" in on.stderr
    assert on.exit_code == 0


def test_the_list():
    done = run("reproduce", "--list", "--json")
    assert done.exit_code == 0
    claims = json.loads(done.stdout)["claims"]
    assert {"C01", "C08"} <= {claim["id"] for claim in claims}
    assert all(claim.get("not_run") or claim["protocol"] for claim in claims)
    text = run("reproduce", "--list").stdout
    assert "7.489583 %" in text
    assert "C01" in run("list", "claims").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reproduce", "C0l"], "is not known. Did you mean 'C01'? Known: "),
        (["reproduce", "C01", "c01"], "named twice"),
        (["reproduce", "C01", "-o", "x.csv"], "suffix must be .md, .json, .html, .svg or .png"),
        (["reproduce", "--from", "nowhere"], "holds no samples"),
        (["reproduce", "C01", "--frameworks", "nunpy"], "Did you mean 'numpy'?"),
        (["explain", "none.toml"], "cannot be read"),
    ],
)
def test_usage_errors(cache, arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_without_data_nothing_is_judged(cache, monkeypatch):
    monkeypatch.setattr("harness.data.fetching.routes", lambda dataset: [])
    done = run("reproduce", "C01", "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 3
    assert "NOT RUN" in done.stdout
