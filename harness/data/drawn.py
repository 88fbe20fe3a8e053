"""Datasets that are drawn by formula: points of the plane in shapes no straight line parts.

Drawn with NumPy's PCG64 from the seed that the protocol states, in float64. Classes take turns row
by row (0, 1, 0, 1, ...), so every part of consecutive rows has all of them. `noise` is the standard
deviation of a normal error that is added to both coordinates.
"""

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.uint8]

CIRCLES_RATIO = 0.5
SPIRAL_TURNS = 1.25
BLOBS = np.array([[-1.0, -0.6], [1.0, -0.6], [0.0, 1.1]])
"""Centres of the three blobs."""


def draw(name: str, rows: int, noise: float, seed: int) -> tuple[Points, Labels]:
    """Return (inputs (rows, 2), labels (rows,)).

    `moons`: two half circles of radius 1 around (0, 0) and (1, 0.5), the second upside down, at
    angles drawn uniformly from 0 to pi. `circles`: radii 1 and 0.5, angles from 0 to 2 pi.
    `spiral`: two arms of radius r = sqrt(u), u uniform in (0, 1), at the angle 2.5 pi r + pi class.
    `blobs`: three points with noise only.

    Args:
        name: `moons`, `circles`, `spiral` or `blobs`.
        rows: number of points.
        noise: standard deviation of the error of each coordinate, 0 or more.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % (3 if name == "blobs" else 2)
    uniform = generator.random(rows)
    if name == "blobs":
        points = BLOBS[labels]
    elif name == "moons":
        x, y = np.cos(math.pi * uniform), np.sin(math.pi * uniform)
        is_first = labels == 0
        points = np.stack([np.where(is_first, x, 1 - x), np.where(is_first, y, 0.5 - y)], axis=1)
    else:
        radius = np.where(labels == 0, 1.0, CIRCLES_RATIO)
        angle = 2 * math.pi * uniform
        if name == "spiral":
            radius = np.sqrt(uniform)
            angle = 2 * math.pi * SPIRAL_TURNS * radius + math.pi * labels
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points + noise * generator.standard_normal((rows, 2)), labels.astype(np.uint8)
