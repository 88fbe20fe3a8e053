"""What is done to gradients before the update rule, and to weights after it.

Arrays may have one axis more behind the others, of many networks side by side: then every norm is
one number for each network, and multiplies that network alone.
"""

from collections.abc import Sequence

import numpy as np

from harness.trainer import L1, L2, Array, Clipping, MaxNorm, ValueClipping

Pair = tuple[Array, Array | None]
"""Weights and biases of a layer, or their gradients."""


class Penalties:
    """The L2 penalty c * sum w^2 and the L1 penalty c * sum |w|.

    Their gradients are 2 c w and c sign(w), with sign(0) = 0.

    Args:
        l2, l1: of the protocol.
        layers: of every layer its parameters and their gradients.
    """

    def __init__(self, l2: L2 | None, l1: L1 | None, layers: Sequence[tuple[Pair, Pair]]) -> None:
        self.l2, self.l1 = l2, l1
        self.of_l2 = _penalised(l2, layers)
        self.of_l1 = _penalised(l1, layers)

    def add(self, rows: int) -> float:
        """Add their gradients to the gradients. Return the penalties of a batch of `rows` rows."""
        total = 0.0
        if self.l2 is not None:
            c = self.l2.coefficient(rows)
            for w, dw in self.of_l2:
                total += c * np.dot(w.ravel(), w.ravel())
                dw += 2 * c * w
        if self.l1 is not None:
            c = self.l1.coefficient(rows)
            for w, dw in self.of_l1:
                total += c * np.abs(w).sum()
                dw += c * np.sign(w)
        return total


class Clipper:
    """Gradients cut to [-bound, bound], or multiplied by min(1, bound / (norm + epsilon)).

    Args:
        clipping: of the protocol; None does nothing.
        layers: of every layer the gradients of weights and biases.
    """

    def __init__(self, clipping: Clipping | None, layers: Sequence[Pair]) -> None:
        self.clipping = clipping
        weights = [(dW, "iu...,iu...->...") for dW, _ in layers]
        biases = [(db, "u...,u...->...") for _, db in layers if db is not None]
        self.gradients = [*weights, *biases]

    def clip(self) -> None:
        """Clip the gradients in place."""
        clipping = self.clipping
        if clipping is None:
            return
        if isinstance(clipping, ValueClipping):
            for g, _ in self.gradients:
                np.clip(g, -clipping.bound, clipping.bound, out=g)
            return
        squares = [np.einsum(sum_of_squares, g, g) for g, sum_of_squares in self.gradients]
        if clipping.name == "global_norm":
            squares = [np.sum(squares, axis=0)] * len(squares)
        for (g, _), square in zip(self.gradients, squares, strict=True):
            norm = np.sqrt(square) + clipping.epsilon
            np.multiply(g, clipping.bound / np.maximum(norm, clipping.bound), out=g)


class NormBound:
    """Weights whose columns or rows have a bounded norm.

    Args:
        max_norm: of the protocol; None does nothing.
        weights: of every layer.
    """

    def __init__(self, max_norm: MaxNorm | None, weights: Sequence[Array]) -> None:
        self.max_norm, self.weights = max_norm, weights

    def apply(self) -> None:
        """Bound the norms in place."""
        rule = self.max_norm
        if rule is None:
            return
        for W in self.weights:
            sums = "iu...,iu...->u..." if rule.of == "units" else "iu...,iu...->i..."
            norm = np.sqrt(np.einsum(sums, W, W))
            below = norm if rule.form == "every_norm" else norm + rule.epsilon
            factor = np.where(norm > rule.bound, rule.bound, below)
            factor /= np.where(norm > 0, norm + rule.epsilon, 1)
            np.multiply(W, factor if rule.of == "units" else factor[:, np.newaxis], out=W)


def _penalised(
    penalty: L1 | L2 | None, layers: Sequence[tuple[Pair, Pair]]
) -> list[tuple[Array, Array]]:
    """Return (w, dw) of everything that a penalty is on."""
    if penalty is None:
        return []
    kept = [(W, dW) for (W, _), (dW, _) in layers]
    if penalty.on == "all":
        biases = [(b, db) for (_, b), (_, db) in layers]
        kept += [(b, db) for b, db in biases if b is not None and db is not None]
    return kept
