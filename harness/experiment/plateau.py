"""The table `[training.plateau]`: the learning rate falls when validation gets no better."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Count, Interval, NotNegative


class Plateau(Interval):
    """The rate is multiplied by `factor` after some validations without improvement.

    After every `every_steps` (or `every_epochs`) the loss or the accuracy of the validation rows
    is taken; the loss is the protocol's, without penalty. A value improves on the best so far, b,
    if it is below b - min_delta, or where `relative` below b (1 - min_delta); an accuracy, if it is
    above b + min_delta, or above b (1 + min_delta). It is then the best. After `patience`
    validations in a row that did not improve, the rate of the next step on is max(rate factor,
    min_rate), and the count begins again.

    Keras: `ReduceLROnPlateau`, with `relative` false. PyTorch: `ReduceLROnPlateau`, with `relative`
    true by default, and a patience of one less: it waits for one validation more. Neither's
    cooldown is offered, which is 0 by default.

    Args:
        watched: `loss` or `accuracy`, of the validation rows.
        patience: validations in a row, 1 or more.
        factor: above 0 and below 1.
        min_rate: the rate never falls below it; 0 or more, and below the optimizer's rate.
        min_delta: 0 or more.
        relative: whether `min_delta` is a share of the best.
    """

    watched: Literal["loss", "accuracy"]
    patience: Count
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)]
    min_rate: NotNegative
    min_delta: NotNegative
    relative: Annotated[bool, Field(strict=True)]
