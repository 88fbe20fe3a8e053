"""`samestep export` and `samestep check FOLDER`, as a user runs them."""

import json

import numpy as np
import pytest

from tests.conftest import _forget_data
from tests.handover.conftest import answer_of, experiment_of, hand_back


def test_a_script_is_proven(invoke, tmp_path):
    done = invoke("export", "xor-mlp", "내 폴더/d", "--seed", 3, "--steps", 8)
    assert done.exit_code == 0, done.output
    assert "files into 내 폴더/d: xor-mlp, seed 3, 8 steps" in done.output
    assert "samestep check '내 폴더/d'" in done.output
    hand_back(tmp_path / "내 폴더/d", answer_of(experiment_of("xor-mlp"), seed=3))
    done = invoke("check", "내 폴더/d")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("ok     내 폴더/d answer ladder: xor-mlp\n")
    assert "answer: 1 protocol, all hold" in done.output
    value = json.loads(invoke("check", "내 폴더/d", "--json").stdout)
    assert (value["schema"], value["findings"][0]["holds"]) == (1, True)


def test_what_is_wrong_is_named_and_what_is_missing_said(invoke, tmp_path):
    invoke("export", "iris-softmax", "d", "--steps", 8)
    answer = answer_of(experiment_of("iris-softmax"), softmax_twice=True)
    hand_back(tmp_path / "d", {name: a for name, a in answer.items() if "step_2/" not in name})
    done = invoke("check", "d")
    assert done.exit_code == 1
    assert (
        "BROKEN d answer ladder: iris-softmax (softmax is applied twice (README.md" in done.output
    )
    assert "d answer: 1 protocol, 1 broken" in done.output
    assert "d: not handed back, and so not compared: parameters_after_step_2" in done.output


def test_few_digits_are_undecided(invoke, tmp_path):
    invoke("export", "xor-mlp", "d", "--steps", 8)
    losses = answer_of(experiment_of("xor-mlp"))["losses"]
    (tmp_path / "d/answer/losses.csv").write_text("\n".join(f"{loss:.5f}" for loss in losses))
    done = invoke("check", "d")
    assert done.exit_code == 1
    assert done.output.startswith(
        "OPEN   d answer ladder: xor-mlp (right as far as the 5 digits go"
    )
    assert "d answer: 1 protocol, undecided" in done.output


def test_several_folders(invoke, tmp_path):
    for name, factor in (("a", 1.0), ("b", 4.0)):
        invoke("export", "xor-mlp", name, "--steps", 8)
        losses = answer_of(experiment_of("xor-mlp"))["losses"]
        hand_back(tmp_path / name, {"losses": factor * losses})
    done = invoke("check", "a", "b")
    assert done.exit_code == 1
    assert "ok     a answer" in done.output
    assert "BROKEN b answer" in done.output


USAGE = [
    (("export", "xor-mpl", "d"), "Did you mean 'xor-mlp'?"),
    (("export", "none.toml", "d"), "none.toml: cannot be read"),
    (("export", "xor-mlp", "mine"), "mine: has files in it, and not those of an export"),
    (("export", "xor-mlp", "d", "--steps", 0), "--steps"),
    (("export", "xor-mlp", "d", "--steps", 101), "--steps"),
    (("export", "xor-mlp", "d", "--seed", -1), "--seed"),
    (("export", "xor-mlp", "d", "--dtype", "float16"), "--dtype"),
    (("export", "xor-mlp"), "folder"),
    (("check", "mine"), "mine: is a folder without protocol.json"),
    (("check", "empty"), "empty/answer: nothing was handed back"),
    (("check", "empty", "--full"), "--full: is about adapters; a folder takes --json alone"),
    (("check", "empty", "--loop", "fused"), "--loop: is about adapters"),
    (("check", "missing"), "'missing' is not known"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), USAGE, ids=[" ".join(map(str, a)) for a, _ in USAGE]
)
def test_what_cannot_be_done(invoke, tmp_path, arguments, words):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("mine")
    invoke("export", "xor-mlp", "empty")
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "d").exists()


def test_data_that_is_not_here(invoke):
    done = invoke("export", "mnist-mlp", "d")
    assert done.exit_code == 3
    assert "samestep data fetch mnist" in done.output


def test_a_folder_that_cannot_be_written(invoke, tmp_path):
    (tmp_path / "file").write_text("")
    done = invoke("export", "xor-mlp", "file/d")
    assert done.exit_code == 3
    assert "cannot be written" in done.output


def test_own_data(invoke, tmp_path):
    rows = "".join(f"{i},{i * i % 7},{'red' if i % 2 else 'blue'}\n" for i in range(40))
    (tmp_path / "꽃.csv").write_text(f"a,b,colour\n{rows}", encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        """
name = "own"
title = "Mine"

[data]
file = "꽃.csv"
target = "colour"
split = { name = "all" }

[network]
inputs = 2
layers = [{ units = 2, activation = "identity" }]

[initializers]
weights = { name = "zeros" }
biases = { name = "zeros" }

[training]
loss = { name = "softmax_cross_entropy", batch = "mean" }
optimizer = { name = "sgd", learning_rate = 0.01 }
batches = { order = "full" }
length = { steps = 4 }
evaluation = { every_steps = 1 }
""",
        encoding="utf-8",
    )
    done = invoke("export", "own.toml", "d")
    assert done.exit_code == 0, done.output
    assert "own, seed 0, 4 steps" in done.output
    np.savetxt(tmp_path / "d/answer/losses.txt", [np.log(2)])
    assert invoke("check", "d").exit_code == 0
    _forget_data()
    (tmp_path / "꽃.csv").write_text("a,b,colour\n1,2,red\n2,2,blue\n", encoding="utf-8")
    done = invoke("check", "d")
    assert done.exit_code == 3
    assert "has changed since" in done.output
