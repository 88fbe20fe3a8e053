"""Small pictures as PNG data URIs, made with the standard library alone."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

LOW, MIDDLE, HIGH = (0, 90, 160), (245, 245, 245), (200, 80, 0)
"""Blue over white to orange. Colour-blind eyes tell them apart; lightness shows the distance."""
CLASS_COLOURS = {
    (0, 90, 160): "blue",
    (200, 80, 0): "orange",
    (0, 130, 95): "green",
    (170, 70, 130): "pink",
    (125, 100, 0): "olive",
    (90, 70, 170): "violet",
}
"""Colours of several classes, and their names."""
PALEST = 0.25
LEVELS = 64
"""A map of values is rounded to this many shades. More cannot be seen, and cost bytes."""


def grey(pixels: NDArray[np.generic]) -> str:
    """Return a data URI of (height, width) numbers, the largest black on white."""
    exact = np.asarray(pixels, np.float64)
    exact = exact - exact.min(initial=0)
    highest = exact.max(initial=0) or 1.0
    return data_uri((255 - 255 * exact / highest).round().astype(np.uint8))


def signed(values: NDArray[np.generic]) -> str:
    """Return a data URI of (height, width) numbers: blue below 0, white at 0, orange above."""
    exact = np.asarray(values, np.float64)
    widest = float(np.abs(exact).max(initial=0)) or 1.0
    return shares(0.5 + 0.5 * exact / widest)


def shares(values: NDArray[np.float64]) -> str:
    """Return a data URI of (height, width) numbers: 0 is blue, 1/2 white, 1 orange."""
    return data_uri(quantised(values), palette())


def quantised(values: NDArray[np.float64]) -> Bytes:
    """Return numbers from 0 to 1 as levels from 0 to `LEVELS` - 1; NaN is the middle."""
    known = np.nan_to_num(np.clip(values, 0, 1), nan=0.5)
    return np.asarray((known * (LEVELS - 1)).round(), np.uint8)


def palette() -> list[tuple[int, int, int]]:
    """Return the colour of every level."""
    ends = np.array([LOW, MIDDLE, HIGH], np.float64)
    places = np.linspace(0, 2, LEVELS)
    channels = [np.interp(places, [0, 1, 2], ends[:, channel]) for channel in range(3)]
    return [(round(r), round(g), round(b)) for r, g, b in zip(*channels, strict=True)]


def shades_of(classes: int) -> int:
    """Return how many of the `LEVELS` shades each of several classes has."""
    return LEVELS // classes


def class_levels(winners: NDArray[np.int64], shares: NDArray[np.float64], classes: int) -> Bytes:
    """Return levels of (height, width) predicted classes: the surer, the stronger their colour.

    Args:
        winners: numbers of classes.
        shares: how sure, 0 to 1.
        classes: how many there are, at most as many as `CLASS_COLOURS`.
    """
    shades = shades_of(classes)
    known = np.nan_to_num(np.clip(shares, 0, 1))
    return np.asarray(winners * shades + (known * (shades - 1)).round(), np.uint8)


def class_palette(classes: int) -> list[tuple[int, int, int]]:
    """Return the colour of every level of `class_levels`: from pale to full, class by class."""
    strengths = np.linspace(PALEST, 1, shades_of(classes))
    pale = np.array(MIDDLE, np.float64)
    colours = [
        pale + strength * (np.array(colour) - pale)
        for colour in list(CLASS_COLOURS)[:classes]
        for strength in strengths
    ]
    return [(round(r), round(g), round(b)) for r, g, b in colours]


def data_uri(pixels: Bytes, colours: list[tuple[int, int, int]] | None = None) -> str:
    """Return a PNG of (height, width) bytes: shades of grey, or places in a list of colours.

    Format: https://www.w3.org/TR/png-3/ (8 bits a pixel; colour type 0 is grey, 3 a palette).
    """
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if colours is None else 3, 0, 0, 0)
    unfiltered = np.zeros((height, 1), np.uint8)  # each line begins with its filter: none
    lines = np.hstack([unfiltered, pixels]).tobytes()
    content = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    if colours is not None:
        content += _chunk(b"PLTE", bytes(channel for colour in colours for channel in colour))
    content += _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    with_kind = kind + content
    return struct.pack(">I", len(content)) + with_kind + struct.pack(">I", zlib.crc32(with_kind))
