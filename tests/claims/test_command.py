"""`reproduce` and `explain` from end to end, on a user's own claim file."""

import json

import pytest
from typer.testing import CliRunner

from harness import cli
from harness.claims import loading, samples
from harness.cli import reproduce
from harness.execute import runner
from harness.registry import find
from tests.claims.builders import judged, make_claim, make_sample

pytestmark = pytest.mark.xdist_group("more processes")

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
high = {high}

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

    def write(low="0.8", high="0.88"):
        text = CLAIM.format(published="", rule="range", low=low, high=high)
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
    assert "\\</script\\> \\[bold\\]" in markdown
    (claim,) = json.loads((tmp_path / "ledger.json").read_text())["claims"]
    assert claim["verdict"] == "CONSISTENT"
    again = run("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert "3 of 3 done already" in again.stderr
    assert again.stdout == done.stdout


def test_another_verdict_than_registered_exits_with_1(mine):
    done = run("reproduce", mine("0.99", "0.999"), "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 1
    words = " ".join(done.stdout.split())
    assert "WORSE (registered: CONSISTENT)" in words
    assert "Other than registered: mine." in words


def test_judged_again_without_training(mine, tmp_path, monkeypatch):
    first = run("reproduce", mine(), "--frameworks", "numpy", "--out", "r")
    monkeypatch.setattr(runner.Runner, "run", None)
    for left_over in ("trials", "proofs", "plan.json", "logs"):
        (tmp_path / "r" / left_over).rename(tmp_path / left_over)
    again = run("reproduce", "mine.toml", "--from", "r", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["claims"][0]["verdict"] == "CONSISTENT"
    assert "CONSISTENT" in first.stdout


def test_explain_names_the_detail(mine, tmp_path):
    file = tmp_path / mine()
    slow = '"training.optimizer.learning_rate" = 0.001'
    file.write_text(file.read_text().replace('"data.scale" = "none"', slow))
    done = run("explain", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    lost = "raw-pixels (instead of training.optimizer.learning_rate = 0.5)"
    assert f"The number is lost with: {lost}." in words
    assert "The number also holds with: smaller-start." in words
    again = run("explain", "mine.toml", "--out", "r", "--json", "--frameworks", "numpy")
    assert [swap["before"] for swap in json.loads(again.stdout)["swaps"]] == [
        "training.optimizer.learning_rate = 0.5",
        "initializers.weights = {name normal, mean 0.0, std 0.1}",
    ]


def test_explain_lists_a_detail_that_diverges(mine, tmp_path):
    file = tmp_path / mine()
    far = '"training.optimizer.learning_rate" = 1e38'
    file.write_text(file.read_text().replace('"data.scale" = "none"', far))
    done = run("explain", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "all 3 seeds diverged WORSE" in words
    assert "The number is lost with: raw-pixels (instead of " in words
    assert "Not run" not in words


def test_explain_without_variants_proposes_some(mine, tmp_path):
    file = tmp_path / mine()
    file.write_text(file.read_text().partition("[[variants]]")[0])
    done = run("explain", "mine.toml")
    assert done.exit_code == 2
    assert "mine: lists no [[variants]], so there is no detail to change. Add those" in done.stderr
    (tmp_path / "more.toml").write_text(file.read_text() + done.stderr.partition("leaves open:")[2])
    names = [variant.name for variant in loading.load(str(tmp_path / "more.toml")).variants]
    assert "order-sequential" in names


def test_epoch_accuracies_are_computed_once(mine, tmp_path, monkeypatch):
    file = tmp_path / mine()
    text = file.read_text().replace('"test_accuracy"', '"epoch_accuracy"')
    file.write_text(text.replace("high = 0.88", "high = 0.99"))
    arguments = ("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r", "--json")
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    (finding,) = json.loads(first.stdout)["claims"][0]["findings"]
    assert len(finding["measured"]) == 3
    assert 0.9 < min(finding["measured"]) <= max(finding["measured"]) < 0.96
    monkeypatch.setattr("harness.trial.batch_accuracies.batch_accuracies", None)
    assert run(*arguments).stdout == first.stdout


def test_a_network_without_training_has_an_accuracy(mine, tmp_path):
    """As a claim about weights that are given."""
    text = (tmp_path / mine()).read_text()
    before = text.partition("[protocol.training]")[0]
    forward = before.replace("high = 0.88", "high = 0.4").replace("low = 0.8", "low = 0.01")
    (tmp_path / "mine.toml").write_text(forward)
    done = run("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r", "--json")
    assert done.exit_code == 0, done.output
    (finding,) = json.loads(done.stdout)["claims"][0]["findings"]
    assert len(set(finding["measured"])) == 3
    (row, *_) = [sample.row for sample in samples.read(tmp_path / "r")]
    assert row.test_accuracy == finding["measured"][0]
    assert row.test_loss is None


OWN = loading.on_source_data(loading.load("C04"))


def folder_with_samples(folder, claim):
    """A folder with samples of three seeds, as a run leaves it."""
    values = {number.key: number.value / number.factor for number in claim.numbers}
    three = [
        make_sample(claim, {key: [value + shift] for key, value in values.items()}, seed=seed)
        for seed, shift in enumerate((-0.0005, 0.0, 0.0005))
    ]
    samples.write(folder, three)
    return folder


@pytest.mark.parametrize("claim", [OWN, loading.load("C04")], ids=["own", "stand-in"])
def test_rows_of_either_data_are_judged_again(cache, tmp_path, claim):
    """Whether the user's own file is still there or not."""
    done = run(
        "reproduce", "C04", "--from", str(folder_with_samples(tmp_path / "r", claim)), "--json"
    )
    assert done.exit_code == 0, done.output
    (value,) = json.loads(done.stdout)["claims"]
    assert value["verdict"] == "CONSISTENT"
    drawn = any("scored on other test rows" in note for note in value["notes"])
    assert drawn is not claim.same_test


def test_a_list_reads_no_data(cache, monkeypatch):
    monkeypatch.setattr(loading.fetching, "files", None)
    done = run("reproduce", "--list", "--json")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["C02"], "r: holds no samples of C02 as registered; run it there first"),
        (
            [],
            "r: holds no samples of the ledger's claims as registered; name the .toml file",
        ),
    ],
)
def test_a_folder_without_samples_of_the_claim(cache, tmp_path, named, words):
    folder_with_samples(tmp_path / "r", OWN.model_copy(update={"id": "mine"}))
    done = run("reproduce", *named, "--from", "r")
    assert done.exit_code == 2, done.output
    assert words in done.stderr


def test_of_two_claims_the_one_without_samples_has_not_run(cache, tmp_path):
    folder_with_samples(tmp_path / "r", OWN)
    done = run("reproduce", "C04", "C02", "--from", "r")
    assert done.exit_code == 1
    assert "Other than registered: C02." in " ".join(done.stdout.split())


def test_nothing_tried_is_nothing_missing():
    """Only what was tried and is not here is the environment's fault."""
    assert reproduce.exit_code([judged(make_claim(expected="EXACT"), [])]) == 1


def test_ctrl_c_keeps_what_is_done(mine, tmp_path, monkeypatch):
    store = runner.Runner._store

    def interrupting(self, trial, row, tail):
        store(self, trial, row, tail)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runner, "lanes", lambda plan: 1)
        patched.setattr(runner.Runner, "_store", interrupting)
        done = run("reproduce", mine(), "--frameworks", "numpy", "--out", "r")
    assert done.exit_code == 130
    assert len(samples.read(tmp_path / "r")) == 1
    on = run("reproduce", "mine.toml", "--frameworks", "numpy", "--out", "r")
    assert "1 of 3 done already" in on.stderr
    assert on.exit_code == 0


def test_the_list():
    done = run("reproduce", "--list", "--json")
    assert done.exit_code == 0
    listed = json.loads(done.stdout)["claims"]
    assert {"C01", "C08"} <= {claim["id"] for claim in listed}
    assert all(claim.get("not_run") or claim["protocol"] for claim in listed)
    text = run("reproduce", "--list").stdout
    assert "7.489583 %" in text
    assert "C01" in run("list", "claims").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reproduce", "C0l"], "is not known. Did you mean 'C01'? The nearest of "),
        (["reproduce", "C01", "c01"], "named twice"),
        (["reproduce", "C01", "-o", "x.csv"], "suffix must be .md, .json or .html. Got"),
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


KILLED_ONCE = """
import os, signal
from {module} import {name}

class KilledOnce({name}):
    loops = ("stepwise",)

    def advance(self, batches):
        if not os.path.exists({mark!r}):
            open({mark!r}, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().advance(batches)
"""


@pytest.mark.parametrize(
    ("retries", "codes"), [("0", (1, 0)), pytest.param("1", (0, 0), marks=pytest.mark.full_product)]
)
def test_a_trial_that_was_killed_counts_only_if_it_stays_so(mine, tmp_path, retries, codes):
    numpy = find("numpy")
    text = KILLED_ONCE.format(
        module=numpy.module, name=numpy.class_name, mark=str(tmp_path / "killed")
    )
    (tmp_path / "killed_once.py").write_text(text)
    command = "reproduce", mine(), "--frameworks", "killed_once.py", "--out", "r"
    for code in codes:
        done = run(*command, "--retries", retries)
        assert done.exit_code == code, done.output
    assert [sample.row.status for sample in samples.read(tmp_path / "r")] == ["ok"] * 3
