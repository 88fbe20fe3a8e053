"""Commands as entrants, as a user types them: report, shards, merge, check, and from Python."""

import json
import shlex
import sys
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.xdist_group("more processes")

LOOP = Path(__file__).parents[1] / "scripts" / "numpy_loop.py"


def command_of(script):
    return f"cmd:{shlex.join([sys.executable, str(script)])} {{folder}}"


@pytest.fixture
def wrong_loop(tmp_path):
    """The loop of the study post with a slip: hidden biases of dz1, not of da1."""
    update = "    W1 = W1 - learning_rate * dW1"
    source = LOOP.read_text()
    assert source.count(update) == 1
    script = tmp_path / "wrong loop.py"
    script.write_text(source.replace(update, f"    db1 = dz1.sum(axis=0)\n{update}"))
    return script


def test_a_report_of_a_right_and_a_wrong_program(invoke, wrong_loop):
    entrants = f"numpy,{command_of(LOOP)},{command_of(wrong_loop)},cmd:no-julia x.jl {{folder}}"
    done = invoke("report", "xor-mlp", "--frameworks", entrants, "--out", "run")
    assert done.exit_code == 1, done.stderr  # one is shown to be another
    said = "the gradient of hidden biases lacks the derivative of the activation"
    assert said in " ".join(done.stdout.split())
    assert "no-julia cannot be run" in done.stdout
    again = invoke("report", "xor-mlp", "--frameworks", entrants, "--out", "run")
    assert "3 of 4 done already" in again.stderr
    read = invoke("report", "--from", "run")
    assert "stated time" in read.stdout
    status = invoke("status", "run")
    assert "3 of 4 trials done" in status.stdout
    (kept,) = Path("run/commands").glob("*proof-float32-*")
    checked = invoke("check", kept)
    assert checked.exit_code == 1
    assert said in checked.stdout


def test_shards_are_merged(invoke):
    options = ("--frameworks", command_of(LOOP), "--seeds", 2, "--no-timing")
    for part in ("1/2", "2/2"):
        done = invoke("report", "xor-mlp", *options, "--shard", part, "--out", part[0])
        assert done.exit_code == 0, done.stderr
    merged = invoke("merge", "1", "2", "-o", "whole")
    assert merged.exit_code == 0, merged.stderr
    run = harness.load_run("whole")
    assert list(run.table.status) == ["ok", "ok"]
    assert list(run.table.parity) == ["same", "same"]


def test_from_python(cache):
    run = harness.run("xor-mlp", [command_of(LOOP)], folder="run", progress=False)
    (row,) = run.table.itertuples()
    assert (row.loop, row.test_accuracy) == ("own", 1.0)
    assert row.stated_train_s > 0
    assert row.parity == "same"
    with pytest.raises(ValueError, match="is a command"):
        harness.check(command_of(LOOP))


def test_check_proves_a_program_on_named_protocols(invoke, wrong_loop):
    done = invoke("check", command_of(LOOP), "--protocol", "xor-mlp", "--json")
    assert done.exit_code == 0, done.stderr
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["holds"]
    assert finding["framework"].endswith(" numpy_loop.py")
    done = invoke("check", command_of(wrong_loop), "--protocol", "xor-mlp", "--timeout", "60s")
    assert done.exit_code == 1
    assert "BROKEN" in done.stdout
    assert "lacks the derivative of the activation" in done.stdout
    assert "its files" not in done.stdout


REFUSED = [
    (("check", "cmd:python a.py {folder}"), "--protocol: a program is checked on protocols that"),
    (("check", "cmd:python a.py"), "must have {folder}"),
    (("check", "cmd:python a.py {folder}", "--protocol", "xor-mlp", "--full"), "--full: is about"),
    (("scale", "--quick", "--frameworks", "cmd:a {folder}"), "is a command. Commands are run by"),
    (("reproduce", "C01", "--frameworks", "numpy,cmd:a {folder}"), "is a command. Commands are"),
    (("explain", "C01", "--frameworks", "cmd:a {folder}"), "is a command. Commands are run by"),
    (("doctor", "--frameworks", "cmd:a {folder}"), "is a command. Commands are run by"),
    (("report", "xor-mlp", "--frameworks", "cmd:a 1,2 {folder}"), "A comma ends a name"),
    (("report", "xor-mlp", "--frameworks", "cmd:a '{folder}"), "quotes must be closed"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_is_not_done_is_refused_with_what_to_do(invoke, arguments, words):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_program_that_is_not_there_ends_the_command(invoke):
    for arguments in (
        ("report", "xor-mlp", "--frameworks", "cmd:no-julia a.jl {folder}"),
        ("check", "cmd:no-julia a.jl {folder}", "--protocol", "xor-mlp"),
    ):
        done = invoke(*arguments)
        assert done.exit_code == 3
        assert "PATH has no program of that name" in done.stderr
