"""The table `[training.stopping]`: training ends early when validation gets no better."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Count, Interval, NotNegative


class Patience(Interval):
    """Early stopping by patience, as in the deeplearning.net tutorials.

    Iterations count from 0. After every `every_steps` (or `every_epochs`) the validation error
    is taken. An error below the best so far becomes the best, and the test score of these
    parameters is stored. If the error is also below `threshold` times the previous best,
    patience becomes max(patience, iteration * growth). Training ends after the first iteration
    that is at least patience, or at the length. Source: `logistic_sgd.py` of the tutorials (LISA
    lab), where patience is 5000, growth 2 (`patience_increase`) and threshold 0.995.

    Args:
        name: `patience`, the only rule.
        patience_steps: the patience at the start, in steps.
        growth: the factor on the iteration of an improvement, 1 to 1000.
        threshold: above 0 and at most 1; patience grows only where an error is below this share
            of the previous best.
    """

    name: Literal["patience"]
    patience_steps: Count
    growth: Annotated[float, Field(strict=True, ge=1, le=1000)]
    threshold: Annotated[float, Field(strict=True, gt=0, le=1)]


class NoImprovement(Interval):
    """Early stopping after some validations without improvement, as Keras's `EarlyStopping` has it.

    After every `every_steps` (or `every_epochs`) the loss or the accuracy of the validation rows
    is taken; the loss is the protocol's, without penalty. A value improves if it is better than
    the best so far by more than `min_delta`: loss + min_delta < best, or accuracy - min_delta >
    best. It is then the best. Training ends after `patience` validations in a row that did not
    improve, or at the length.

    Args:
        name: `no_improvement`.
        watched: `loss` or `accuracy`, of the validation rows.
        patience: validations in a row, 1 or more. scikit-learn's `n_iter_no_change` waits for
            one more.
        min_delta: 0 or more; below it a change is none.
        restore: whose parameters are scored at the end. `never`: the last ones. `always`: those
            of the best validation (Keras 3). `if_stopped`: these only where training ended
            before its length (Keras 2).
    """

    name: Literal["no_improvement"]
    watched: Literal["loss", "accuracy"]
    patience: Count
    min_delta: NotNegative
    restore: Literal["never", "always", "if_stopped"]


Stopping = Annotated[Patience | NoImprovement, Field(discriminator="name")]
