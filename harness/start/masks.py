"""The masks of dropout, drawn from (seed, step, layer) alone: the same in whatever segments.

Philox (Salmon et al. 2011) is a generator with a counter. The key says which trial it is, the upper
half of the counter which step and which layer, and the lower half counts its numbers. So no mask
depends on what was drawn before it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.experiment.network import Network
from harness.start.constants import float32

MASK_STREAM = 0x3A5C
"""Spawn key that separates the stream of the masks from those of parameters and epochs."""


class Masked(NamedTuple):
    """What decides the masks of a dropout layer, besides seed, step and place.

    Args:
        width: how many numbers of a row it takes.
        rate: the probability that one is dropped, rounded to float32 whatever `constants` says.
    """

    width: int
    rate: float


def masked_layers(network: Network) -> tuple[Masked, ...]:
    """Return the dropout layers of a network, in order."""
    pairs = zip(network.dropout_widths, network.dropout_layers, strict=True)
    return tuple(Masked(width, float32(layer.rate)) for width, layer in pairs)


def draw_masks(
    layers: tuple[Masked, ...], seed: int, start: int, stop: int, rows: int
) -> tuple[NDArray[np.uint8], ...]:
    """Draw the masks of steps `start` to `stop` - 1, counted from 0.

    Args:
        layers: the dropout layers.
        seed: of the trial.
        start: the first step.
        stop: the step after the last.
        rows: of a full batch.

    Returns:
        For every dropout layer an array as `harness.trainer.Batches.masks` says.
    """
    if not layers:
        return ()
    key = np.random.SeedSequence(seed, spawn_key=(MASK_STREAM,)).generate_state(2, np.uint64)
    masks = []
    for place, (width, rate) in enumerate(layers):
        of_steps = np.empty((stop - start, rows, -(-width // 8)), np.uint8)
        for step in range(start, stop):
            generator = np.random.Philox(key=key, counter=[0, 0, place, step])
            of_steps[step - start] = _packed(generator, (rows, width), rate)
        masks.append(of_steps)
    return tuple(masks)


def _packed(generator: np.random.Philox, shape: tuple[int, int], rate: float) -> NDArray[np.uint8]:
    """Return (rows, ceil(width / 8)): a bit is 0 with the probability `rate`, exact to 2^-32."""
    count = shape[0] * shape[1]
    drawn = generator.random_raw((count + 1) // 2).astype("<u8", copy=False).view("<u4")
    kept = drawn[:count] >= np.uint32(min(round(rate * 2**32), 2**32 - 1))
    return np.packbits(kept.reshape(shape), axis=1, bitorder="little")
