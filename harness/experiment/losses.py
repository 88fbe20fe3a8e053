"""The losses of `[training]`: of what they take, of which form, and what is averaged.

Losses of values compare an output a, behind whatever activation, with a target y. Cross-entropies
take logits and contain their own sigmoid or softmax. A loss states whether it is the mean or the
sum over the rows of a batch (`batch`) and over the outputs of a row (`outputs`): libraries differ
in both.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.experiment.fields import Fraction, Frozen, PositiveNumber

Reduction = Literal["mean", "sum"]


class MeanSquaredError(Frozen):
    """(a - y)^2 per output, halved if `half`."""

    takes_logits: ClassVar[bool] = False
    name: Literal["mean_squared_error"]
    half: Annotated[bool, Field(strict=True)]
    batch: Reduction
    outputs: Reduction


class MeanAbsoluteError(Frozen):
    """|a - y| per output; its derivative where a = y is 0. That of JAX's `abs` is 1 there."""

    takes_logits: ClassVar[bool] = False
    name: Literal["mean_absolute_error"]
    batch: Reduction
    outputs: Reduction


class Huber(Frozen):
    """(a - y)^2 / 2 where |a - y| <= delta, else delta (|a - y| - delta / 2), per output.

    Huber, Robust Estimation of a Location Parameter (1964), section 4. Keras's and PyTorch's
    Huber losses, Optax's, TensorFlow 1's and that of scikit-learn's `SGDRegressor` are this.
    PyTorch's `SmoothL1Loss` divides it by delta, which it calls beta.

    Args:
        name, batch, outputs: see `[training]`.
        delta: where the square ends and the line begins.
        over_delta: whether the loss is divided by delta.
    """

    takes_logits: ClassVar[bool] = False
    name: Literal["huber"]
    delta: PositiveNumber
    over_delta: Annotated[bool, Field(strict=True)]
    batch: Reduction
    outputs: Reduction


class LogCosh(Frozen):
    """log(cosh(a - y)) per output: about half a square near 0, and far from it |a - y| - log 2."""

    takes_logits: ClassVar[bool] = False
    name: Literal["log_cosh"]
    batch: Reduction
    outputs: Reduction


class Hinge(Frozen):
    """max(1 - y a, 0) per output, of targets -1 and 1; its derivative where y a = 1 is 0.

    Several outputs are several such losses, one for each class against the others. Libraries
    agree on the value and not on the derivative at the kink: that of PyTorch's `clamp` and of
    TensorFlow's `maximum` there is -y, that of JAX's `maximum` -y / 2.
    """

    takes_logits: ClassVar[bool] = False
    name: Literal["hinge"]
    batch: Reduction
    outputs: Reduction


class SquaredHinge(Frozen):
    """max(1 - y a, 0)^2 per output, of targets -1 and 1."""

    takes_logits: ClassVar[bool] = False
    name: Literal["squared_hinge"]
    batch: Reduction
    outputs: Reduction


class LabelSmoothing(Frozen):
    """Targets between the classes. An output of a binary cross-entropy has two: 1 and 0.

    With e = `amount` and k classes, `all_classes` makes targets (1 - e) y + e / k of y = 1 for the
    class of the row and 0 for the others (Szegedy et al., 2016, section 7). So do Keras, PyTorch,
    Optax and TensorFlow 1. `other_classes` leaves 1 - e to the class of the row and gives each of
    the others e / (k - 1), as fairseq does.

    Args:
        amount: e, above 0 and below 1; with `other_classes` below 1 - 1 / k.
        shared_by: the classes that share it.
    """

    amount: Annotated[Fraction, Field(gt=0)]
    shared_by: Literal["all_classes", "other_classes"]

    @model_validator(mode="before")
    @classmethod
    def _is_a_table(cls, values: Any) -> Any:
        if isinstance(values, int | float):
            raise ValueError(
                'must say who shares it: { amount = 0.1, shared_by = "all_classes" } as in Keras '
                f"and PyTorch. Got {values}"
            )
        return values

    def share(self, classes: int) -> float:
        """Return s with which the targets are (1 - s) y + s / classes in either form."""
        return self.amount * (1 if self.shared_by == "all_classes" else classes / (classes - 1))


class ClassWeights(Frozen):
    """The loss of each row is multiplied by the weight of its class.

    Args:
        values: the weights, above 0, in the order of the classes.
        mean_over: what a mean over the batch divides by: the sum of the `weights` of its rows, as
            PyTorch's `weight` does, or the number of its `rows`, as Keras's `class_weight` and
            PyTorch's `pos_weight` do. To be stated where `batch` is `mean`, and only there.
    """

    values: tuple[PositiveNumber, ...]
    mean_over: Literal["weights", "rows"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_table(cls, values: Any) -> Any:
        if isinstance(values, list | tuple):
            raise ValueError(
                'must say what a mean divides by: { values = [1.0, 2.0], mean_over = "weights" } '
                f'as in PyTorch, "rows" as in Keras. Got a list of {len(values)}'
            )
        return values


class BinaryCrossEntropy(Frozen):
    """-y log p - (1 - y) log(1 - p) per output, p = sigmoid(logit).

    Args:
        name, batch, outputs: see `[training]`.
        label_smoothing: what becomes of the targets 0 and 1; nothing by default.
        class_weights: of a single output; none by default.
        behind_activation: whether the last layer's activation comes before this sigmoid, as in
            code that applies both. Then logit = activation(z); false by default.
    """

    takes_logits: ClassVar[bool] = True
    name: Literal["binary_cross_entropy"]
    batch: Reduction
    outputs: Reduction
    label_smoothing: LabelSmoothing | None = None
    class_weights: ClassWeights | None = None
    behind_activation: Annotated[bool, Field(strict=True)] = False


class SoftmaxCrossEntropy(Frozen):
    """-log p[label] per row, p = softmax(logits).

    With smoothed labels it is - sum y_k log p_k over the classes k of targets y.

    Args:
        name, batch: see `[training]`.
        label_smoothing: what becomes of the labels; nothing by default.
        class_weights: none by default.
        behind_activation: whether the last layer's activation comes before this softmax, as in
            code that applies both. Then logits = activation(z); false by default.
    """

    takes_logits: ClassVar[bool] = True
    name: Literal["softmax_cross_entropy"]
    batch: Reduction
    label_smoothing: LabelSmoothing | None = None
    class_weights: ClassWeights | None = None
    behind_activation: Annotated[bool, Field(strict=True)] = False


HingeLoss = Hinge | SquaredHinge
"""Losses of targets -1 and 1."""
LossOfValues = MeanSquaredError | MeanAbsoluteError | Huber | LogCosh | HingeLoss
CrossEntropy = BinaryCrossEntropy | SoftmaxCrossEntropy
"""Losses of logits."""
LossOfOutputs = LossOfValues | BinaryCrossEntropy
"""Losses that are taken output by output."""
Loss = Annotated[LossOfOutputs | SoftmaxCrossEntropy, Field(discriminator="name")]
