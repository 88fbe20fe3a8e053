"""The update rules of the Flax adapter: chains of Optax's gradient transformations.

Optax has no learning rate that is given in every step. It has neither Adam with epsilon hat nor
Adagrad with epsilon outside the root; its AMSGrad takes the maximum after the bias correction, its
Nadam has no schedule of the momentum, its Adamax has epsilon inside the maximum. What it does not
have is written as a gradient transformation.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from harness.trainer import (
    L1,
    L2,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Clipping,
    MaxNorm,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
    ValueClipping,
)

Pytree = Any
"""What JAX calls nested tuples and lists of arrays."""


def update_of(rule: Optimizer) -> optax.GradientTransformationExtraArgs:
    """Return the update rule. Its `update` takes the step's learning rate."""
    rate = _scale_by_given_rate()
    match rule:
        case SGD():
            return rate
        case Momentum() | Nesterov():
            velocity = optax.trace(rule.momentum, nesterov=isinstance(rule, Nesterov))
            parts = (rate, velocity) if rule.rate_inside_velocity else (velocity, rate)
            return optax.chain(*parts)
        case RMSprop():
            inside = rule.form == "epsilon_inside_root"
            scale = optax.scale_by_rms(rule.rho, rule.epsilon, eps_in_sqrt=inside)
        case Adagrad(form="epsilon_inside_root"):
            scale = optax.scale_by_rss(rule.initial_accumulator, rule.epsilon)
        case Adagrad():
            scale = _scale_by_rss_outside(rule)
        case Adam():
            scale = _scale_by_adam(rule)
        case AdamW():
            mask = _weights if rule.decay_on == "weights" else None
            if rule.decay_times_rate:
                decay = optax.add_decayed_weights(rule.weight_decay, mask)
                return optax.chain(_scale_by_adam(rule), decay, rate)
            decay = optax.add_decayed_weights(-rule.weight_decay, mask)
            return optax.chain(_scale_by_adam(rule), rate, decay)
        case AMSGrad():
            scale = _scale_by_amsgrad(rule)
        case Nadam(form="constant_momentum"):
            scale = optax.scale_by_adam(rule.beta1, rule.beta2, rule.epsilon, nesterov=True)
        case Nadam():
            scale = _scale_by_scheduled_nadam(rule)
        case Adamax(form="epsilon_inside_maximum"):
            scale = optax.scale_by_adamax(rule.beta1, rule.beta2, rule.epsilon)
        case Adamax():
            scale = _scale_by_adamax_outside(rule)
        case Adadelta():
            scale = optax.scale_by_adadelta(rule.rho, rule.epsilon)
    return optax.chain(scale, rate)


def _scale_by_given_rate() -> optax.GradientTransformationExtraArgs:
    """Multiply by minus the learning rate that `update` is given."""

    def update(
        updates: Pytree, state: Pytree, params: Pytree = None, *, learning_rate: jax.Array
    ) -> tuple[Pytree, Pytree]:
        return jax.tree.map(lambda g: -learning_rate * g, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def _weights(params: Pytree) -> Pytree:
    """Return which parameters are weights."""
    return jax.tree.map(lambda w: w.ndim > 1, params)


def _scale_by_rss_outside(rule: Adagrad) -> optax.GradientTransformation:
    """Divide by sqrt(a0 + sum of g^2) + epsilon."""

    def init(params: Pytree) -> Pytree:
        return jax.tree.map(partial(jnp.full_like, fill_value=rule.initial_accumulator), params)

    def update(updates: Pytree, state: Pytree, params: Pytree = None) -> tuple[Pytree, Pytree]:
        state = jax.tree.map(lambda a, g: a + g * g, state, updates)
        return jax.tree.map(lambda g, a: g / (jnp.sqrt(a) + rule.epsilon), updates, state), state

    return optax.GradientTransformation(init, update)


def _scale_by_adam(rule: Adam | AdamW) -> optax.GradientTransformation:
    """Scale by Adam; for epsilon hat with the epsilon of step t, epsilon hat / sqrt(c2)."""
    adam = partial(optax.scale_by_adam, rule.beta1, rule.beta2)
    if rule.form == "algorithm_1":
        return adam(rule.epsilon)
    return _with_root(rule.beta2, adam(), lambda root: (adam(rule.epsilon / root), 1.0))


def _scale_by_amsgrad(rule: AMSGrad) -> optax.GradientTransformation:
    """Scale by AMSGrad, whose maximum the library takes of v, or of v / c2.

    Where it is of v, the library does not correct it: sqrt(u / c2) + epsilon is sqrt(u) +
    epsilon sqrt(c2), over sqrt(c2).
    """
    after = rule.maximum == "after_correction"
    amsgrad = partial(optax.scale_by_amsgrad, rule.beta1, rule.beta2, bias_correction_nu=after)

    def of_step(root: jax.Array) -> tuple[optax.GradientTransformation, Any]:
        epsilon, hat = rule.epsilon, rule.form == "epsilon_hat"
        if after:
            return amsgrad(eps=epsilon / root if hat else epsilon), 1.0
        return amsgrad(eps=epsilon if hat else epsilon * root), root

    return _with_root(rule.beta2, amsgrad(), of_step)


def _with_root(
    beta2: float,
    start: optax.GradientTransformation,
    of_step: Callable[[jax.Array], tuple[optax.GradientTransformation, Any]],
) -> optax.GradientTransformation:
    """Return a transformation that depends on sqrt(c2) of its step, and multiplies by a factor."""

    def update(updates: Pytree, state: Pytree, params: Pytree = None) -> tuple[Pytree, Pytree]:
        transformation, factor = of_step(jnp.sqrt(1 - beta2 ** (state.count + 1)))
        scaled, state = transformation.update(updates, state, params)
        return jax.tree.map(lambda step: factor * step, scaled), state

    return optax.GradientTransformation(start.init, update)


def _scale_by_scheduled_nadam(rule: Nadam) -> optax.GradientTransformation:
    """Scale by Nadam whose momentum grows: mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)."""
    beta1, beta2, decay = rule.beta1, rule.beta2, rule.momentum_decay
    assert decay is not None

    def mu(t: jax.Array) -> jax.Array:
        return beta1 * (1 - 0.5 * jnp.exp(t * decay * math.log(0.96)))

    def init(params: Pytree) -> Pytree:
        zeros = partial(jax.tree.map, jnp.zeros_like)
        dtype = jax.tree.leaves(params)[0].dtype
        return zeros(params), zeros(params), jnp.ones((), dtype), jnp.zeros((), dtype)

    def update(updates: Pytree, state: Pytree, params: Pytree = None) -> tuple[Pytree, Pytree]:
        m, v, p, t = state
        t, p = t + 1, p * mu(t + 1)
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, updates)
        v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, updates)
        of_m, of_g = mu(t + 1) / (1 - p * mu(t + 1)), (1 - mu(t)) / (1 - p)
        root_c2 = jnp.sqrt(-jnp.expm1(t * math.log(beta2))) if beta2 else 1.0

        def scaled(m: jax.Array, v: jax.Array, g: jax.Array) -> jax.Array:
            return (of_m * m + of_g * g) / (jnp.sqrt(v) / root_c2 + rule.epsilon)

        return jax.tree.map(scaled, m, v, updates), (m, v, p, t)

    return optax.GradientTransformation(init, update)


def _scale_by_adamax_outside(rule: Adamax) -> optax.GradientTransformation:
    """Scale by Adamax with epsilon in the division: m / c1 / (u + epsilon)."""
    adamax = optax.scale_by_adamax(rule.beta1, rule.beta2, 0.0)

    def update(updates: Pytree, state: Pytree, params: Pytree = None) -> tuple[Pytree, Pytree]:
        _, state = adamax.update(updates, state, params)
        c1 = 1 - rule.beta1**state.count
        return jax.tree.map(lambda m, u: m / c1 / (u + rule.epsilon), state.mu, state.nu), state

    return optax.GradientTransformation(adamax.init, update)


# ---------------------------------------------------------------- around the update rule


def penalty_of(
    l2: L2 | None, l1: L1 | None, parameters: Sequence[jax.Array], size: jax.Array
) -> jax.Array:
    """Return c * sum of squares and c * sum of |w|, of the weights or of all parameters."""
    # coefficient(1), because `size` is known at run time only
    total = 0 * size
    if l2 is not None:
        squares = sum((w * w).sum() for w in parameters if l2.on == "all" or w.ndim > 1)
        total = total + l2.coefficient(1) * squares / (size if l2.per_row else 1)
    if l1 is not None:
        sizes = sum(_abs(w).sum() for w in parameters if l1.on == "all" or w.ndim > 1)
        total = total + l1.coefficient(1) * sizes / (size if l1.per_row else 1)
    return total


def _abs(w: jax.Array) -> jax.Array:
    """Return |w|, whose slope at 0 is 0, where that of `jnp.abs` is 1."""
    return w * jax.lax.stop_gradient(jnp.sign(w))


def clipped(clipping: Clipping, gradients: Pytree) -> Pytree:
    """Return gradients clipped by Optax, which has no epsilon; its norm is that of all arrays."""
    if isinstance(clipping, ValueClipping):
        return optax.clip(clipping.bound).update(gradients, optax.EmptyState())[0]
    bound, epsilon = clipping.bound, clipping.epsilon

    def shrunk(g: jax.Array, norm: jax.Array) -> jax.Array:
        return jnp.where(norm + epsilon > bound, g * (bound / (norm + epsilon)), g)

    if clipping.name == "array_norm":
        return jax.tree.map(lambda g: shrunk(g, optax.tree.norm(g)), gradients)
    if not epsilon:
        return optax.clip_by_global_norm(bound).update(gradients, optax.EmptyState())[0]
    norm = optax.tree.norm(gradients)
    return jax.tree.map(lambda g: shrunk(g, norm), gradients)


def constrained(max_norm: MaxNorm, w: jax.Array) -> jax.Array:
    """Return weights with the norms of their columns or rows bounded."""
    axis = 0 if max_norm.of == "units" else 1
    norm = jnp.sqrt(jnp.sum(w * w, axis=axis, keepdims=True))
    within = w if max_norm.form == "beyond_bound" else w * norm / (norm + max_norm.epsilon)
    bounded = w * max_norm.bound / (norm + max_norm.epsilon)
    return jnp.where(norm > max_norm.bound, bounded, jnp.where(norm > 0, within, w))
