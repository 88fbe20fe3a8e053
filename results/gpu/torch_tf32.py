"""PyTorch with products in TF32 on a GPU: a row of its own, and an example of a loop changed.

    samestep report mnist-mlp --device cuda --frameworks torch,results/gpu/torch_tf32.py

Its float64 is PyTorch's own, so the first proof says `same`. The second, of the precision that is
timed, says what TF32 is: products of about 10 bits.
"""

import os

# The workers of the harness forbid TF32. cuBLAS reads the variable when it is first used.
os.environ.pop("NVIDIA_TF32_OVERRIDE", None)

import torch

from harness.trainer import Task
from implementations.pytorch import TorchTrainer


class Tf32Trainer(TorchTrainer):
    """The same loops with TF32 allowed."""

    loops = ("stepwise", "fused")

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        if self.target_device.type == "cuda" and task.dtype == "float32":
            torch.backends.cuda.matmul.allow_tf32 = True
            self.precision = "float32, TF32 on"
