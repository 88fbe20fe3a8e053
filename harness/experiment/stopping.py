"""When training ends before its length, because validation no longer gets better."""

from typing import Annotated, Literal

from pydantic import Field

from harness.experiment.fields import Count, Interval


class Patience(Interval):
    """Early stopping by patience, as the deeplearning.net tutorials have it.

    Iterations count from 0. After every `every_steps` (or `every_epochs`) the validation error
    is taken. If it is below the best so far it is the best, and the test score of these
    parameters is kept; if it is even below `threshold` times the best before, patience becomes
    max(patience, iteration * growth). Training ends after the first iteration that is at least
    patience, or at the length. Source: `logistic_sgd.py` of the tutorials (LISA lab), where
    patience is 5000, growth 2 (`patience_increase`) and threshold 0.995.

    Args:
        patience_steps: the patience to begin with.
        growth: how many times as long as until now an improvement is worth waiting.
        threshold: an error that is not below this share of the best is no improvement that
            patience grows by.
    """

    name: Literal["patience"]
    patience_steps: Count
    growth: Annotated[float, Field(strict=True, ge=1, le=1000)]
    threshold: Annotated[float, Field(strict=True, gt=0, le=1)]
