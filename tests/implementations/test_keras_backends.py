"""Keras on JAX and on PyTorch: the tests of the adapters, in a process for each backend.

By hand: `KERAS_BACKEND=jax pytest tests/implementations/test_conformance.py -k keras-jax`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.registry import installed
from tests.conftest import BACKENDS, has_another_backend

FOLDER = Path(__file__).parent
OTHERS = [name for name in BACKENDS if has_another_backend(name)]


def run_on(name, *command, backend):
    """Run Python in a process of an adapter's own, whose shell names a backend of Keras."""
    framework = installed()[name]
    if framework.missing:
        pytest.skip(f"{name} is not installed: {framework.install_line}")
    return subprocess.run(
        [sys.executable, *command],
        cwd=FOLDER.parents[1],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def conformance(name, marker):
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", "-k", name, "-m", marker)
    file = str(FOLDER / "test_conformance.py")
    done = run_on(name, "-m", "pytest", *options, file, backend=BACKENDS[name])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.full_product
@pytest.mark.parametrize("name", OTHERS)
def test_conformance(name):
    conformance(name, "not full_product and not nightly")


@pytest.mark.full_product
@pytest.mark.parametrize("name", OTHERS)
def test_the_full_product_of_conformance(name):
    conformance(name, "full_product")


SCRIPT = """
from harness.registry import find
find("keras-torch").load()
import keras, torch
print(keras.backend.backend())
x = torch.full((1, 1), 0.1, dtype=torch.float64)
print(bool((keras.ops.matmul(x, x) == x * x).all()))
find("keras").load()
"""


@pytest.mark.full_product
def test_a_process_has_one_backend():
    """That of its first adapter, whatever the shell says. A second one is refused.

    On PyTorch, Keras's products are of float32: else the adapter would have float64 too.
    """
    done = run_on("keras-torch", "-c", SCRIPT, backend="tensorflow")
    assert done.stdout.split() == ["torch", "False"], done.stderr
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith(
        "RuntimeError: the backend of Keras must be 'tensorflow' in this process"
    )
    assert "Got 'torch'" in said
