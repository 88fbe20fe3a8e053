"""Keras's optimizers, and those of its optimizers' rules that Keras does not have."""

import math
from typing import Any

import keras
from keras import ops

from harness.trainer import SGD, Adagrad, Adam, Momentum, Nesterov, Optimizer, RMSprop

Tensor = Any
"""A tensor of the backend."""


def optimizer_of(rule: Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer that follows a rule."""
    match rule:
        case SGD():
            return keras.optimizers.SGD(rule.learning_rate)
        case Momentum() | Nesterov():
            kind = keras.optimizers.SGD if rule.rate_inside_velocity else StatedVelocity
            nesterov = isinstance(rule, Nesterov)
            return kind(rule.learning_rate, momentum=rule.momentum, nesterov=nesterov)
        case RMSprop():
            inside = rule.form == "epsilon_inside_root"
            kind = keras.optimizers.RMSprop if inside else OutsideRootRMSprop
            return kind(rule.learning_rate, rho=rule.rho, epsilon=rule.epsilon)
        case Adagrad():
            inside = rule.form == "epsilon_inside_root"
            kind = keras.optimizers.Adagrad if inside else OutsideRootAdagrad
            return kind(rule.learning_rate, rule.initial_accumulator, epsilon=rule.epsilon)
        case Adam(form="algorithm_1"):
            kind = AlgorithmOneAdam
        case _:
            kind = keras.optimizers.Adam
    return kind(rule.learning_rate, beta_1=rule.beta1, beta_2=rule.beta2, epsilon=rule.epsilon)


class StatedVelocity(keras.optimizers.SGD):
    """Momentum with the rate outside the velocity; Keras's SGD has the rate inside."""

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        index = self._get_variable_index(w)
        v = self.momentum * self.momentums[index] + g
        self.momentums[index].assign(v)
        w.assign(w - rate * (g + self.momentum * v if self.nesterov else v))


class OutsideRootRMSprop(keras.optimizers.RMSprop):
    """RMSprop with epsilon outside the root; Keras's RMSprop has epsilon inside."""

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        index = self._get_variable_index(w)
        v = self.rho * self._velocities[index] + (1 - self.rho) * g * g
        self._velocities[index].assign(v)
        w.assign(w - rate * g / (ops.sqrt(v) + self.epsilon))


class OutsideRootAdagrad(keras.optimizers.Adagrad):
    """Adagrad with epsilon outside the root; Keras's Adagrad has epsilon inside."""

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        index = self._get_variable_index(w)
        a = self._accumulators[index] + g * g
        self._accumulators[index].assign(a)
        w.assign(w - rate * g / (ops.sqrt(a) + self.epsilon))


class AlgorithmOneAdam(keras.optimizers.Adam):
    """Adam as in the paper's algorithm 1; Keras's Adam is the epsilon-hat variant.

    w <- w - rate * sqrt(c2) / c1 * m / (sqrt(v) + epsilon * sqrt(c2)), with
    c1 = 1 - beta1^t and c2 = 1 - beta2^t taken through expm1: 1 - beta^t written plainly loses
    four digits in float32 while t is small.
    """

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        t = ops.cast(self.iterations + 1, w.dtype)
        c1 = _one_minus_power(self.beta_1, t)
        root_c2 = ops.sqrt(_one_minus_power(self.beta_2, t))
        index = self._get_variable_index(w)
        m = self.beta_1 * self._momentums[index] + (1 - self.beta_1) * g
        v = self.beta_2 * self._velocities[index] + (1 - self.beta_2) * g * g
        self._momentums[index].assign(m)
        self._velocities[index].assign(v)
        step = rate * root_c2 / c1 * m / (ops.sqrt(v) + self.epsilon * root_c2)
        w.assign(w - step)


def _one_minus_power(beta: float, t: Tensor) -> Tensor:
    return -ops.expm1(t * math.log(beta)) if beta else ops.ones_like(t)
