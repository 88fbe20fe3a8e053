"""Programs as users write them: each is proven, and each mistake of the tutorial is named."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.handover import judging
from tests.conftest import skip_without

SCRIPTS = Path(__file__).parents[1] / "scripts"


def script(name):
    """A script as a module; importing it runs nothing."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_proven(folder):
    finding, remarks = judging.check(folder)
    assert finding.holds, finding.remark
    return remarks == []


@pytest.mark.parametrize("name", ["xor-mlp", "small-sgd"])
def test_the_numpy_loop_of_the_post(export, name):
    exported = export(name)
    script("numpy_loop").main(exported)
    assert is_proven(exported)


SLIPS = [
    # as the post prints it in its walk-through: db1 of dz1, not of da1
    ("db1 = dz1.sum(axis=0)", "hidden biases lacks the derivative"),
    ("db2 = db2 * len(X)", "biases of layer 2 move at 4 times"),
]


@pytest.mark.parametrize(("slip", "words"), SLIPS)
def test_a_slip_in_the_loop_is_named(export, slip, words):
    exported = export("xor-mlp")
    source = (SCRIPTS / "numpy_loop.py").read_text()
    update = "    W1 = W1 - learning_rate * dW1"
    assert source.count(update) == 1
    names = {"__name__": "slip"}
    exec(source.replace(update, f"    {slip}\n{update}"), names)
    names["main"](exported)
    assert words in judging.check(exported)[0].remark


def test_plain_python(export):
    exported = export("xor-mlp", "한글 폴더")
    script("plain_python").main(exported)
    assert is_proven(exported)


def test_plain_python_needs_no_package():
    imports = re.findall(r"^(?:import|from) (\w+)", (SCRIPTS / "plain_python.py").read_text(), re.M)
    assert set(imports) <= sys.stdlib_module_names


def test_the_c_program(export, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program, exported = tmp_path / "c_program", export("xor-mlp", "with a space")
    options = ["-O2", "-Wall", "-Wextra", "-Werror"]
    source = SCRIPTS / "c_program.c"
    subprocess.run([compiler, *options, "-o", program, source, "-lm"], check=True, timeout=60)
    subprocess.run([program, exported], check=True, timeout=60)
    assert is_proven(exported)


@pytest.mark.full_product  # TensorFlow is imported for it, without eager execution
@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("name", ["xor-mlp", "small-sgd", "xor-deep"])
def test_the_session_of_tensorflow_1(export, name):
    skip_without("tensorflow")
    exported = export(name)
    command = [sys.executable, SCRIPTS / "tensorflow_1_session.py", exported]
    subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    assert is_proven(exported)


@pytest.mark.xdist_group("tutorial")  # PyTorch is imported once
@pytest.mark.parametrize("name", ["xor-mlp", "xor-deep", "iris-softmax", "small-sgd"])
def test_the_tutorial_of_pytorch(export, name):
    skip_without("torch")
    exported = export(name)
    script("pytorch_tutorial").main(exported)
    assert is_proven(exported)


WORDS = {
    "softmax-twice": "^softmax is applied twice",
    "loss-summed": "^the loss is summed over the batch, not averaged",
    "weight-decay": r"^a weight decay of 0\.0001 is added on weights and biases",
    "learning-rate": r"the learning rate is 0\.01 whatever is given",
    "no-zero-grad": "^gradients are added to those of the steps before",
    "momentum": r"^a momentum of 0\.9 is added",
    "no-activation": "^hidden layers have identity, not sigmoid",
    "own-start": "^it draws initial weights of its own",
    "no-biases": "^biases are never updated",
    "in-order": "^it takes the rows in their own order",
}
BY_DEFAULT = {"softmax-twice", "loss-summed"}


@pytest.mark.xdist_group("tutorial")
@pytest.mark.parametrize(
    "mistake",
    [pytest.param(m, marks=[] if m in BY_DEFAULT else pytest.mark.full_product) for m in WORDS],
)
def test_a_mistake_of_the_tutorial_is_named(export, mistake):
    skip_without("torch")
    exported = export("small-sgd")
    script("pytorch_tutorial").main(exported, mistake)
    finding, _ = judging.check(exported)
    assert not finding.holds
    assert re.search(WORDS[mistake], finding.remark), finding.remark


@pytest.mark.xdist_group("tutorial")
def test_every_mistake_of_the_tutorial_is_tested():
    skip_without("torch")
    assert script("pytorch_tutorial").MISTAKES.keys() == WORDS.keys()


def test_every_script_is_pointed_to():
    text = (SCRIPTS.parents[1] / "implementations" / "README.md").read_text(encoding="utf-8")
    scripts = [path.name for path in SCRIPTS.iterdir() if path.suffix in (".py", ".c")]
    assert len(scripts) == 5
    assert [name for name in scripts if f"`{name}`" not in text] == []
