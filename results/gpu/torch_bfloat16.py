"""PyTorch with products in bfloat16 (autocast): a row of its own, like `torch_tf32.py`.

    samestep report mnist-mlp --frameworks torch,results/gpu/torch_bfloat16.py

Parameters and updates stay in float32, as in mixed-precision training. Autocast leaves float64
alone, so the first proof says `same` and the second says what bfloat16 is.
"""

import torch

from implementations.pytorch import TorchTrainer


class Bfloat16Trainer(TorchTrainer):
    """The same update, its forward and backward pass under autocast."""

    loops = ("stepwise",)

    def _step(self, x: torch.Tensor, y: torch.Tensor, rate: float) -> torch.Tensor:
        """Update once. Return the loss before the update."""
        if self.task.dtype == "float32":
            self.precision = "bfloat16 products (autocast), float32 else"
        with torch.autocast(self.target_device.type, torch.bfloat16):
            return super()._step(x, y, rate)
