"""What else changes a step: an L1 penalty, clipped gradients, and bounded norms of weights."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Frozen, PositiveNumber

NotNegative = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class L1(Frozen):
    """A penalty in the loss: c * sum of |w|, whose gradient is c sign(w), and 0 where w is 0.

    c = strength, divided by the batch's rows if `per_row`. So has Keras's L1, and so is the
    derivative of |w| in torch, JAX and TensorFlow. Scores do not contain it.

    Args:
        on: the weights, or the biases too.
    """

    strength: PositiveNumber
    per_row: Annotated[bool, Field(strict=True)]
    on: Literal["weights", "all"]

    def coefficient(self, rows: int) -> float:
        """Return c for a batch of `rows` rows."""
        return self.strength / (rows if self.per_row else 1)


class ValueClipping(Frozen):
    """Every number of the gradient is cut to [-bound, bound] (Keras's clipvalue).

    Args:
        includes_penalty: whether the gradient of an L1 or L2 penalty is added before the clipping,
            so that it is clipped too (Keras), or after it (torch's `weight_decay`). Stated where
            there is a penalty, and only there.
    """

    name: Literal["value"]
    bound: PositiveNumber
    includes_penalty: Annotated[bool, Field(strict=True)] | None = None


class NormClipping(Frozen):
    """Gradients are multiplied by min(1, bound / (norm + epsilon)) (Pascanu et al. 2013).

    `array_norm`: each array of weights or biases by its own norm (Keras's clipnorm).
    `global_norm`: all by the norm of all their numbers together (torch's `clip_grad_norm_`,
    optax's `clip_by_global_norm`, Keras's global_clipnorm). The norm is the root of the sum of
    squares.

    Args:
        epsilon: 1e-6 in torch; 0 in Keras, optax and TensorFlow.
        includes_penalty: as in `ValueClipping`; it counts for the norm as well.
    """

    name: Literal["array_norm", "global_norm"]
    bound: PositiveNumber
    epsilon: NotNegative
    includes_penalty: Annotated[bool, Field(strict=True)] | None = None


Clipping = Annotated[ValueClipping | NormClipping, Field(discriminator="name")]


class MaxNorm(Frozen):
    """After every update the norms of the weights are bounded, in every layer; biases are not.

    A norm is that of the weights into one unit (`of = "units"`, a column of W; Keras's axis 0), or
    of those out of one input (`of = "inputs"`, a row). Its weights are multiplied by
    min(norm, bound) / (norm + epsilon) in the form `every_norm` (Keras's MaxNorm, with 1e-7, which
    shrinks all a little), or by bound / (norm + epsilon) where the norm is beyond the bound, else
    by 1, in the form `beyond_bound` (torch's `renorm` with 1e-7, TensorFlow's `clip_by_norm` with
    0). Weights whose norm is 0 stay 0.
    """

    bound: PositiveNumber
    of: Literal["units", "inputs"]
    epsilon: NotNegative
    form: Literal["every_norm", "beyond_bound"]
