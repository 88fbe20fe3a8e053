"""The oracle with mistakes: one switch per known mistake, or convention of another library.

`Mistaken` is the network of `mistaken_network`, which here trains on other rows, updates by other
rules, and returns other things. A diagnosis recognises a mistake by it. With every switch off it
computes the same bits as the plain network.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from harness.experiment.model import Experiment
from harness.experiment.optimizers import (
    SGD,
    Adadelta,
    AdamW,
    Momentum,
    Nadam,
    Nesterov,
)
from harness.parameters import like, map_arrays, map_weights
from harness.parity.functions import Floats
from harness.parity.mistaken_network import MistakenNetwork
from harness.parity.reference import Masks
from harness.parity.reference_updates import Moments, Pairs, constrained
from harness.parity.switches import PROTOCOL, Factors, Switches
from harness.start import float32
from harness.start.rates import learning_rates
from harness.trainer import Array, Batches, Parameters


class Mistaken(MistakenNetwork):
    """The plain network, with the mistakes of its switches.

    Args:
        experiment, parameters, inputs, targets, dtype: as in `Reference`.
        switches: the mistakes.
    """

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        switches: Switches = PROTOCOL,
        dtype: str = "float64",
    ) -> None:
        self.steps_done, self.losses_so_far = 0, 0.0
        super().__init__(experiment, parameters, inputs, targets, switches, dtype)
        self.rule = _other_rule(self.rule, switches)
        self._empty_memory()
        self.sum_of_gradients = map_arrays(np.zeros_like, self.pairs)
        self.before, self.mean = self.pairs, self.pairs
        if switches.averaged == "corrected":
            self.mean = map_arrays(np.zeros_like, self.pairs)

    # ------------------------------------------------------------ rows and losses

    def advance(self, batches: Batches) -> Floats:
        """Train, perhaps on other rows than the given ones, and return losses, perhaps others."""
        if self.switches.accumulated == "within a call":
            self.sum_of_gradients = map_arrays(np.zeros_like, self.pairs)
        losses = super().advance(self._scheduled(self._masked(self._chosen(batches))))
        match self.switches.losses:
            case "mean of a call":
                return np.full_like(losses, losses.mean())
            case "last of a call":
                return np.full_like(losses, losses[-1])
            case "mean so far":
                sums = self.losses_so_far + losses.cumsum()
                self.losses_so_far = float(sums[-1])
                steps = np.arange(self.steps_done - len(losses), self.steps_done) + 1
                means: Floats = sums / steps
                return means
        return losses

    def _chosen(self, batches: Batches) -> Batches:
        """The batches under the switch `rows`."""
        rows, sizes = batches.rows, batches.sizes
        if rows is None:
            return batches
        match self.switches.rows:
            case "given":
                return batches
            case "next":
                rows, sizes = np.roll(rows, -1, axis=0), np.roll(sizes, -1)
            case "previous":
                rows, sizes = np.roll(rows, 1, axis=0), np.roll(sizes, 1)
            case "first batch":
                first = np.zeros(len(rows), int)
                rows, sizes = rows[first], sizes[first]
            case "reversed":
                rows = len(self.inputs) - 1 - rows
            case "in order":
                size = rows.shape[1]
                steps = self.steps_done + np.arange(len(rows))
                first = steps % self.experiment.steps_per_epoch * size
                rows = (first[:, np.newaxis] + np.arange(size)) % len(self.inputs)
        return replace(batches, rows=rows, sizes=sizes)

    def _masked(self, batches: Batches) -> Batches:
        """The batches under the switch `masks`."""
        if self.switches.masks in ("given", "none"):
            return batches
        masks = batches.masks
        match self.switches.masks:
            case "previous":
                masks = tuple(np.roll(m, 1, axis=0) for m in masks)
            case "first step":
                masks = tuple(np.repeat(m[:1], len(m), axis=0) for m in masks)
            case "first row":
                masks = tuple(np.repeat(m[:, :1], m.shape[1], axis=1) for m in masks)
            case "swapped":
                masks = masks[::-1]
            case "flipped":
                masks = tuple(~m for m in masks)
            case "reversed bits":
                bits = (np.unpackbits(m, axis=-1, bitorder="big") for m in masks)
                masks = tuple(np.packbits(b, axis=-1, bitorder="little") for b in bits)
        return replace(batches, masks=masks)

    def _scheduled(self, batches: Batches) -> Batches:
        """The batches with the learning rates of the switches of a schedule."""
        switches, training = self.switches, self.experiment.training
        given = training.schedule if training else None
        as_given = (switches.schedule, switches.rate_of_step, switches.rates_rounded)
        if training is None or given is None or as_given == ("given", 0, True):
            return batches
        steps = self.steps_done + np.arange(len(batches.sizes)) + switches.rate_of_step
        rate = training.optimizer.learning_rate
        rates = learning_rates(
            given if switches.schedule == "given" else switches.schedule,
            rate if switches.rates_rounded else float32(rate),  # as a task has it
            self.experiment.steps_per_epoch,
            np.maximum(steps, 0),
        )
        if switches.rates_rounded:
            rates = rates.astype(np.float32).astype(np.float64)
        return replace(batches, learning_rates=rates)

    def _step(
        self, X: Floats, y: Array, counted: int, rate: float, masks: Masks | None = None
    ) -> float:
        switches = self.switches
        if switches.last_dropped and counted < self.experiment.batch_size and not switches.padding:
            return math.nan
        if switches.dropped_row != "none":
            first = int(switches.dropped_row == "first")
            counted -= 1
            part = slice(first, first + counted)
            X, y = X[part], y[part]
            masks = None if masks is None else [mask[part] for mask in masks]
        self.rate, self.counted = self._rate(rate), counted
        if self.steps_done in switches.reset_at:
            self._empty_memory()
        self.steps_done += 1
        loss = self._trained(X, y, counted, rate, masks)
        if switches.losses == "after":
            return self.loss_and_gradients(X, y, counted, masks=masks)[0]
        return loss

    def _trained(
        self, X: Floats, y: Array, counted: int, rate: float, masks: Masks | None
    ) -> float:
        """One step; at the steps of the switch `every`, as `at_those` says."""
        switches = self.switches
        if not switches.every or not _falls_on(self.steps_done, switches):
            return super()._step(X, y, counted, rate, masks)
        loss, gradients = self.loss_and_gradients(X, y, counted, self.clipping, masks)
        if switches.at_those == "skipped":
            return loss
        self._update(gradients, rate)
        if switches.at_those == "updated twice":
            self._update(gradients, rate)
            return loss
        second = super()._step(X, y, counted, rate, masks)
        return second if switches.at_those == "trained twice, second loss" else loss

    # ------------------------------------------------------------ updates

    def _rate(self, given: float) -> float:
        """The learning rate of a step."""
        switches, step = self.switches, self.steps_done
        rate = given if switches.own_rate is None else switches.own_rate
        rate = rate * switches.rate_scale * switches.rate_decay**step
        if switches.warm_up:
            rate *= min(1.0, (step + switches.warm_up_from) / switches.warm_up)
        return rate

    def _update(self, gradients: Pairs, rate: float) -> None:
        switches, rate = self.switches, self.rate
        self.before = self.pairs
        gradients = self._treated(gradients)
        if self.bound_before is not None:
            self.pairs = constrained(self.bound_before, self.pairs)
        if switches.weight_decay:
            factor = 1 - (1.0 if switches.decay_alone else rate) * switches.weight_decay
            self.pairs = _decayed(self.pairs, factor, switches.decay_biases)
        if switches.decoupled is not None:
            factor = 1 - rate * 2 * switches.decoupled.coefficient(self.counted)
            self.pairs = _decayed(self.pairs, factor, switches.decoupled.on == "all")
        start = self.pairs
        super()._update(gradients, rate)
        if switches.decay_last and isinstance(self.rule, AdamW):
            super()._decay(self.rule, rate)
        if switches.rate_factors:
            moved = map_arrays(lambda after, before: after - before, self.pairs, start)
            moved = _multiplied(moved, switches.rate_factors)
            self.pairs = map_arrays(lambda before, step: before + step, start, moved)
        self.t -= switches.t_step == "never"
        self.pairs = _constrained(self.pairs, switches)
        self._average()

    def _treated(self, gradients: Pairs) -> Pairs:
        """The gradients after what is done to them before the update rule."""
        switches = self.switches
        if switches.accumulated != "no":
            gradients = map_arrays(np.add, self.sum_of_gradients, gradients)
            self.sum_of_gradients = gradients
        if switches.gradient_factors:
            gradients = _multiplied(gradients, switches.gradient_factors)
        if switches.centred:
            gradients = map_weights(lambda g: g - g.mean(axis=0, keepdims=True), gradients)
        return _clipped(gradients, switches)

    def _average(self) -> None:
        a = self.switches.average
        match self.switches.averaged:
            case "exponential" | "corrected":
                self.mean = map_arrays(lambda m, w: a * m + (1 - a) * w, self.mean, self.pairs)
            case "mean":
                t = self.steps_done
                self.mean = map_arrays(lambda m, w: m + (w - m) / t, self.mean, self.pairs)
            case "previous":
                self.mean = self.before

    def parameters(self) -> Parameters:
        """Return copies of the parameters, or their averages."""
        switches = self.switches
        if switches.averaged == "no" or not self.steps_done:
            return super().parameters()
        weight = 1.0
        if switches.averaged == "corrected":
            weight = 1 - switches.average**self.steps_done
        return map_arrays(lambda m: m / weight, self.mean)

    # ------------------------------------------------------------ the update rule

    def _empty_memory(self) -> None:
        super()._empty_memory()
        self.t = self.switches.t_start
        self.is_first_velocity = True

    def _subtracted(self, g: Pairs, rate: float) -> Pairs:
        counted_by_tensor = self.switches.t_step == "tensors"
        steps = (
            self._t_of_every_tensor(g, rate) if counted_by_tensor else super()._subtracted(g, rate)
        )
        self.is_first_velocity = False
        return steps

    def _t_of_every_tensor(self, g: Pairs, rate: float) -> Pairs:
        """The steps of a rule whose t moves with every tensor."""
        memory = self.m, self.v, self.u
        all_steps: list[Pairs] = []
        for _ in range(sum(v is not None for pair in g for v in pair)):
            self.m, self.v, self.u = memory
            all_steps.append(super()._subtracted(g, rate))
            self.t += 1
        self.t -= 1  # `_update` has moved it once
        steps = iter(all_steps)
        return [
            like(
                entry,
                [None if v is None else next(steps)[layer][place] for place, v in enumerate(entry)],
            )
            for layer, entry in enumerate(g)
        ]

    def _velocity(self, mu: float, v: Floats, g: Floats) -> Floats:
        switches = self.switches
        if not switches.dampening or (
            self.is_first_velocity and switches.first_velocity == "whole"
        ):
            return super()._velocity(mu, v, g)
        return mu * v + (1 - switches.dampening) * g

    def _bias_corrections(self, rule: Moments) -> tuple[float, float]:
        """1 - beta^t of both moments, or 1."""
        c1, c2 = super()._bias_corrections(rule)
        c1 = c1 if self.switches.bias_correction in ("both", "first") else 1.0
        c2 = c2 if self.switches.bias_correction in ("both", "second") else 1.0
        return c1, c2

    def _decay(self, rule: AdamW, rate: float) -> None:
        """AdamW's decay, unless it comes after the step."""
        if not self.switches.decay_last:
            super()._decay(rule, rate)

    def _first_moment(self, rule: Moments, g: Pairs) -> Pairs:
        """M, in Nadam perhaps with the momentum of its schedule."""
        if self.switches.nadam != "momentum in m" or not isinstance(rule, Nadam):
            return super()._first_moment(rule, g)
        mu = self._mu(rule, self.t)
        return map_arrays(lambda m, g: mu * m + (1 - mu) * g, self.m, g)

    def _mu_products(self, rule: Nadam, mu: float, next_mu: float) -> tuple[float, float]:
        """p_t and p_(t+1), or powers of one number in their place, or nothing to correct by."""
        p, next_p = super()._mu_products(rule, mu, next_mu)
        match self.switches.nadam:
            case "powers of beta1":
                return float(rule.beta1**self.t), float(rule.beta1 ** (self.t + 1))
            case "same p":
                return p, p
            case "no correction":
                return 0.0, 0.0
        return p, next_p

    def _ratio(self, rule: Adadelta, d: Floats, v: Floats) -> Floats:
        e = rule.epsilon
        match self.switches.adadelta:
            case "swapped":
                return super()._ratio(rule, v, d)
            case "epsilon outside":
                outside: Floats = (np.sqrt(d) + e) / (np.sqrt(v) + e)
                return outside
        return super()._ratio(rule, d, v)

    def _remembered(self, s: Pairs, steps: Pairs) -> Pairs:
        return steps if self.switches.adadelta == "rate in d" else s


def _falls_on(step: int, switches: Switches) -> bool:
    """Whether this step, counted from 1, is one of those of the switch `every`."""
    since = step - switches.offset
    return since >= 0 and since % switches.every == 0


def _decayed(pairs: Pairs, factor: float, with_biases: bool) -> Pairs:
    return (map_arrays if with_biases else map_weights)(lambda w: w * factor, pairs)


def _multiplied(pairs: Pairs, factors: Factors) -> Pairs:
    return map_arrays(lambda w, factor: w * factor, pairs, factors)


def _clipped(gradients: Pairs, switches: Switches) -> Pairs:
    """Gradients clipped entry by entry, or to a norm: of each tensor, or of all."""
    bound = switches.clip_bound
    match switches.clip:
        case "values":
            return map_arrays(lambda g: np.clip(g, -bound, bound), gradients)
        case "each tensor":
            return map_arrays(lambda g: g * _shrinking(float(np.linalg.norm(g)), bound), gradients)
        case "all":
            squares = [float((g**2).sum()) for pair in gradients for g in pair if g is not None]
            factor = _shrinking(math.sqrt(sum(squares)), bound)
            return map_arrays(lambda g: g * factor, gradients)
    return gradients


def _shrinking(norm: float, bound: float) -> float:
    return bound / norm if norm > bound else 1.0


def _constrained(pairs: Pairs, switches: Switches) -> Pairs:
    """Parameters after a constraint on the norm of each unit's weights, or on each number."""
    if switches.max_norm:
        limit, axis = switches.max_norm, switches.norm_axis

        def bounded(W: Floats) -> Floats:
            norm = np.sqrt((W**2).sum(axis=axis, keepdims=True))
            result: Floats = W * np.minimum(1, limit / np.maximum(norm, 1e-300))
            return result

        return map_weights(bounded, pairs)
    if switches.bound:
        return map_arrays(lambda w: np.clip(w, -switches.bound, switches.bound), pairs)
    return pairs


def _other_rule(rule: Any, switches: Switches) -> Any:
    """The optimizer with what the switches put in its place."""
    if switches.other_rule is not None and not isinstance(rule, SGD):  # that shows the gradient
        rule = switches.other_rule
    if switches.added_momentum and isinstance(rule, SGD):
        kind = Nesterov if switches.added_momentum_is_nesterov else Momentum
        rate, momentum = rule.learning_rate, switches.added_momentum
        return kind.model_construct(
            name=kind.__name__.lower(), learning_rate=rate, momentum=momentum
        )
    changes = {name: value for name, value in switches.rule if hasattr(rule, name)}
    return rule.model_copy(update=changes) if changes else rule
