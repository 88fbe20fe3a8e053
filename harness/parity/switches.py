"""The switches of the oracle with mistakes: one per known mistake, or convention of a library.

Every default is the protocol. What the switches do stands in `mistakes` (rows, steps, the
optimizer, what is returned) and in `mistaken_network` (forward, loss, backward).
"""

from dataclasses import dataclass
from typing import Any, Literal

from harness.experiment.gradients import L1, Clipping, MaxNorm
from harness.experiment.losses import Loss
from harness.experiment.network import Dense
from harness.experiment.optimizers import Optimizer
from harness.experiment.schedules import Schedule
from harness.experiment.training import L2

Scale = float | Literal["rows", "1/rows", "outputs", "1/outputs"]
DropoutScale = Literal[
    "right", "1", "1 - rate", "rate", "1 / (1 - rate)", "1 / (1 - rate)^2", "1 / rate"
]
ImageMistake = Literal[
    "none",
    "kernels turned",
    "kernels transposed",
    "images transposed",
    "images channels first",
    "more zeros above",
    "all zeros above",
    "all zeros below",
    "mean for largest",
    "largest for mean",
    "sum for mean",
    "every largest",
    "other order",
    "columns first",
]
Factors = tuple[tuple[float, ...], ...]
"""Per layer a factor for each of its arrays, for weights and biases."""


@dataclass(frozen=True)
class Switches:
    """What the network does differently from the protocol.

    Args:
        transposed: the kernel of this layer, or of all, is read as (outputs, inputs), the layout
            of torch.
        biases: as given, absent, or started at zero.
        bias_factor, bias_by_hand: biases are added this many times; their gradient may forget it.
        activation, activation_scale: hidden layers have this one instead, times this.
        output: the last layer has this activation instead.
        input_scale, inputs: inputs are multiplied by this; or have their mean taken away, and
            are divided by their standard deviation, column by column or as a whole.
        inputs_where: in training and prediction, or in one of them.
        product_bits, products_where: operands of matrix products are rounded to this many
            significant bits.
        predicts: what `predict` returns.
        other_loss: this loss is in place of the protocol's.
        loss_kink: the derivative of a hinge at its kink is so far from 0 to the other side; that
            of an absolute error so far to the derivative below the kink.
        gradient_scale: the gradient of the loss is multiplied by this number, or by a count of
            the batch; the gradient of a penalty is not.
        loss_scale, returned_scale: the returned loss is multiplied likewise, without the penalty
            or with it.
        softmax_twice: the loss takes softmax probabilities for logits.
        softmax_over: what the softmax of the loss sums over: a row, the whole batch, a column.
        clipped: the loss takes probabilities clipped to [clipped, 1 - clipped].
        log_epsilon: the loss takes log(p + log_epsilon).
        by_hand: the gradient is p - y whatever the loss.
        pairs_all: squared errors are taken of every output with every target, (N, 1) - (N,).
        smoothing: labels are smoothed by this.
        targets: the next or previous class, 1 - y, 0 and 1 in place of the numbers for "no" and
            "yes", or those of the next or previous row.
        class_weights, weights_normalised: rows weigh by class; a mean may divide by their sum.
        divisor, divisor_more: means divide by the rows that count, or by those of a whole batch;
            or by this many rows more.
        slope_missing: no derivative of the activation of the output, or of hidden layers, or of
            these in the gradient of their biases alone.
        slope_at_outputs: the derivative of hidden activations is taken at their outputs: f'(f(z)).
        kink: the derivative at a kink is so far from the stated one to that of the other side:
            for ReLU the derivative itself.
        early_kernels: a kernel is updated before the error is sent back through it.
        no_penalty, penalty, penalty_where: the protocol's penalty is left out; another one is
            added, to loss and gradient or to one of them.
        coupled, coupled_where: AdamW's decay is this penalty, in the gradient or in the loss too.
        decoupled: this penalty decays the parameters instead of being in the gradient.
        penalty_rows_more: a penalty divides by this many rows more than count.
        l1: strength of a penalty on |w|, in the gradient.
        other_l1: this L1 penalty, or none, is in place of the protocol's.
        sign_of_zero: what the gradient of |w| is at 0.
        other_clipping: this clipping, or none, is in place of the protocol's.
        other_max_norm, max_norm_first: this bound of norms, or none, is in place of the
            protocol's; or the bound is applied before the update.
        rows: the rows of a step are others than the given ones.
        last_dropped: short batches are left out.
        padding: padded rows count like real ones.
        dropped_row: this row of every batch is left out.
        every, offset, at_those: steps `offset`, `offset + every`, ... are trained twice (the
            loss returned is the first or the second), skipped, or updated twice with one
            gradient. Steps count from 1.
        accumulated: gradients are added to those before; perhaps anew in every call.
        clip, clip_bound: gradients are clipped to this bound: their values, the norm of each
            tensor, or that of all.
        centred: gradients of kernels have the mean over the inputs taken away.
        gradient_factors, rate_factors: gradients, or updates, of each tensor are multiplied.
        masks: the masks of dropout layers are others than the given ones: of the step before or of
            the first of a call, that of the first row for all rows, those of dropout layers in
            reverse order, the bits of each byte in reverse order, kept for dropped, or none.
        dropout_missing: this dropout layer is not there.
        dropout_scale, prediction_scale: what kept numbers are multiplied by in training, and all
            numbers in prediction.
        dropout_slope: the way back through a dropout layer has the factors of the masks, 1, the
            mask without its scale, or the scale without its mask.
        images: kernels are turned by 180 degrees, or their rows and columns swapped; input images
            are read column by column, or with their channels first; padding stands on other
            sides; pooling takes another kind, or the gradient to every largest number; flatten
            takes the other order, or goes column by column.
        climbs: updates go up the gradient.
        own_rate: this learning rate replaces the given ones.
        rate_scale, rate_decay: the learning rate is multiplied by this, once or in every step.
        schedule: the learning rates are those of another schedule; None is a constant rate.
        rate_of_step: the rate is that of so many steps later, or earlier below 0.
        rates_rounded: whether the rates of a schedule are rounded to float32, as those given are.
        warm_up, warm_up_from: the rate grows over this many steps, from this part of a step.
        other_rule: this optimizer stands in place of the protocol's.
        rule: constants and forms of the optimizer that are others, by name.
        added_momentum, added_momentum_is_nesterov: plain SGD has this momentum.
        dampening, first_velocity: momentum takes (1 - dampening) of each gradient, perhaps all
            of the first.
        bias_correction: which moments of Adam and its relatives have it.
        t_step, t_start: how far their t moves in a step, and where it starts.
        decay_last: AdamW's decay comes after the step, and takes from it too.
        nadam: Nadam's m has the momentum of the schedule; its p are powers of beta1, the same for
            m and g, or 0.
        adadelta: its two averages are swapped, epsilon is outside the roots, or d averages steps
            that were multiplied by the rate.
        reset_at: the optimizer's memory is emptied before these steps, counted from 0.
        weight_decay, decay_biases, decay_alone: decoupled weight decay, w <- w - rate * decay * w,
            or without the rate.
        max_norm, norm_axis: the norm of the weights of each unit is at most this.
        bound: every parameter is clipped to [-bound, bound].
        averaged, average: parameters are returned as averages, exponential with this factor.
        losses: which losses are returned.
    """

    transposed: int | Literal["all"] | None = None
    biases: Literal["given", "missing", "zero"] = "given"
    bias_factor: float = 1.0
    bias_by_hand: bool = False
    activation: Dense | None = None
    activation_scale: float = 1.0
    output: Dense | None = None
    input_scale: float = 1.0
    inputs: Literal["given", "centred", "standardised", "standardised as a whole"] = "given"
    inputs_where: Literal["everywhere", "training", "predict"] = "everywhere"
    product_bits: int | None = None
    products_where: Literal["everywhere", "training", "forward", "forward in training"] = (
        "everywhere"
    )
    predicts: Literal[
        "raw", "probabilities", "log probabilities", "reversed", "rows reversed", "negated"
    ] = "raw"
    other_loss: Loss | None = None
    loss_kink: float = 0.0
    gradient_scale: Scale = 1.0
    loss_scale: Scale = 1.0
    returned_scale: Scale = 1.0
    softmax_twice: bool = False
    softmax_over: Literal["row", "batch", "column"] = "row"
    clipped: float = 0.0
    log_epsilon: float = 0.0
    by_hand: bool = False
    pairs_all: bool = False
    smoothing: float = 0.0
    targets: Literal[
        "given", "next class", "previous class", "flipped", "0 and 1", "next row", "previous row"
    ] = "given"
    class_weights: tuple[float, ...] = ()
    weights_normalised: bool = False
    divisor: Literal["counted", "nominal"] = "counted"
    divisor_more: int = 0
    slope_missing: Literal["none", "output", "hidden", "all", "hidden biases"] = "none"
    slope_at_outputs: bool = False
    kink: float = 0.0
    early_kernels: bool = False
    no_penalty: bool = False
    penalty: L2 | None = None
    penalty_where: Literal["both", "gradient", "loss"] = "both"
    coupled: L2 | None = None
    coupled_where: Literal["both", "gradient"] = "gradient"
    decoupled: L2 | None = None
    penalty_rows_more: int = 0
    l1: float = 0.0
    other_l1: L1 | Literal["given"] | None = "given"
    sign_of_zero: float = 0.0
    other_clipping: Clipping | Literal["given"] | None = "given"
    other_max_norm: MaxNorm | Literal["given"] | None = "given"
    max_norm_first: bool = False
    rows: Literal["given", "next", "previous", "in order", "first batch", "reversed"] = "given"
    last_dropped: bool = False
    padding: bool = False
    dropped_row: Literal["none", "first", "last"] = "none"
    every: int = 0
    offset: int = 0
    at_those: Literal["trained twice", "trained twice, second loss", "skipped", "updated twice"] = (
        "trained twice"
    )
    accumulated: Literal["no", "always", "within a call"] = "no"
    clip: Literal["no", "values", "each tensor", "all"] = "no"
    clip_bound: float = 0.0
    centred: bool = False
    gradient_factors: Factors = ()
    rate_factors: Factors = ()
    masks: Literal[
        "given",
        "previous",
        "first step",
        "first row",
        "swapped",
        "reversed bits",
        "flipped",
        "none",
    ] = "given"
    dropout_missing: int | None = None
    dropout_scale: DropoutScale = "right"
    prediction_scale: DropoutScale = "right"
    dropout_slope: Literal["right", "one", "mask", "scale"] = "right"
    images: ImageMistake = "none"
    climbs: bool = False
    own_rate: float | None = None
    rate_scale: float = 1.0
    rate_decay: float = 1.0
    schedule: Schedule | Literal["given"] | None = "given"
    rate_of_step: int = 0
    rates_rounded: bool = True
    warm_up: int = 0
    warm_up_from: Literal[0, 1] = 1
    other_rule: Optimizer | None = None
    rule: tuple[tuple[str, Any], ...] = ()
    added_momentum: float = 0.0
    added_momentum_is_nesterov: bool = False
    dampening: float = 0.0
    first_velocity: Literal["dampened", "whole"] = "dampened"
    bias_correction: Literal["both", "none", "first", "second"] = "both"
    t_step: Literal["steps", "tensors", "never"] = "steps"
    t_start: int = 0
    decay_last: bool = False
    nadam: Literal["right", "momentum in m", "powers of beta1", "same p", "no correction"] = "right"
    adadelta: Literal["right", "swapped", "epsilon outside", "rate in d"] = "right"
    reset_at: frozenset[int] = frozenset()
    weight_decay: float = 0.0
    decay_biases: bool = True
    decay_alone: bool = False
    max_norm: float = 0.0
    norm_axis: int = 0
    bound: float = 0.0
    averaged: Literal["no", "exponential", "corrected", "mean", "previous"] = "no"
    average: float = 0.0
    losses: Literal[
        "each", "after", "mean of a call", "last of a call", "mean so far", "without penalty"
    ] = "each"


PROTOCOL = Switches()
