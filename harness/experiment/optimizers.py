"""The table `[training.optimizer]`: the update rules, each with its formula and its source."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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


class AdamW(Frozen):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), the size of the decay stated.

    In every step w <- w - rate * weight_decay * w where `decay_times_rate` (torch, Keras, optax),
    or w <- w - weight_decay * w (the paper's algorithm 2, with a constant multiplier of 1). To the
    same w Adam's step of this `form` is applied, of the gradient g alone: the decay is no part of
    g, so that m and v do not contain it.

    Args:
        weight_decay: the decay of a step, above 0.
        decay_times_rate: whether the decay of a step is multiplied by its learning rate.
        decay_on: the weights, or the biases too (the default of all three libraries).
    """

    name: Literal["adamw"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["algorithm_1", "epsilon_hat"]
    weight_decay: PositiveNumber
    decay_times_rate: Annotated[bool, Field(strict=True)]
    decay_on: Literal["weights", "all"]


class AMSGrad(Frozen):
    """AMSGrad (Reddi et al. 2018): Adam with the largest v so far, u, in place of v.

    u starts at 0. `before_correction` (torch, Keras): u <- max(u, v). `after_correction` (optax):
    a <- max(a, v / c2), from 0, and u = c2 a. The form says what is done with u in place of v:
    torch and optax have `algorithm_1`, Keras has `epsilon_hat`. The paper has no bias correction.
    """

    name: Literal["amsgrad"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["algorithm_1", "epsilon_hat"]
    maximum: Literal["before_correction", "after_correction"]


class Nadam(Frozen):
    """Nadam (Dozat 2016): Adam with Nesterov's momentum; its schedule of the momentum stated.

    m and v as in Adam. With p_t = mu_1 mu_2 ... mu_t and c2 = 1 - beta2^t:
    w <- w - rate * (mu_(t+1) m / (1 - p_(t+1)) + (1 - mu_t) g / (1 - p_t)) / (sqrt(v / c2) +
    epsilon). `scheduled_momentum` (Keras, torch): mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2);
    `constant_momentum` (optax): mu_t = beta1, so p_t = beta1^t. The paper's m has mu_t in place of
    beta1, which no library has.

    Args:
        momentum_decay: how fast the schedule grows, for `scheduled_momentum` alone; Keras has 1,
            torch 0.004 by default.
    """

    name: Literal["nadam"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["scheduled_momentum", "constant_momentum"]
    momentum_decay: PositiveNumber | None = None

    @model_validator(mode="after")
    def _decay_of_schedule(self) -> Self:
        if (self.form == "scheduled_momentum") != (self.momentum_decay is not None):
            raise ValueError(
                "momentum_decay: state it for form 'scheduled_momentum' (1.0 in Keras, 0.004 in "
                f"PyTorch) and leave it out for 'constant_momentum'. Got {self.momentum_decay} "
                f"with {self.form!r}"
            )
        return self


class Adamax(Frozen):
    """Adamax (Kingma and Ba 2015, section 7.1), with the place of epsilon stated.

    m as in Adam; u starts at 0; c1 = 1 - beta1^t. `epsilon_inside_maximum` (torch, optax):
    u <- max(beta2 u, |g| + epsilon); w <- w - rate / c1 * m / u. `epsilon_outside_maximum`
    (Keras): u <- max(beta2 u, |g|); w <- w - rate / c1 * m / (u + epsilon). The paper has none.
    """

    name: Literal["adamax"]
    learning_rate: PositiveNumber
    beta1: Fraction
    beta2: Fraction
    epsilon: PositiveNumber
    form: Literal["epsilon_inside_maximum", "epsilon_outside_maximum"]


class Adadelta(Frozen):
    """Adadelta (Zeiler 2012) with a learning rate, which is 1 in the paper.

    v <- rho v + (1 - rho) g^2; s = sqrt(d + epsilon) / sqrt(v + epsilon) * g;
    d <- rho d + (1 - rho) s^2, of s without the rate; w <- w - rate * s. v and d start at 0.
    Epsilon is inside both roots, as in the paper, torch, Keras, optax and TensorFlow 1.
    """

    name: Literal["adadelta"]
    learning_rate: PositiveNumber
    rho: Fraction
    epsilon: PositiveNumber


Optimizer = Annotated[
    SGD
    | Momentum
    | Nesterov
    | RMSprop
    | Adagrad
    | Adam
    | AdamW
    | AMSGrad
    | Nadam
    | Adamax
    | Adadelta,
    Field(discriminator="name"),
]
