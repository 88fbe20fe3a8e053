"""A library's own solver, which trains on the same data beside the frameworks."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from harness.experiment.fields import Frozen, Name


def _parameter(value: Any) -> Any:
    """Accept text, a truth value, a finite number, or a list of numbers; return it frozen."""
    if isinstance(value, list | tuple) and all(type(item) in (int, float) for item in value):
        return tuple(value)
    if type(value) in (str, bool, int) or (type(value) is float and math.isfinite(value)):
        return value
    raise ValueError(f"must be text, true, false, a number or a list of numbers. Got {value!r}")


Parameter = Annotated[Any, AfterValidator(_parameter)]


class Native(Frozen):
    """A library's own solver on the same data: shown beside the frameworks, never ranked.

    Args:
        framework: a name of the registry's native track, such as `sklearn`.
        estimator: the library's name for the solver.
        parameters: the estimator's parameters that differ from the library's defaults. Each is
            text, true, false, a number or a list of numbers.
    """

    framework: Name
    estimator: Literal[
        "LinearRegression", "LogisticRegression", "MLPClassifier", "Perceptron", "SGDClassifier"
    ]
    parameters: dict[str, Parameter] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The row's `loop`, such as `LogisticRegression(lbfgs)`."""
        solver = self.parameters.get("solver")
        return f"{self.estimator}({solver})" if solver else self.estimator
