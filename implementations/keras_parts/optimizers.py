"""Keras's optimizers, and those of its optimizers' rules that Keras does not have."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.trainer import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Experiment,
    MaxNorm,
    Momentum,
    Nadam,
    Nesterov,
    NormClipping,
    Optimizer,
    RMSprop,
    Task,
    ValueClipping,
)

KERAS_EPSILON = float(np.float32(1e-7))
"""What the library's MaxNorm adds to norms, as tasks have it."""

Tensor = Any
"""A tensor of the backend."""


def supports(experiment: Experiment) -> str | None:
    """Return what Keras's optimizers cannot do around an update, or None."""
    clipping = experiment.training.clipping if experiment.training else None
    if clipping is None:
        return None
    if clipping.includes_penalty is False:
        return "Keras clips the gradient of the whole loss, that of a penalty included"
    if isinstance(clipping, NormClipping) and clipping.epsilon:
        return "Keras adds no epsilon to the norm that it clips gradients by"
    return None


def optimizer_of(task: Task) -> keras.optimizers.Optimizer:
    """Return the optimizer that follows the task's rule and clips its gradients."""
    assert task.optimizer is not None
    optimizer = _optimizer_of(task.optimizer)
    match task.clipping:
        case ValueClipping(bound=bound):
            optimizer.clipvalue = bound
        case NormClipping(name="array_norm", bound=bound):
            optimizer.clipnorm = bound
        case NormClipping(bound=bound):
            optimizer.global_clipnorm = bound
    return optimizer


def norm_bound(max_norm: MaxNorm) -> keras.constraints.Constraint:
    """Return the constraint of kernels: the library's where it is the stated one."""
    axis = 0 if max_norm.of == "units" else 1
    if max_norm.form == "every_norm" and max_norm.epsilon == KERAS_EPSILON:
        return keras.constraints.MaxNorm(max_norm.bound, axis)
    return StatedMaxNorm(max_norm, axis)


class StatedMaxNorm(keras.constraints.Constraint):
    """Bounded norms with another epsilon, or of those alone that are beyond the bound."""

    def __init__(self, max_norm: MaxNorm, axis: int) -> None:
        self.max_norm, self.axis = max_norm, axis

    def __call__(self, w: Tensor) -> Tensor:
        """Return the kernel with its norms bounded."""
        bound, epsilon = self.max_norm.bound, self.max_norm.epsilon
        norm = ops.sqrt(ops.sum(ops.square(w), axis=self.axis, keepdims=True))
        within = w if self.max_norm.form == "beyond_bound" else w * norm / (norm + epsilon)
        beyond = w * bound / (norm + epsilon)
        return ops.where(norm > bound, beyond, ops.where(norm > 0, within, w))


def _optimizer_of(rule: Optimizer) -> keras.optimizers.Optimizer:
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
        case Adadelta():
            return keras.optimizers.Adadelta(rule.learning_rate, rho=rule.rho, epsilon=rule.epsilon)
    numbers = {"beta_1": rule.beta1, "beta_2": rule.beta2, "epsilon": rule.epsilon}
    match rule:
        case Adam():
            kind = AlgorithmOneAdam if rule.form == "algorithm_1" else keras.optimizers.Adam
        case AdamW():
            kind = AlgorithmOneAdam if rule.form == "algorithm_1" else keras.optimizers.Adam
            if not rule.decay_times_rate:
                kind = DecayByItself if kind is keras.optimizers.Adam else AlgorithmOneDecayByItself
            optimizer = kind(rule.learning_rate, weight_decay=rule.weight_decay, **numbers)
            if rule.decay_on == "weights":
                optimizer.exclude_from_weight_decay(var_names=["bias"])
            return optimizer
        case AMSGrad(form="epsilon_hat", maximum="before_correction"):
            return keras.optimizers.Adam(rule.learning_rate, amsgrad=True, **numbers)
        case AMSGrad():
            return StatedAMSGrad(rule, numbers)
        case Nadam():
            return StatedNadam(rule, numbers)
        case Adamax():
            outside = rule.form == "epsilon_outside_maximum"
            kind = keras.optimizers.Adamax if outside else InsideMaximumAdamax
    return kind(rule.learning_rate, **numbers)


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


class _RateLess:
    """A weight decay that is not multiplied by the rate; Keras multiplies it always."""

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        for w in variables:
            if self._use_weight_decay(w):  # type: ignore[attr-defined]
                w.assign(w - ops.cast(self.weight_decay, w.dtype) * w)  # type: ignore[attr-defined]


class DecayByItself(_RateLess, keras.optimizers.Adam):
    """AdamW with epsilon hat whose decay is not times the rate."""


class AlgorithmOneDecayByItself(_RateLess, AlgorithmOneAdam):
    """AdamW of algorithm 1 whose decay is not times the rate."""


class StatedAMSGrad(keras.optimizers.Adam):
    """AMSGrad in other forms; Keras has epsilon hat and the maximum before the correction."""

    def __init__(self, rule: AMSGrad, numbers: dict[str, float]) -> None:
        super().__init__(rule.learning_rate, amsgrad=True, **numbers)
        self.after = rule.maximum == "after_correction"
        self.is_hat = rule.form == "epsilon_hat"

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        t = ops.cast(self.iterations + 1, w.dtype)
        c1, c2 = _one_minus_power(self.beta_1, t), _one_minus_power(self.beta_2, t)
        index = self._get_variable_index(w)
        m = self.beta_1 * self._momentums[index] + (1 - self.beta_1) * g
        v = self.beta_2 * self._velocities[index] + (1 - self.beta_2) * g * g
        u = ops.maximum(self._velocity_hats[index], v / c2 if self.after else v)
        self._momentums[index].assign(m)
        self._velocities[index].assign(v)
        self._velocity_hats[index].assign(u)
        root = ops.sqrt(c2 * u if self.after else u)
        epsilon = self.epsilon if self.is_hat else self.epsilon * ops.sqrt(c2)
        w.assign(w - rate * ops.sqrt(c2) / c1 * m / (root + epsilon))


class StatedNadam(keras.optimizers.Nadam):
    """Nadam with a stated schedule of its momentum, or none; Keras's has momentum_decay = 1.

    Keras's also rounds 0.96 to float32, which is 2e-8 off.
    """

    def __init__(self, rule: Nadam, numbers: dict[str, float]) -> None:
        super().__init__(rule.learning_rate, **numbers)
        self.momentum_decay = rule.momentum_decay

    def _backend_update_step(
        self, grads: list[Tensor], trainable_variables: list[keras.Variable], learning_rate: Tensor
    ) -> None:
        t = ops.cast(self.iterations + 1, self._u_product.dtype)
        self._u_product.assign(self._u_product * self._mu(t))
        # past the parent, which would multiply the product again
        super(keras.optimizers.Nadam, self)._backend_update_step(
            grads, trainable_variables, learning_rate
        )

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        t = ops.cast(self.iterations + 1, w.dtype)
        index = self._get_variable_index(w)
        m = self.beta_1 * self._momentums[index] + (1 - self.beta_1) * g
        v = self.beta_2 * self._velocities[index] + (1 - self.beta_2) * g * g
        self._momentums[index].assign(m)
        self._velocities[index].assign(v)
        mu, next_mu, p = self._mu(t), self._mu(t + 1), ops.cast(self._u_product, w.dtype)
        n = next_mu / (1 - p * next_mu) * m + (1 - mu) / (1 - p) * g
        root = ops.sqrt(v / _one_minus_power(self.beta_2, t))
        w.assign(w - rate * n / (root + self.epsilon))

    def _mu(self, t: Tensor) -> Tensor:
        if self.momentum_decay is None:
            return self.beta_1 * ops.ones_like(t)
        return self.beta_1 * (1 - 0.5 * ops.exp(t * (self.momentum_decay * math.log(0.96))))


class InsideMaximumAdamax(keras.optimizers.Adamax):
    """Adamax with epsilon inside the maximum; Keras's Adamax adds epsilon in the division."""

    def update_step(self, g: Tensor, w: keras.Variable, rate: Tensor) -> None:
        """Update one variable."""
        rate, g = ops.cast(rate, w.dtype), ops.cast(g, w.dtype)
        c1 = _one_minus_power(self.beta_1, ops.cast(self.iterations + 1, w.dtype))
        index = self._get_variable_index(w)
        m = self.beta_1 * self._m[index] + (1 - self.beta_1) * g
        u = ops.maximum(self.beta_2 * self._u[index], ops.abs(g) + self.epsilon)
        self._m[index].assign(m)
        self._u[index].assign(u)
        w.assign(w - rate / c1 * m / u)


def _one_minus_power(beta: float, t: Tensor) -> Tensor:
    return -ops.expm1(t * math.log(beta)) if beta else ops.ones_like(t)
