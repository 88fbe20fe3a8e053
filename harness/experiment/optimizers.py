"""The table `[training.optimizer]`: the update rules, each with its formula and its source."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Fraction, Frozen, PositiveNumber


class SGD(Frozen):
    """w <- w - learning_rate * g."""

    name: Literal["sgd"]
    learning_rate: PositiveNumber


class Momentum(Frozen):
    """Momentum (Polyak 1964); v starts at 0.

    Rate outside the velocity (torch): v <- momentum * v + g; w <- w - rate * v.
    Rate inside the velocity (Keras, scikit-learn): v <- momentum * v + rate * g; w <- w - v.
    While the rate is constant both are the same; a protocol whose rate decays must say which.
    """

    name: Literal["momentum"]
    learning_rate: PositiveNumber
    momentum: Annotated[float, Field(strict=True, gt=0, lt=1)]
    rate_inside_velocity: Annotated[bool, Field(strict=True)] | None = None


class Nesterov(Frozen):
    """Nesterov's momentum as the libraries have it (Sutskever et al. 2013, rearranged).

    Rate outside: v <- momentum * v + g; w <- w - rate * (g + momentum * v).
    Rate inside: v <- momentum * v + rate * g; w <- w - rate * g - momentum * v.
    """

    name: Literal["nesterov"]
    learning_rate: PositiveNumber
    momentum: Annotated[float, Field(strict=True, gt=0, lt=1)]
    rate_inside_velocity: Annotated[bool, Field(strict=True)] | None = None


class RMSprop(Frozen):
    """RMSprop (Hinton 2012), with the place of epsilon stated; v starts at 0.

    v <- rho v + (1 - rho) g^2, then `epsilon_outside_root` (torch):
    w <- w - rate * g / (sqrt(v) + epsilon), or `epsilon_inside_root` (Keras):
    w <- w - rate * g / sqrt(v + epsilon).
    """

    name: Literal["rmsprop"]
    learning_rate: PositiveNumber
    rho: Fraction
    epsilon: PositiveNumber
    form: Literal["epsilon_outside_root", "epsilon_inside_root"]


class Adagrad(Frozen):
    """Adagrad (Duchi et al. 2011), with the place of epsilon stated.

    a starts at `initial_accumulator`; a <- a + g^2, then as RMSprop with a for v.
    """

    name: Literal["adagrad"]
    learning_rate: PositiveNumber
    initial_accumulator: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
    epsilon: PositiveNumber
    form: Literal["epsilon_outside_root", "epsilon_inside_root"]


class Adam(Frozen):
    """Adam (Kingma and Ba 2015), with the place of epsilon stated.

    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; both start at 0; t counts
    from 1. With c1 = 1 - beta1^t, c2 = 1 - beta2^t:
    `algorithm_1`: w <- w - rate * (m / c1) / (sqrt(v / c2) + epsilon)   (torch, optax);
    `epsilon_hat`: w <- w - rate * sqrt(c2) / c1 * m / (sqrt(v) + epsilon)   (Keras,
    scikit-learn; the paper's remark before section 2.1).
    """

    name: Literal["adam"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["algorithm_1", "epsilon_hat"]


Optimizer = Annotated[
    SGD | Momentum | Nesterov | RMSprop | Adagrad | Adam, Field(discriminator="name")
]
