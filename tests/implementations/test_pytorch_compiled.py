"""PyTorch's fused loop: what it needs, and segments longer than its plan."""

import subprocess
import sys

import pytest

from harness.trainer import ToolMissingError
from tests.conftest import skip_without
from tests.implementations.tasks import experiment_of, task_of

pytestmark = pytest.mark.xdist_group("slow to start")


def test_without_a_compiler_the_constructor_says_what_to_install(monkeypatch, tmp_path):
    skip_without("torch")
    from torch._inductor import config, cpp_builder

    from implementations.pytorch import TorchTrainer

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(config.cpp, "cxx", ("g++",))
    cpp_builder.cpp_compiler_search.cache_clear()
    experiment = experiment_of("xor-mlp")
    try:
        with pytest.raises(ToolMissingError, match=r"install g\+\+"):
            TorchTrainer(task_of(experiment, "fused"))
        TorchTrainer(task_of(experiment, "stepwise"))
    finally:
        cpp_builder.cpp_compiler_search.cache_clear()


def test_other_loops_do_not_import_the_compiler():
    skip_without("torch")
    code = (
        "import sys, implementations.pytorch\n"
        "assert 'torch._inductor.compile_fx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.full_product
@pytest.mark.parametrize("protocol", ["short-batch-momentum-decay", "xor-sigmoid-full"])
def test_a_segment_longer_than_its_plan(protocol, monkeypatch):
    skip_without("torch")
    from implementations import pytorch_compiled
    from tests.implementations.test_conformance import judged, subject_of

    monkeypatch.setattr(pytorch_compiled, "PLANNED_STEPS", 7)
    judgement = judged(subject_of("torch", "fused"), protocol, parts=("steps",))
    assert judgement.verdict == "same", judgement.reason
