"""Update rules on the flat parameter buffer w and the flat gradient buffer g.

`update(rate)` changes w in place and may overwrite g. The buffers are walked in blocks of
`BLOCK` numbers: a rule of ten passes then finds its block in the cache nine times, instead of
reading the whole network from memory ten times.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from harness.trainer import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Array,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
)

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

    def __init__(self, w: Array, g: Array, rule: Adam | AdamW) -> None:
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


class DecoupledDecay:
    """AdamW (Loshchilov and Hutter 2019): w <- (1 - decay) w, then Adam's step.

    The decay is no part of the gradient, so Adam does not divide it by the size of the gradient.

    Args:
        adam: the step.
        rule: says whether a step's decay is rate * weight_decay, or weight_decay.
        parts: views of what decays: the weights, or all.
    """

    def __init__(self, adam: AdaptiveMoments, rule: AdamW, parts: Sequence[Array]) -> None:
        self.adam, self.rule, self.parts = adam, rule, parts

    def update(self, rate: float) -> None:
        """Take one step of AdamW."""
        decay = self.rule.weight_decay * (rate if self.rule.decay_times_rate else 1.0)
        for w in self.parts:
            np.multiply(w, 1 - decay, out=w)
        self.adam.update(rate)


class LargestMoment:
    """AMSGrad (Reddi et al. 2018): Adam with the largest v so far in place of v.

    With M, V, s1 and r2 of `AdaptiveMoments`, U <- max(U, V) before the bias correction; after it
    A <- max(A, V / c2), whose root times sqrt(c2) stands for sqrt(U).
    """

    def __init__(self, w: Array, g: Array, rule: AMSGrad) -> None:
        self.rule = rule
        self.t = 0
        self.blocks = _blocks(w, g, np.zeros_like(w), np.zeros_like(w), np.zeros_like(w))

    def update(self, rate: float) -> None:
        """Take one step of AMSGrad. After its last use g serves as the work array."""
        self.t += 1
        beta1, beta2, epsilon = self.rule.beta1, self.rule.beta2, self.rule.epsilon
        c1, root_c2 = 1 - beta1**self.t, math.sqrt(1 - beta2**self.t)
        if self.rule.form == "algorithm_1":
            epsilon *= root_c2
        s1, r2 = 1 - beta1, math.sqrt(1 - beta2)
        factor, epsilon = rate * root_c2 / c1 * s1 / r2, epsilon / r2
        after = self.rule.maximum == "after_correction"
        for w, g, M, V, U in self.blocks:
            np.multiply(M, beta1, out=M)
            np.add(M, g, out=M)
            np.multiply(g, g, out=g)
            np.multiply(V, beta2, out=V)
            np.add(V, g, out=V)
            np.multiply(V, 1 / root_c2**2 if after else 1, out=g)
            np.maximum(U, g, out=U)
            np.sqrt(U, out=g)
            if after:
                np.multiply(g, root_c2, out=g)
            np.add(g, epsilon, out=g)
            np.divide(M, g, out=g)
            np.multiply(g, factor, out=g)
            np.subtract(w, g, out=w)


class NesterovMoments:
    """Nadam (Dozat 2016): Adam whose step looks one step of momentum ahead.

    mu_t is the momentum of step t, p_t = mu_1 ... mu_t, and the step is rate * n / (sqrt(v / c2) +
    epsilon) with n = mu_(t+1) m / (1 - p_(t+1)) + (1 - mu_t) g / (1 - p_t): the momentum of the
    step to come, and the gradient of this one, each with its own correction. mu_t = beta1, or
    beta1 (1 - 0.96^(t momentum_decay) / 2), which grows from beta1 / 2 to beta1.
    """

    def __init__(self, w: Array, g: Array, rule: Nadam) -> None:
        self.rule = rule
        self.t, self.p = 0, 1.0
        self.blocks = _blocks(w, g, np.zeros_like(w), np.zeros_like(w))
        self.work = np.empty(min(BLOCK, w.size), w.dtype)

    def update(self, rate: float) -> None:
        """Take one step of Nadam."""
        self.t += 1
        beta1, beta2 = self.rule.beta1, self.rule.beta2
        mu, next_mu = self._mu(self.t), self._mu(self.t + 1)
        self.p *= mu
        root_c2 = math.sqrt(1 - beta2**self.t)
        of_m, of_g = next_mu / (1 - self.p * next_mu), (1 - mu) / (1 - self.p)
        epsilon, factor = self.rule.epsilon * root_c2, rate * root_c2
        for w, g, m, v in self.blocks:
            work = self.work[: g.size]
            np.multiply(m, beta1, out=m)
            np.multiply(g, 1 - beta1, out=work)
            np.add(m, work, out=m)
            np.multiply(v, beta2, out=v)
            np.multiply(g, g, out=work)
            np.multiply(work, 1 - beta2, out=work)
            np.add(v, work, out=v)
            np.multiply(m, of_m, out=work)
            np.multiply(g, of_g, out=g)
            np.add(g, work, out=g)
            np.sqrt(v, out=work)
            np.add(work, epsilon, out=work)
            np.divide(g, work, out=g)
            np.multiply(g, factor, out=g)
            np.subtract(w, g, out=w)

    def _mu(self, t: int) -> float:
        if self.rule.momentum_decay is None:
            return self.rule.beta1
        return float(self.rule.beta1 * (1 - 0.5 * 0.96 ** (t * self.rule.momentum_decay)))


class LargestGradient:
    """Adamax (Kingma and Ba 2015): Adam with the largest gradient in place of a root of squares.

    u <- max(beta2 u, |g|) is what (beta2^p u^p + (1 - beta2^p) |g|^p)^(1/p) tends to for large p.
    It needs no bias correction: from u = 0 it is |g| at once. Epsilon is added to |g| in the
    maximum, or to u in the division.
    """

    def __init__(self, w: Array, g: Array, rule: Adamax) -> None:
        self.rule = rule
        self.t = 0
        self.blocks = _blocks(w, g, np.zeros_like(w), np.zeros_like(w))

    def update(self, rate: float) -> None:
        """Take one step of Adamax. M is m / (1 - beta1), as in `AdaptiveMoments`."""
        self.t += 1
        beta1, beta2, epsilon = self.rule.beta1, self.rule.beta2, self.rule.epsilon
        factor = rate * (1 - beta1) / (1 - beta1**self.t)
        inside = self.rule.form == "epsilon_inside_maximum"
        for w, g, M, u in self.blocks:
            np.multiply(M, beta1, out=M)
            np.add(M, g, out=M)
            np.abs(g, out=g)
            if inside:
                np.add(g, epsilon, out=g)
            np.multiply(u, beta2, out=u)
            np.maximum(u, g, out=u)
            np.add(u, 0 if inside else epsilon, out=g)
            np.divide(M, g, out=g)
            np.multiply(g, factor, out=g)
            np.subtract(w, g, out=w)


class RatioOfRoots:
    """Adadelta (Zeiler 2012): g times the usual size of a step over the usual size of a gradient.

    v <- rho v + (1 - rho) g^2; s = sqrt(d + epsilon) / sqrt(v + epsilon) * g; d <- rho d +
    (1 - rho) s^2; w <- w - rate * s. v and d start at 0: epsilon makes the first step.
    """

    def __init__(self, w: Array, g: Array, rule: Adadelta) -> None:
        self.rule = rule
        self.blocks = _blocks(w, g, np.zeros_like(w), np.zeros_like(w))
        self.work = np.empty(min(BLOCK, w.size), w.dtype)

    def update(self, rate: float) -> None:
        """Take one step of Adadelta."""
        rho, epsilon = self.rule.rho, self.rule.epsilon
        for w, g, v, d in self.blocks:
            work = self.work[: g.size]
            _average(v, g, rho, work)
            np.add(v, epsilon, out=work)
            np.sqrt(work, out=work)
            np.divide(g, work, out=g)
            np.add(d, epsilon, out=work)
            np.sqrt(work, out=work)
            np.multiply(g, work, out=g)
            _average(d, g, rho, work)
            np.multiply(g, rate, out=g)
            np.subtract(w, g, out=w)


def make(optimizer: Optimizer, w: Array, g: Array, weights: Sequence[Array] = ()) -> UpdateRule:
    """Return the update rule of a protocol, on these buffers.

    Args:
        optimizer: the rule.
        w: flat parameters.
        g: flat gradients.
        weights: views of the weights in w, which may be all that decays.
    """
    match optimizer:
        case SGD():
            return Descent(w, g)
        case Momentum() | Nesterov():
            return Velocity(w, g, optimizer)
        case RMSprop() | Adagrad():
            return ScaledByRoot(w, g, optimizer)
        case AdamW():
            parts = weights if optimizer.decay_on == "weights" else [w]
            return DecoupledDecay(AdaptiveMoments(w, g, optimizer), optimizer, parts)
        case AMSGrad():
            return LargestMoment(w, g, optimizer)
        case Nadam():
            return NesterovMoments(w, g, optimizer)
        case Adamax():
            return LargestGradient(w, g, optimizer)
        case Adadelta():
            return RatioOfRoots(w, g, optimizer)
    return AdaptiveMoments(w, g, optimizer)


def _average(average: Array, values: Array, keep: float, work: Array) -> None:
    """Average <- keep * average + (1 - keep) * values^2, in place."""
    np.multiply(values, values, out=work)
    np.multiply(work, 1 - keep, out=work)
    np.multiply(average, keep, out=average)
    np.add(average, work, out=average)


def _blocks(*buffers: Array) -> list[tuple[Array, ...]]:
    """Return views of the buffers: for every cache-sized stretch that of each buffer."""
    return [
        tuple(buffer[first : first + BLOCK] for buffer in buffers)
        for first in range(0, buffers[0].size, BLOCK)
    ]
