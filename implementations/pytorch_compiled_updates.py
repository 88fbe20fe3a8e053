"""The update rules of PyTorch's fused loop, on one parameter and its gradient.

An object of `torch.optim` cannot be traced into a loop, so they are written out.

`memory_of` is what a rule remembers of a parameter at the start, `updated` a step. Numbers that
all parameters have in common are in `corrections`.
"""

import math
from collections.abc import Sequence

import torch

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

Memory = tuple[torch.Tensor, ...]


def memory_of(rule: Optimizer, w: torch.Tensor) -> Memory:
    """Return what a rule remembers of a parameter at the start."""

    def zeros() -> torch.Tensor:
        return torch.zeros_like(w)

    match rule:
        case SGD():
            return ()
        case Momentum() | Nesterov() | RMSprop():
            return (zeros(),)
        case Adagrad():
            return (torch.full_like(w, rule.initial_accumulator),)
        case AMSGrad():
            return (zeros(), zeros(), zeros())
        case Nadam():
            return (zeros(), zeros(), torch.ones((), dtype=w.dtype, device=w.device))
    return (zeros(), zeros())


def corrections(rule: Optimizer, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bias corrections of step t, counted from 1: (c1, sqrt(c2)); 1 without any."""
    if isinstance(rule, Adam | AdamW | AMSGrad | Nadam | Adamax):
        return _one_minus_power(rule.beta1, t), torch.sqrt(_one_minus_power(rule.beta2, t))
    return torch.ones_like(t), torch.ones_like(t)


def updated(
    rule: Optimizer,
    w: torch.Tensor,
    g: torch.Tensor,
    memory: Memory,
    rate: torch.Tensor,
    t: torch.Tensor,
    corrected: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, ...]:
    """Return a parameter and its memory after step t, counted from 1."""
    c1, root_c2 = corrected
    match rule:
        case SGD():
            return (w - rate * g,)
        case Momentum() | Nesterov():
            inside, mu = rule.rate_inside_velocity, rule.momentum
            g = rate * g if inside else g
            v = mu * memory[0] + g
            step = g + mu * v if isinstance(rule, Nesterov) else v
            return w - (step if inside else rate * step), v
        case RMSprop() | Adagrad():
            keep, take = (rule.rho, 1 - rule.rho) if isinstance(rule, RMSprop) else (1, 1)
            v = keep * memory[0] + take * g * g
            return w - rate * g / _root(v, rule), v
        case Adam() | AdamW() | AMSGrad():
            m, v = _moments(rule, g, memory)
            root, *largest = _root_and_largest(rule, v, memory, root_c2)
            epsilon = rule.epsilon * root_c2 if rule.form == "algorithm_1" else rule.epsilon
            step = rate * root_c2 / c1 * m / (root + epsilon)
            return _decayed(rule, w, rate) - step, m, v, *largest
        case Nadam():
            m, v = _moments(rule, g, memory)
            mu, next_mu = _mu(rule, t), _mu(rule, t + 1)
            p = memory[2] * mu
            n = next_mu / (1 - p * next_mu) * m + (1 - mu) / (1 - p) * g
            return w - rate * n / (torch.sqrt(v) / root_c2 + rule.epsilon), m, v, p
        case Adamax():
            inside = rule.form == "epsilon_inside_maximum"
            m = rule.beta1 * memory[0] + (1 - rule.beta1) * g
            size = torch.abs(g) + rule.epsilon if inside else torch.abs(g)
            u = torch.maximum(rule.beta2 * memory[1], size)
            return w - rate / c1 * m / (u if inside else u + rule.epsilon), m, u
        case Adadelta():
            v = rule.rho * memory[0] + (1 - rule.rho) * g * g
            s = torch.sqrt(memory[1] + rule.epsilon) / torch.sqrt(v + rule.epsilon) * g
            return w - rate * s, v, rule.rho * memory[1] + (1 - rule.rho) * s * s


def _moments(
    rule: Adam | AdamW | AMSGrad | Nadam, g: torch.Tensor, memory: Memory
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return m and v after a step."""
    m = rule.beta1 * memory[0] + (1 - rule.beta1) * g
    return m, rule.beta2 * memory[1] + (1 - rule.beta2) * g * g


def _root_and_largest(
    rule: Adam | AdamW | AMSGrad, v: torch.Tensor, memory: Memory, root_c2: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Return sqrt(v), or AMSGrad's in its place and the largest v that it remembers."""
    if not isinstance(rule, AMSGrad):
        return (torch.sqrt(v),)
    if rule.maximum == "before_correction":
        largest = torch.maximum(memory[2], v)
        return torch.sqrt(largest), largest
    largest = torch.maximum(memory[2], v / root_c2**2)
    return root_c2 * torch.sqrt(largest), largest


def _decayed(rule: Adam | AdamW | AMSGrad, w: torch.Tensor, rate: torch.Tensor) -> torch.Tensor:
    """Return a parameter after AdamW's decay, if it is one of those that decay."""
    if not isinstance(rule, AdamW) or (rule.decay_on == "weights" and w.ndim == 1):
        return w
    decay = rate * rule.weight_decay if rule.decay_times_rate else rule.weight_decay
    return w - decay * w


def _mu(rule: Nadam, t: torch.Tensor) -> torch.Tensor:
    """Return Nadam's momentum of step t."""
    if rule.momentum_decay is None:
        return torch.full_like(t, rule.beta1)
    return rule.beta1 * (1 - 0.5 * torch.exp(t * rule.momentum_decay * math.log(0.96)))


def _root(v: torch.Tensor, rule: RMSprop | Adagrad) -> torch.Tensor:
    if rule.form == "epsilon_inside_root":
        return torch.sqrt(v + rule.epsilon)
    return torch.sqrt(v) + rule.epsilon


def _one_minus_power(beta: float, t: torch.Tensor) -> torch.Tensor:
    """Return 1 - beta^t; written plainly, float32 would lose four digits while t is small."""
    return -torch.expm1(t * math.log(beta)) if beta else torch.ones_like(t)


# ---------------------------------------------------------------- around the update rule


def penalty_of(
    l2: L2 | None, l1: L1 | None, parameters: Sequence[torch.Tensor], size: torch.Tensor
) -> torch.Tensor:
    """Return c * sum of squares and c * sum of |w|, of the weights or of all parameters."""
    # coefficient(1), because `size` is known at run time only
    total = 0 * size
    if l2 is not None:
        squares = sum(torch.sum(w * w) for w in parameters if l2.on == "all" or w.ndim > 1)
        total = total + l2.coefficient(1) * squares / (size if l2.per_row else 1)
    if l1 is not None:
        sizes = sum(torch.sum(torch.abs(w)) for w in parameters if l1.on == "all" or w.ndim > 1)
        total = total + l1.coefficient(1) * sizes / (size if l1.per_row else 1)
    return total


def clipped(clipping: Clipping, gradients: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return gradients clipped to a bound: number by number, array by array, or all together."""
    bound = clipping.bound
    if isinstance(clipping, ValueClipping):
        return [torch.clamp(g, -bound, bound) for g in gradients]
    squares = [torch.sum(g * g) for g in gradients]
    if clipping.name == "global_norm":
        squares = [sum(squares)] * len(squares)
    norms = [torch.sqrt(square) + clipping.epsilon for square in squares]
    # not divided where it is not clipped: a norm may be 0
    return [
        torch.where(norm > bound, g * (bound / norm), g)
        for g, norm in zip(gradients, norms, strict=True)
    ]


def constrained(max_norm: MaxNorm, w: torch.Tensor) -> torch.Tensor:
    """Return weights with the norms of their columns or rows bounded; biases as they are."""
    if w.ndim != 2:
        return w
    # a kernel of `nn.Linear` is (outputs, inputs)
    axis = 1 if max_norm.of == "units" else 0
    norm = torch.sqrt(torch.sum(w * w, dim=axis, keepdim=True))
    within = w if max_norm.form == "beyond_bound" else w * norm / (norm + max_norm.epsilon)
    bounded = w * max_norm.bound / (norm + max_norm.epsilon)
    return torch.where(norm > max_norm.bound, bounded, torch.where(norm > 0, within, w))
