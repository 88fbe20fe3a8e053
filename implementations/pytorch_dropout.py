"""Dropout by masks that are given; `nn.Dropout` draws its own."""

import numpy as np
import torch
from torch import nn

from harness.trainer import Dropout, unpacked


class GivenDropout(nn.Module):
    """A dropout layer of the protocol.

    A byte of a mask stands for eight numbers of a row, and is looked up in a table of their
    factors: for many small operations on bits PyTorch takes longer.

    Args:
        layer: with rate and form.
        dtype: of the numbers.
    """

    table: torch.Tensor

    def __init__(self, layer: Dropout, dtype: torch.dtype) -> None:
        super().__init__()
        bits = unpacked(np.arange(256, dtype=np.uint8)[:, np.newaxis], 8)
        self.register_buffer("table", torch.tensor(bits * layer.training_scale, dtype=dtype))
        self.prediction_scale = layer.prediction_scale

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return x with the bits of a mask (rows, ceil(width / 8)), or in prediction."""
        if mask is None:
            return x if self.prediction_scale == 1 else x * self.prediction_scale
        factors = nn.functional.embedding(mask.int(), self.table).flatten(1)
        return x * factors[:, : x.shape[1]]


class MaskedNetwork(nn.Sequential):
    """Layers in a row, of which some are `GivenDropout`."""

    def forward(self, x: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:
        """Return logits or values; masks are those of a step, none in prediction."""
        of_layers = iter(masks)
        for module in self:
            is_masked = isinstance(module, GivenDropout) and masks
            x = module(x, next(of_layers)) if is_masked else module(x)
        return x
