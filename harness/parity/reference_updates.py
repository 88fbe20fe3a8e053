"""The oracle's update rules: the formulas of `harness.experiment.optimizers`, on whole arrays.

Nothing is done in place, nothing is fast. `mistakes` overrides some of these methods to be wrong
in a known way.
"""

import math

import numpy as np

from harness.experiment.gradients import Clipping, MaxNorm, NormClipping, ValueClipping
from harness.experiment.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
)
from harness.parameters import map_arrays, map_weights
from harness.parity.functions import Floats
from harness.trainer import LayerParameters

Pairs = list[LayerParameters]
"""Parameters, or numbers of the same shapes: an entry of arrays for every layer."""
Moments = Adam | AdamW | AMSGrad | Nadam | Adamax
"""The rules with beta1 and beta2."""


class ReferenceUpdates:
    """Parameters, an update rule and its memory.

    Attributes:
        pairs: the parameters, changed by every update.
        rule: the update rule with its numbers as adapters receive them; None without training.
        t: the updates so far.
        m, v: the memory of the formulas. `v` of momentum is the velocity, of Adagrad the sum of
            squares.
        u: AMSGrad's largest v, Adamax's largest gradient, Adadelta's d.
        mu_product: Nadam's p_t.
    """

    pairs: Pairs
    rule: Optimizer | None
    max_norm: MaxNorm | None

    def _empty_memory(self) -> None:
        """t = m = v = u = 0, except for Adagrad's v, which starts at its initial accumulator."""
        self.t = 0
        start = self.rule.initial_accumulator if isinstance(self.rule, Adagrad) else 0.0
        self.m = map_arrays(np.zeros_like, self.pairs)
        self.v = map_arrays(lambda w: np.full_like(w, start), self.pairs)
        self.u = map_arrays(np.zeros_like, self.pairs)
        self.mu_product = 1.0

    def _update(self, gradients: Pairs, rate: float) -> None:
        """w <- w - the step of the update rule; t counts from 1. AdamW's w decays first.

        After the update the norms of the weights are bounded, if the protocol says so.
        """
        self.t += 1
        steps = self._subtracted(gradients, rate)
        if isinstance(self.rule, AdamW):
            self._decay(self.rule, rate)
        self.pairs = map_arrays(lambda w, step: w - step, self.pairs, steps)
        if self.max_norm is not None:
            self.pairs = constrained(self.max_norm, self.pairs)

    def _decay(self, rule: AdamW, rate: float) -> None:
        """w <- w - rate * weight_decay * w, or without the rate."""
        decay = rate * rule.weight_decay if rule.decay_times_rate else rule.weight_decay
        decayed = map_arrays if rule.decay_on == "all" else map_weights
        self.pairs = decayed(lambda w: w - decay * w, self.pairs)

    def _subtracted(self, g: Pairs, rate: float) -> Pairs:
        """What the update rule subtracts; `harness.experiment.optimizers` states the formulas."""
        rule = self.rule
        match rule:
            case SGD():
                return map_arrays(lambda g: rate * g, g)
            case Momentum() | Nesterov():
                return self._momentum(rule, g, rate)
            case RMSprop():
                self.v = _averaged(rule.rho, self.v, map_arrays(np.square, g))
                return self._divided_by_root(rule, g, rate)
            case Adagrad():
                self.v = map_arrays(lambda v, g: v + g**2, self.v, g)
                return self._divided_by_root(rule, g, rate)
            case Adam() | AdamW() | AMSGrad():
                return self._adam(rule, g, rate)
            case Nadam():
                return self._nadam(rule, g, rate)
            case Adamax():
                return self._adamax(rule, g, rate)
            case Adadelta():
                return self._adadelta(rule, g, rate)
        raise ValueError("a network that does not train has no update")

    def _momentum(self, rule: Momentum | Nesterov, g: Pairs, rate: float) -> Pairs:
        """v <- mu v + g; the step is v, or g + mu v (Nesterov). The rate is in g or in the step."""
        mu, inside = rule.momentum, rule.rate_inside_velocity
        if inside:
            g = map_arrays(lambda g: rate * g, g)
        self.v = map_arrays(lambda v, g: self._velocity(mu, v, g), self.v, g)
        steps = self.v
        if rule.name == "nesterov":
            steps = map_arrays(lambda g, v: g + mu * v, g, self.v)
        return steps if inside else map_arrays(lambda step: rate * step, steps)

    def _velocity(self, mu: float, v: Floats, g: Floats) -> Floats:
        return mu * v + g

    def _divided_by_root(self, rule: RMSprop | Adagrad, g: Pairs, rate: float) -> Pairs:
        """rate * g / sqrt(v + epsilon), or rate * g / (sqrt(v) + epsilon)."""
        if rule.form == "epsilon_inside_root":
            return map_arrays(lambda g, v: rate * g / np.sqrt(v + rule.epsilon), g, self.v)
        return map_arrays(lambda g, v: rate * g / (np.sqrt(v) + rule.epsilon), g, self.v)

    # ------------------------------------------------------------ Adam and its relatives

    def _adam(self, rule: Adam | AdamW | AMSGrad, g: Pairs, rate: float) -> Pairs:
        """Kingma and Ba, algorithm 1, line by line; or its epsilon-hat form."""
        self.m = self._first_moment(rule, g)
        self.v = _averaged(rule.beta2, self.v, map_arrays(np.square, g))
        c1, c2 = self._bias_corrections(rule)
        v = self._largest_v(rule, c2) if isinstance(rule, AMSGrad) else self.v
        e = rule.epsilon
        if rule.form == "algorithm_1":
            return map_arrays(lambda m, v: rate * (m / c1) / (np.sqrt(v / c2) + e), self.m, v)
        scale = rate * math.sqrt(c2) / c1
        return map_arrays(lambda m, v: scale * m / (np.sqrt(v) + e), self.m, v)

    def _first_moment(self, rule: Moments, g: Pairs) -> Pairs:
        return _averaged(rule.beta1, self.m, g)

    def _bias_corrections(self, rule: Moments) -> tuple[float, float]:
        return 1 - rule.beta1**self.t, 1 - rule.beta2**self.t

    def _largest_v(self, rule: AMSGrad, c2: float) -> Pairs:
        """u <- max(u, v); or a <- max(a, v / c2), which gives c2 a."""
        if rule.maximum == "before_correction":
            self.u = map_arrays(np.maximum, self.u, self.v)
            return self.u
        self.u = map_arrays(lambda a, v: np.maximum(a, v / c2), self.u, self.v)
        return map_arrays(lambda a: c2 * a, self.u)

    def _nadam(self, rule: Nadam, g: Pairs, rate: float) -> Pairs:
        """rate (mu_(t+1) m / (1 - p_(t+1)) + (1 - mu_t) g / (1 - p_t)) / (sqrt(v / c2) + e)."""
        self.m = self._first_moment(rule, g)
        self.v = _averaged(rule.beta2, self.v, map_arrays(np.square, g))
        mu, next_mu = self._mu(rule, self.t), self._mu(rule, self.t + 1)
        p, next_p = self._mu_products(rule, mu, next_mu)
        _, c2 = self._bias_corrections(rule)
        n = map_arrays(lambda m, g: next_mu * m / (1 - next_p) + (1 - mu) * g / (1 - p), self.m, g)
        return map_arrays(lambda n, v: rate * n / (np.sqrt(v / c2) + rule.epsilon), n, self.v)

    def _mu(self, rule: Nadam, t: int) -> float:
        """beta1 (1 - 0.96^(t momentum_decay) / 2), or beta1."""
        if rule.momentum_decay is None:
            return rule.beta1
        return float(rule.beta1 * (1 - 0.5 * 0.96 ** (t * rule.momentum_decay)))

    def _mu_products(self, rule: Nadam, mu: float, next_mu: float) -> tuple[float, float]:
        """p_t and p_(t+1)."""
        self.mu_product *= mu
        return self.mu_product, self.mu_product * next_mu

    def _adamax(self, rule: Adamax, g: Pairs, rate: float) -> Pairs:
        """rate / c1 * m / u of u <- max(beta2 u, |g|), with epsilon in one of its places."""
        self.m = self._first_moment(rule, g)
        inside = rule.epsilon if rule.form == "epsilon_inside_maximum" else 0.0
        outside = rule.epsilon - inside
        self.u = map_arrays(lambda u, g: np.maximum(rule.beta2 * u, np.abs(g) + inside), self.u, g)
        c1, _ = self._bias_corrections(rule)
        return map_arrays(lambda m, u: rate / c1 * m / (u + outside), self.m, self.u)

    # ------------------------------------------------------------ Adadelta

    def _adadelta(self, rule: Adadelta, g: Pairs, rate: float) -> Pairs:
        """Rate * s, s = sqrt(d + epsilon) / sqrt(v + epsilon) * g; d averages the squares of s."""
        self.v = _averaged(rule.rho, self.v, map_arrays(np.square, g))
        s = map_arrays(lambda d, v, g: self._ratio(rule, d, v) * g, self.u, self.v, g)
        steps = map_arrays(lambda s: rate * s, s)
        self.u = _averaged(rule.rho, self.u, map_arrays(np.square, self._remembered(s, steps)))
        return steps

    def _ratio(self, rule: Adadelta, d: Floats, v: Floats) -> Floats:
        ratio: Floats = np.sqrt(d + rule.epsilon) / np.sqrt(v + rule.epsilon)
        return ratio

    def _remembered(self, s: Pairs, steps: Pairs) -> Pairs:
        """What d averages the squares of."""
        return s


# ---------------------------------------------------------------- around the update rule


def clipped(clipping: Clipping, gradients: Pairs) -> Pairs:
    """Return each number cut to [-bound, bound], or g min(1, bound / (norm + epsilon))."""
    if isinstance(clipping, ValueClipping):
        return map_arrays(lambda g: np.clip(g, -clipping.bound, clipping.bound), gradients)
    if clipping.name == "array_norm":
        return map_arrays(lambda g: g * _shrinking(clipping, float((g**2).sum())), gradients)
    squares = sum(float((g**2).sum()) for pair in gradients for g in pair if g is not None)
    return map_arrays(lambda g: g * _shrinking(clipping, squares), gradients)


def _shrinking(clipping: NormClipping, squares: float) -> float:
    norm = math.sqrt(squares) + clipping.epsilon
    return clipping.bound / norm if norm > clipping.bound else 1.0


def constrained(max_norm: MaxNorm, pairs: Pairs) -> Pairs:
    """Return the weights with the norms of their columns or rows bounded."""
    axis, bound = 0 if max_norm.of == "units" else 1, max_norm.bound

    def bounded(W: Floats) -> Floats:
        norm = np.sqrt((W**2).sum(axis=axis, keepdims=True))
        below = norm if max_norm.form == "every_norm" else norm + max_norm.epsilon
        wanted = np.where(norm > bound, bound, below)
        divisor = np.where(norm > 0, norm + max_norm.epsilon, 1.0)
        result: Floats = W * (wanted / divisor).astype(W.dtype)
        return result

    return map_weights(bounded, pairs)


def _averaged(keep: float, average: Pairs, values: Pairs) -> Pairs:
    """keep * average + (1 - keep) * values."""
    return map_arrays(lambda a, x: keep * a + (1 - keep) * x, average, values)
