"""What may be wrong with a loss: another one, other numbers, another slope at a kink.

Of cross-entropies, what is done to the labels and how classes weigh.
"""

from collections.abc import Iterator
from typing import Any

from harness.experiment.losses import (
    CrossEntropy,
    Hinge,
    HingeLoss,
    Huber,
    LogCosh,
    LossOfValues,
    MeanAbsoluteError,
    MeanSquaredError,
    SquaredHinge,
)
from harness.parity.constant_hypotheses import others
from harness.parity.estimates import Case, gradient_strength
from harness.parity.hypotheses import LOSS, TARGETS, Hypothesis
from harness.parity.switches import Switches
from harness.start import given_loss

TITLES = {
    "mean_squared_error": "the squared error",
    "mean_absolute_error": "the absolute error",
    "huber": "Huber's loss",
    "log_cosh": "log cosh",
    "hinge": "the hinge loss",
    "squared_hinge": "the squared hinge loss",
}
OTHER_DELTAS = (1.0, 0.5, 0.1, 1.35, 1 / 9, 2.0)
"""Defaults: 1 of Keras, PyTorch and Optax, 0.1 and 1.35 of scikit-learn, 1/9 of detectors."""

KINKS = {
    "mean_absolute_error": {1.0: "a = y is -1", -1.0: "a = y is 1"},
    "hinge": {1.0: "y a = 1 is -y", 0.5: "y a = 1 is -y / 2"},
}
"""What libraries have at a kink, by the switch `loss_kink`."""


def loss_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield every mistake of a loss, the plainest first."""
    loss = given_loss(case.experiment)
    if isinstance(loss, CrossEntropy):
        yield from _smoothing(loss, case)
        yield from _weights(loss)
    if not isinstance(loss, LossOfValues):
        return
    for other in _others(loss):
        words = f"the loss is {TITLES[other.name]}, not {TITLES[loss.name]}"
        yield Hypothesis(words, LOSS, Switches(other_loss=other))
    if isinstance(loss, Huber):
        yield from _huber(loss, case)
    yield from _kinks(loss)


def _smoothing(loss: CrossEntropy, case: Case) -> Iterator[Hypothesis]:
    """Labels that are not smoothed, or otherwise."""
    smoothing = loss.label_smoothing
    if smoothing is None:
        return

    def other(**changes: Any) -> Switches:
        changed = smoothing.model_copy(update=changes)
        return Switches(other_loss=loss.model_copy(update={"label_smoothing": changed}))

    none = Switches(other_loss=loss.model_copy(update={"label_smoothing": None}))
    yield Hypothesis("labels are not smoothed", TARGETS, none)
    turned = "other" if smoothing.shared_by == "all_classes" else "all"
    words = {"all": "by all classes, e / k each", "other": "by the other classes, e / (k - 1) each"}
    switches = other(shared_by=f"{turned}_classes")
    yield Hypothesis(f"the smoothing is shared {words[turned]}", TARGETS, switches)
    doubled = gradient_strength(case, other(amount=2 * smoothing.amount))
    if doubled is not None and 1e-6 < 1 + doubled < 1 / smoothing.amount:
        amount = case.digits.plain(smoothing.amount * (1 + doubled))
        words_ = f"labels are smoothed by {amount:.6g}, not {smoothing.amount:.6g}"
        yield Hypothesis(words_, TARGETS, other(amount=amount), estimated=1)


def _weights(loss: CrossEntropy) -> Iterator[Hypothesis]:
    """Classes that weigh the same, or a mean over something else."""
    weights = loss.class_weights
    if weights is None:
        return
    none = Switches(other_loss=loss.model_copy(update={"class_weights": None}))
    yield Hypothesis("all classes weigh the same", LOSS, none)
    if weights.mean_over is not None:
        by_rows = weights.mean_over == "weights"
        turned = weights.model_copy(update={"mean_over": "rows" if by_rows else "weights"})
        words = "the number of rows, not by the sum of their weights"
        if not by_rows:
            words = "the sum of the weights of the rows, not by their number"
        switches = Switches(other_loss=loss.model_copy(update={"class_weights": turned}))
        yield Hypothesis(f"the mean over the batch divides by {words}", LOSS, switches)
    reversed_ = weights.model_copy(update={"values": weights.values[::-1]})
    switches = Switches(other_loss=loss.model_copy(update={"class_weights": reversed_}))
    yield Hypothesis("the weights of the classes are in reversed order", LOSS, switches)


def _others(loss: LossOfValues) -> Iterator[LossOfValues]:
    """The other losses of the same targets, with the same reductions."""
    over: dict[str, Any] = {"batch": loss.batch, "outputs": loss.outputs}
    if isinstance(loss, HingeLoss):
        hinge = Hinge.model_construct(name="hinge", **over)
        squared = SquaredHinge.model_construct(name="squared_hinge", **over)
        yield squared if isinstance(loss, Hinge) else hinge
        return
    if not isinstance(loss, MeanSquaredError):
        for half in (False, True):
            yield MeanSquaredError.model_construct(name="mean_squared_error", half=half, **over)
    if not isinstance(loss, MeanAbsoluteError):
        yield MeanAbsoluteError.model_construct(name="mean_absolute_error", **over)
    if not isinstance(loss, Huber):
        yield Huber.model_construct(name="huber", delta=1.0, over_delta=False, **over)
    if not isinstance(loss, LogCosh):
        yield LogCosh.model_construct(name="log_cosh", **over)


def _huber(loss: Huber, case: Case) -> Iterator[Hypothesis]:
    words = f"Huber's loss is {'not ' if loss.over_delta else ''}divided by delta"
    turned = loss.model_copy(update={"over_delta": not loss.over_delta})
    yield Hypothesis(words, LOSS, Switches(other_loss=turned))
    stated = case.experiment.loss
    assert isinstance(stated, Huber)
    for delta, words in others("delta of Huber's loss", OTHER_DELTAS, stated.delta, case):
        switches = Switches(other_loss=loss.model_copy(update={"delta": delta}))
        yield Hypothesis(words, LOSS, switches, estimated=1)  # a delta never met is none


def _kinks(loss: LossOfValues) -> Iterator[Hypothesis]:
    for kink, words in KINKS.get(loss.name, {}).items():
        text = f"the derivative of {TITLES[loss.name]} where {words}, not 0"
        yield Hypothesis(text, LOSS, Switches(loss_kink=kink))
