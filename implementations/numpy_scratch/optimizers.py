"""Update rules on the flat parameter buffer w and the flat gradient buffer g.

`update(rate)` changes w in place and may overwrite g. The buffers are walked in blocks of
`BLOCK` numbers: a rule of ten passes then finds its block in the cache nine times, instead of
reading the whole network from memory ten times.
"""

import math
from typing import Protocol

import numpy as np

from harness.trainer import SGD, Adagrad, Adam, Array, Momentum, Nesterov, Optimizer, RMSprop

BLOCK = 32_768


class UpdateRule(Protocol):
    """One step of an optimizer."""

    def update(self, rate: float) -> None:
        """Apply the gradients with this learning rate."""


class Descent:
    """w <- w - rate * g."""

    def __init__(self, w: Array, g: Array) -> None:
        self.blocks = _blocks(w, g)

    def update(self, rate: float) -> None:
        """Take one step of gradient descent."""
        for w, g in self.blocks:
            np.multiply(g, rate, out=g)
            np.subtract(w, g, out=w)


class Velocity:
    """Momentum (Polyak 1964) and Nesterov's variant, with the rate inside v or outside.

    Outside: v <- momentum * v + g, and the step is rate * v, or rate * (g + momentum * v).
    Inside: the same with rate * g in place of g, and the step is not multiplied again.
    """

    def __init__(self, w: Array, g: Array, rule: Momentum | Nesterov) -> None:
        self.momentum = rule.momentum
        self.inside = bool(rule.rate_inside_velocity)
        self.nesterov = isinstance(rule, Nesterov)
        self.blocks = _blocks(w, g, np.zeros_like(w))
        self.work = np.empty(min(BLOCK, w.size), w.dtype)

    def update(self, rate: float) -> None:
        """Take one step with momentum."""
        for w, g, v in self.blocks:
            if self.inside:
                np.multiply(g, rate, out=g)
            np.multiply(v, self.momentum, out=v)
            np.add(v, g, out=v)
            step = self.work[: g.size]
            if self.nesterov:
                np.multiply(v, self.momentum, out=step)
                np.add(step, g, out=step)
                if not self.inside:
                    np.multiply(step, rate, out=step)
            else:
                np.multiply(v, 1 if self.inside else rate, out=step)
            np.subtract(w, step, out=w)


class ScaledByRoot:
    """RMSprop (Hinton 2012) and Adagrad (Duchi et al. 2011): g divided by a root of its squares.

    RMSprop: v <- rho v + (1 - rho) g^2, from 0. Adagrad: v <- v + g^2, from a stated start.
    w <- w - rate * g / (sqrt(v) + epsilon), or w <- w - rate * g / sqrt(v + epsilon).
    """

    def __init__(self, w: Array, g: Array, rule: RMSprop | Adagrad) -> None:
        self.keep, self.take, start = 1.0, 1.0, 0.0
        if isinstance(rule, RMSprop):
            self.keep, self.take = rule.rho, 1 - rule.rho
        else:
            start = rule.initial_accumulator
        self.epsilon = rule.epsilon
        self.inside = rule.form == "epsilon_inside_root"
        self.blocks = _blocks(w, g, np.full_like(w, start))
        self.work = np.empty(min(BLOCK, w.size), w.dtype)

    def update(self, rate: float) -> None:
        """Take one step of RMSprop or Adagrad."""
        for w, g, v in self.blocks:
            work = self.work[: g.size]
            np.multiply(g, g, out=work)
            if self.keep != 1:
                np.multiply(v, self.keep, out=v)
                np.multiply(work, self.take, out=work)
            np.add(v, work, out=v)
            if self.inside:
                np.add(v, self.epsilon, out=work)
                np.sqrt(work, out=work)
            else:
                np.sqrt(v, out=work)
                np.add(work, self.epsilon, out=work)
            np.divide(g, work, out=work)
            np.multiply(work, rate, out=work)
            np.subtract(w, work, out=w)


class AdaptiveMoments:
    """Adam (Kingma and Ba 2015).

    m <- beta1 m + (1 - beta1) g estimates the mean of the gradient, v <- beta2 v +
    (1 - beta2) g^2 its uncentred variance. Both start at 0 and are too small at first, by
    c1 = 1 - beta1^t and c2 = 1 - beta2^t after t steps. Algorithm 1 corrects both:
    w <- w - rate * (m / c1) / (sqrt(v / c2) + epsilon).

    Three rewritings, each exact, make it ten passes over memory in place of fourteen:

    - numerator and denominator times sqrt(c2):
      w <- w - (rate * sqrt(c2) / c1) * m / (sqrt(v) + epsilon * sqrt(c2));
    - the memory is M = m / (1 - beta1) and V = v / (1 - beta2), which follow M <- beta1 M + g
      and V <- beta2 V + g^2: nothing multiplies g;
    - with s1 = 1 - beta1 and r2 = sqrt(1 - beta2), m / (sqrt(v) + e) = (s1 / r2) * M /
      (sqrt(V) + e / r2): the factors that this takes are numbers, not arrays.

    The "epsilon hat" form is the second line without the factor sqrt(c2) of epsilon: so the two
    differ by the size of epsilon alone.
    """

    def __init__(self, w: Array, g: Array, rule: Adam) -> None:
        self.rule = rule
        self.t = 0
        self.blocks = _blocks(w, g, np.zeros_like(w), np.zeros_like(w))

    def update(self, rate: float) -> None:
        """Take one step of Adam. After its last use g serves as the work array."""
        self.t += 1
        beta1, beta2, epsilon = self.rule.beta1, self.rule.beta2, self.rule.epsilon
        c1, root_c2 = 1 - beta1**self.t, math.sqrt(1 - beta2**self.t)
        if self.rule.form == "algorithm_1":
            epsilon *= root_c2
        s1, r2 = 1 - beta1, math.sqrt(1 - beta2)
        factor, epsilon = rate * root_c2 / c1 * s1 / r2, epsilon / r2
        for w, g, M, V in self.blocks:
            np.multiply(M, beta1, out=M)
            np.add(M, g, out=M)
            np.multiply(g, g, out=g)
            np.multiply(V, beta2, out=V)
            np.add(V, g, out=V)
            np.sqrt(V, out=g)
            np.add(g, epsilon, out=g)
            np.divide(M, g, out=g)
            np.multiply(g, factor, out=g)
            np.subtract(w, g, out=w)


def make(optimizer: Optimizer, w: Array, g: Array) -> UpdateRule:
    """Return the update rule of a protocol, on these buffers."""
    match optimizer:
        case SGD():
            return Descent(w, g)
        case Momentum() | Nesterov():
            return Velocity(w, g, optimizer)
        case RMSprop() | Adagrad():
            return ScaledByRoot(w, g, optimizer)
    return AdaptiveMoments(w, g, optimizer)


def _blocks(*buffers: Array) -> list[tuple[Array, ...]]:
    """Return views of the buffers: for every cache-sized stretch that of each buffer."""
    return [
        tuple(buffer[first : first + BLOCK] for buffer in buffers)
        for first in range(0, buffers[0].size, BLOCK)
    ]
