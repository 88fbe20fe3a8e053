"""The table `[training.stopping]`: training ends early when validation gets no better."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Count, Interval


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
