"""The update rules of the PyTorch adapter: objects of `torch.optim`, and those it does not have."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from harness.trainer import (
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

TORCH_EPSILON = float(torch.tensor(1e-6, dtype=torch.float32))
"""What `clip_grad_norm_` adds to the norm, as tasks have it."""


def optimizer_of(rule: Optimizer, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer that follows a rule."""
    lr = rule.learning_rate
    match rule:
        case SGD():
            return torch.optim.SGD(parameters, lr=lr, fused=True)
        case Momentum() | Nesterov():
            nesterov = isinstance(rule, Nesterov)
            return torch.optim.SGD(
                parameters, lr=lr, momentum=rule.momentum, nesterov=nesterov, fused=True
            )
        case RMSprop(form="epsilon_outside_root"):
            return torch.optim.RMSprop(parameters, lr=lr, alpha=rule.rho, eps=rule.epsilon)
        case RMSprop():
            return InsideRootRMSprop(parameters, lr=lr, rho=rule.rho, eps=rule.epsilon)
        case Adagrad():
            # sqrt((a0 + epsilon) + sum g^2) + 0 puts epsilon inside the root
            inside = rule.form == "epsilon_inside_root"
            start = rule.initial_accumulator + (rule.epsilon if inside else 0.0)
            eps = 0.0 if inside else rule.epsilon
            return torch.optim.Adagrad(parameters, lr=lr, initial_accumulator_value=start, eps=eps)
        case Adadelta():
            return torch.optim.Adadelta(parameters, lr=lr, rho=rule.rho, eps=rule.epsilon)
    numbers: dict[str, Any] = {"lr": lr, "betas": (rule.beta1, rule.beta2), "eps": rule.epsilon}
    match rule:
        case AdamW():
            # where the decay is not times the rate, `decay_by_itself` does it
            decay = rule.weight_decay if rule.decay_times_rate else 0.0
            decays = [p for p in parameters if rule.decay_on == "all" or p.ndim > 1]
            others = [p for p in parameters if rule.decay_on != "all" and p.ndim == 1]
            groups = [{"params": decays, "weight_decay": decay}, {"params": others}]
            return torch.optim.AdamW(groups, weight_decay=0.0, fused=True, **numbers)
        case AMSGrad(maximum="before_correction"):
            return torch.optim.Adam(parameters, amsgrad=True, fused=True, **numbers)
        case AMSGrad():
            return CorrectedAMSGrad(parameters, **numbers)
        case Nadam():
            # a schedule of infinite decay has its end, beta1, in every step
            decay = math.inf if rule.momentum_decay is None else rule.momentum_decay
            return ExactNAdam(parameters, momentum_decay=decay, **numbers)
        case Adamax(form="epsilon_inside_maximum"):
            return torch.optim.Adamax(parameters, **numbers)
        case Adamax():
            return OutsideMaximumAdamax(parameters, **numbers)
    return torch.optim.Adam(parameters, fused=True, **numbers)


def epsilon_of_step(rule: Optimizer, t: int) -> float | None:
    """Return the library's epsilon in step t, counted from 1, for the epsilon-hat form; else None.

    The library's Adam is algorithm 1, whose denominator is sqrt(v / c2) + epsilon. Epsilon hat's
    is sqrt(v / c2) + epsilon / sqrt(c2), after dividing both by sqrt(c2).
    """
    if isinstance(rule, Adam | AdamW | AMSGrad) and rule.form == "epsilon_hat":
        return rule.epsilon / math.sqrt(1 - rule.beta2**t)
    return None


@torch.no_grad()
def decay_by_itself(rule: Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Apply a decay of AdamW that is not times the rate; the library multiplies it always."""
    if isinstance(rule, AdamW) and not rule.decay_times_rate:
        for w in parameters:
            if rule.decay_on == "all" or w.ndim > 1:
                w.mul_(1 - rule.weight_decay)


@torch.no_grad()
def clip(clipping: Clipping, parameters: Sequence[nn.Parameter]) -> None:
    """Clip gradients in place, by the library's functions where epsilon is theirs."""
    if isinstance(clipping, ValueClipping):
        nn.utils.clip_grad_value_(parameters, clipping.bound)
        return
    groups = [[p] for p in parameters] if clipping.name == "array_norm" else [list(parameters)]
    for group in groups:
        if clipping.epsilon == TORCH_EPSILON:
            nn.utils.clip_grad_norm_(group, clipping.bound)
            continue
        norm = nn.utils.get_total_norm([p.grad for p in group if p.grad is not None])
        factor = (clipping.bound / (norm + clipping.epsilon)).clamp(max=1.0)
        for p in group:
            if p.grad is not None:
                p.grad.mul_(factor)


@torch.no_grad()
def constrain(max_norm: MaxNorm, parameters: Sequence[nn.Parameter]) -> None:
    """Bound the norms of the weights in place. A kernel of `nn.Linear` is (outputs, inputs)."""
    for w in parameters:
        if w.ndim != 2:
            continue
        norm = w.norm(dim=1 if max_norm.of == "units" else 0, keepdim=True)
        within = norm if max_norm.form == "every_norm" else norm + max_norm.epsilon
        wanted = torch.where(norm > max_norm.bound, max_norm.bound, within)
        w.mul_(torch.where(norm > 0, wanted / (norm + max_norm.epsilon), 1.0))


class InsideRootRMSprop(torch.optim.Optimizer):
    """RMSprop as Keras has it: w <- w - rate * g / sqrt(v + epsilon). torch has no such form."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], lr: float, rho: float, eps: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "rho": rho, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter once."""
        for group in self.param_groups:
            for w in group["params"]:
                v = self.state[w].setdefault("v", torch.zeros_like(w))
                v.mul_(group["rho"]).addcmul_(w.grad, w.grad, value=1 - group["rho"])
                w.addcdiv_(w.grad, (v + group["eps"]).sqrt_(), value=-group["lr"])


class ExactNAdam(torch.optim.NAdam):
    """torch's NAdam with its product of momenta in the parameters' dtype.

    The library keeps the product in float32, which is 2e-9 off in float64.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], **numbers: Any) -> None:
        super().__init__(parameters, **numbers)
        for w in parameters:
            self.state[w] = {
                "step": torch.zeros(()),
                "mu_product": torch.ones((), dtype=w.dtype),
                "exp_avg": torch.zeros_like(w),
                "exp_avg_sq": torch.zeros_like(w),
            }


class _OfMoments(torch.optim.Optimizer, ABC):
    """An optimizer with betas, two kinds of memory, and a count of its steps."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], lr: float, betas: tuple[float, float], eps: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})
        self.t = 0

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter once."""
        self.t += 1
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                m = state.setdefault("m", torch.zeros_like(w))
                m.mul_(group["betas"][0]).add_(w.grad, alpha=1 - group["betas"][0])
                c1 = 1 - group["betas"][0] ** self.t
                denominator = self._denominator(w.grad, state, group)
                w.addcdiv_(m, denominator, value=-group["lr"] / c1)

    @abstractmethod
    def _denominator(
        self, g: torch.Tensor, state: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> torch.Tensor:
        """Return what m / c1 is divided by, from the gradient and the state."""


class CorrectedAMSGrad(_OfMoments):
    """AMSGrad as Optax has it: the maximum is of v / c2. torch's is of v."""

    def _denominator(
        self, g: torch.Tensor, state: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> torch.Tensor:
        beta2 = group["betas"][1]
        v = state.setdefault("v", torch.zeros_like(g))
        largest = state.setdefault("largest", torch.zeros_like(g))
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        torch.maximum(largest, v / (1 - beta2**self.t), out=largest)
        return largest.sqrt().add_(group["eps"])


class OutsideMaximumAdamax(_OfMoments):
    """Adamax as Keras has it: epsilon is added in the division. torch adds it in the maximum."""

    def _denominator(
        self, g: torch.Tensor, state: dict[str, torch.Tensor], group: dict[str, Any]
    ) -> torch.Tensor:
        u = state.setdefault("u", torch.zeros_like(g))
        torch.maximum(u.mul_(group["betas"][1]), g.abs(), out=u)
        return u + group["eps"]
