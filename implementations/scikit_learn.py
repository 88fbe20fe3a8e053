"""The scikit-learn adapters: its perceptron driven batch by batch, and its own solvers.

Identical track, with the perceptrons `MLPClassifier` and `MLPRegressor`. Loops: `idiomatic` is
`partial_fit` on one batch, without shuffling, which is exactly one update. `stepwise` calls what
`partial_fit` comes down to, the library's back-propagation and its optimizer, on the batch. It
leaves out what `partial_fit` repeats around them: it validates the data and makes labels
indicators once, for all rows, and keeps no record of losses.

The given start replaces what the library initialised, and every default that would change the
computation is off: L2 (`alpha`), momentum and Nesterov, shuffling, early stopping.

Private to the library, and pinned by `tests/implementations/test_scikit_learn.py`: in both loops
`_optimizer`, whose learning rate and epsilon are set in each step, and `_forward_pass_fast`; in
`stepwise` also `_validate_input`, `_backprop` and the optimizer's `update_params`.

Its gradient is that of sum-over-outputs, mean-over-rows losses, squared error halved. Where the
protocol's loss is c times that, the learning rate is multiplied by c; for Adam, which does not
see a constant factor but through epsilon, epsilon is divided by c. The loss it reports (not its
gradient) is taken of probabilities clipped at the dtype's eps: exact up to logits of 36 in
float64, 15 in float32.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from harness.trainer import (
    SGD,
    Adam,
    Array,
    Batches,
    CrossEntropy,
    DeviceUnavailableError,
    Experiment,
    Loss,
    MeanSquaredError,
    Momentum,
    NativeTask,
    NativeTrainer,
    Nesterov,
    Operands,
    Parameters,
    SoftmaxCrossEntropy,
    StepTrainer,
    Task,
)

ACTIVATIONS = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
ESTIMATORS = {
    "LinearRegression": LinearRegression,
    "LogisticRegression": LogisticRegression,
    "MLPClassifier": MLPClassifier,
    "Perceptron": Perceptron,
    "SGDClassifier": SGDClassifier,
}


class NoPenalty(float):
    """alpha = 0. Its product with a sum of squares is 0 even where that sum overflows.

    The library multiplies them in every step; 0 times infinity would make its loss NaN.
    """

    def __mul__(self, other: Any) -> Any:
        return self if np.ndim(other) == 0 else float(self) * other

    __rmul__ = __mul__


class SklearnTrainer(StepTrainer):
    """The library's perceptron, one batch at a time."""

    loops = ("idiomatic", "stepwise")

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return what scikit-learn's perceptron cannot express, or None."""
        hidden = {layer.activation for layer in experiment.network.dense_layers[:-1]}
        if not all(layer.bias for layer in experiment.network.dense_layers):
            return "scikit-learn's perceptron always has biases"
        if len(hidden) > 1:
            return "scikit-learn's perceptron has one activation for all hidden layers"
        if not hidden <= set(ACTIVATIONS):
            return f"scikit-learn's perceptron has no {', '.join(sorted(hidden))} activation"
        if experiment.network.output_layer.activation != "identity":
            return "scikit-learn's perceptron chooses its output activation by the loss"
        training = experiment.training
        if training is None:
            return None
        if not (training.loss.takes_logits or isinstance(training.loss, MeanSquaredError)):
            return f"scikit-learn's perceptron has no {training.loss.name} loss"
        if isinstance(training.loss, CrossEntropy) and training.loss.label_smoothing is not None:
            return "scikit-learn's perceptron takes classes, not smoothed labels"
        if isinstance(training.loss, CrossEntropy) and training.loss.class_weights is not None:
            return "scikit-learn's perceptron has no weights of classes"
        is_softmax = isinstance(training.loss, SoftmaxCrossEntropy)
        if is_softmax and experiment.network.outputs == 2:
            return "scikit-learn's perceptron has one sigmoid output for two classes, no softmax"
        if not isinstance(training.optimizer, SGD | Momentum | Nesterov | Adam):
            return f"scikit-learn's perceptron has no {training.optimizer.name}"
        if training.l2 is not None and training.l2.on == "all":
            return "scikit-learn's perceptron never penalises biases"
        if training.l1 is not None:
            return "scikit-learn's perceptron has no L1 penalty"
        if training.clipping is not None:
            return "scikit-learn's perceptron does not clip gradients"
        if training.max_norm is not None:
            return "scikit-learn's perceptron does not bound the norms of weights"
        if not isinstance(training.optimizer, Adam):
            return None
        if training.loss.batch == "sum" and experiment.has_short_batch:
            return "under Adam a loss summed over batches of unequal size cannot be rescaled"
        return None

    def __init__(self, task: Task) -> None:
        if task.device == "cuda":
            raise DeviceUnavailableError("scikit-learn's perceptron computes on the CPU only")
        sklearn.set_config(assume_finite=True, skip_parameter_validation=True)
        self.task = task
        self.model = _perceptron(task)
        self.model.coefs_ = [np.array(weights) for weights, _ in task.parameters]
        self.model.intercepts_ = [np.array(biases) for _, biases in task.parameters]
        self.steps_done, self.rate = 0, 0.0
        self.rate_is_outside = False
        if task.loss is None or task.optimizer is None or task.targets is None:
            return  # a network that only predicts
        self.loss, self.rule = task.loss, task.optimizer
        if isinstance(self.rule, Momentum | Nesterov):
            self.rate_is_outside = not self.rule.rate_inside_velocity
        self.optimizer = self.model._optimizer = _optimizer(self.model)
        # unlike its gradient, the library's squared error is a mean over outputs
        self.averaged_outputs = (
            task.network.outputs if isinstance(task.loss, MeanSquaredError) else 1
        )
        self.targets = task.targets.ravel() if task.network.outputs == 1 else task.targets
        self.update = self._partial_fit
        if task.loop == "stepwise":
            self.update = self._backprop_and_update
            self._prepare_backprop()

    # ------------------------------------------------------------ loss and update

    def _set_constants(self, rate: float, factor: float) -> None:
        """Put this step's learning rate and epsilon into the optimizer."""
        rule, optimizer = self.rule, self.optimizer
        if isinstance(rule, Adam):
            epsilon = rule.epsilon / factor
            if rule.form == "algorithm_1":
                epsilon *= math.sqrt(1 - rule.beta2**self.steps_done)
            optimizer.learning_rate_init, optimizer.epsilon = rate, epsilon
            return
        if self.rate_is_outside:
            rate = rate or 1.0  # under 0 the velocity would be lost; `_step` undoes the update
            if self.rate and rate != self.rate:
                # the library's velocity has the rate inside: exchange the old rate for the new one
                scale = rate / self.rate
                optimizer.velocities = [scale * velocity for velocity in optimizer.velocities]
            self.rate = rate
        optimizer.learning_rate = rate * factor

    def _step(self, x: Array, y: Array, rate: float) -> float:
        """Update once. Return the loss in the protocol's reduction."""
        self.steps_done += 1
        rows, penalty = len(x), 0.0
        factor = _gradient_factor(self.loss, self.task.network.outputs, rows)
        self._set_constants(rate, factor)
        if self.task.l2 is not None:
            # the library's penalty is alpha / (2 rows) * sum W^2; c multiplies it with the rest
            self.model.alpha = 2 * rows * self.task.l2.coefficient(rows) / factor
            squares = sum(np.dot(w.ravel(), w.ravel()) for w in self.model.coefs_)
            penalty = self.model.alpha / (2 * rows) * squares
        parameters = [*self.model.coefs_, *self.model.intercepts_]
        undone = self.rate_is_outside and not rate
        kept = [values.copy() for values in parameters] if undone else []
        data_loss = self.update(x, y) - penalty
        for values, before in zip(parameters, kept, strict=False):
            values[:] = before  # under a rate of 0 the velocity alone moves
        return factor * (self.averaged_outputs * data_loss + penalty)

    def _partial_fit(self, x: Array, y: Array) -> float:
        """Update by the public method. Return the library's loss, NaN if training diverged."""
        self.model.batch_size = len(x)
        try:
            self.model.partial_fit(x, y)
        except ValueError:
            if all(np.isfinite(w).all() for w in (*self.model.coefs_, *self.model.intercepts_)):
                raise
            return np.nan  # the library refuses parameters that are not finite
        loss: float = self.model.loss_
        return loss

    def _prepare_backprop(self) -> None:
        """Validate all rows, and make the lists that the library's back-propagation fills."""
        layers = len(self.model.coefs_)
        _, targets = self.model._validate_input(
            self.task.inputs, self.targets, incremental=True, reset=False
        )
        self.targets = targets.reshape(len(targets), -1)
        self.updated = self.model.coefs_ + self.model.intercepts_
        self.activations: list[Any] = [None] * (layers + 1)
        self.deltas: list[Any] = [None] * layers
        self.gradients: tuple[list[Any], list[Any]] = ([None] * layers, [None] * layers)

    def _backprop_and_update(self, x: Array, y: Array) -> float:
        """Do what `partial_fit` does with a validated batch. Return the library's loss."""
        self.activations[0] = x
        weights, biases = self.gradients
        loss: float
        loss, _, _ = self.model._backprop(
            x, y, None, self.activations, self.deltas, weights, biases
        )
        self.optimizer.update_params(self.updated, weights + biases)
        return loss

    # ------------------------------------------------------------ loops

    def advance(self, batches: Batches) -> Array:
        """Train with one update per step."""
        losses = np.empty(len(batches))
        for step, (size, rate) in enumerate(
            zip(batches.sizes.tolist(), batches.learning_rates.tolist(), strict=True)
        ):
            if batches.rows is None:
                x, y = self.task.inputs, self.targets
            else:
                rows = batches.rows[step, :size]
                x, y = self.task.inputs[rows], self.targets[rows]
            losses[step] = self._step(x, y, rate)
        return losses

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies of `coefs_` and `intercepts_`, which have the contract's layout."""
        return [
            (weights.copy(), biases.copy())
            for weights, biases in zip(self.model.coefs_, self.model.intercepts_, strict=True)
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products of the library's passes, which allocate their results."""

        def multiply(times: int) -> None:
            for _ in range(times):
                for index, (x, W, d) in enumerate(operands):
                    np.dot(x, W)
                    np.dot(x.T, d)
                    if index > 0:
                        np.dot(d, W.T)

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return the library's forward pass without its output activation."""
        return _raw_outputs(self.model, inputs)


class SklearnNativeTrainer(NativeTrainer):
    """A named estimator with stated parameters, which its own solver fits."""

    def __init__(self, task: NativeTask) -> None:
        name = task.native.estimator
        if name not in ESTIMATORS:
            known = ", ".join(ESTIMATORS)
            raise ValueError(f"native.estimator must be one of {known}. Got {name!r}")
        if task.device == "cuda":
            raise DeviceUnavailableError("scikit-learn's solvers compute on the CPU only")
        self.task = task
        known = ESTIMATORS[name]().get_params()
        for parameter in task.native.parameters:
            if parameter not in known:
                raise ValueError(
                    f"native.parameters: {name} has no {parameter!r}. Known: {', '.join(known)}"
                )
        self.estimator = ESTIMATORS[name](**task.native.parameters)
        if isinstance(self.estimator, LinearRegression):
            self.outputs = "values"
        elif not isinstance(self.estimator, LogisticRegression | MLPClassifier):
            self.outputs = "scores"

    def fit(self, seed: int) -> None:
        """Call the library's `fit`. The seed is `random_state`, unless the protocol states one."""
        stated = "random_state" in self.task.native.parameters
        if "random_state" in self.estimator.get_params() and not stated:
            self.estimator.set_params(random_state=seed)
        targets = self.task.targets
        assert targets is not None
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets.ravel()
        elif targets.ndim == 2:
            targets = targets.argmax(axis=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.estimator.fit(self.task.inputs, targets)
        iterations = getattr(self.estimator, "n_iter_", None)
        if iterations is not None:
            self.iterations = int(np.max(iterations))
        losses = getattr(self.estimator, "loss_curve_", None)
        if losses is not None:
            self.losses = np.asarray(losses, dtype=np.float64)
        if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
            self.remark = f"stopped after {self.iterations} iterations, before it converged"

    def predict(self, inputs: Array) -> Array:
        """Return decision values, one column per output."""
        outputs: Array
        if isinstance(self.estimator, MLPClassifier):
            return _raw_outputs(self.estimator, inputs)
        if isinstance(self.estimator, LinearRegression):
            outputs = self.estimator.predict(inputs)
        else:
            outputs = self.estimator.decision_function(inputs)
        return outputs.reshape(len(inputs), -1)


def _perceptron(task: Task) -> MLPClassifier | MLPRegressor:
    """Return a model that is built, with weights that scikit-learn drew."""
    widths = [layer.units for layer in task.network.dense_layers[:-1]]
    hidden = task.network.dense_layers[0].activation if widths else "identity"
    settings = {
        "hidden_layer_sizes": tuple(widths),
        "activation": ACTIVATIONS[hidden],
        "alpha": NoPenalty(),
        "batch_size": 1,
        "shuffle": False,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "learning_rate": "constant",
        "solver": "sgd",
        "momentum": 0.0,
        "nesterovs_momentum": False,
        "random_state": 0,
    }
    if isinstance(task.optimizer, Momentum | Nesterov):
        settings["momentum"] = task.optimizer.momentum
        settings["nesterovs_momentum"] = isinstance(task.optimizer, Nesterov)
    elif isinstance(task.optimizer, Adam):
        settings |= {"solver": "adam"}
        settings |= {"beta_1": task.optimizer.beta1, "beta_2": task.optimizer.beta2}
    one_row = np.zeros((1, task.network.inputs), task.dtype)
    outputs = task.network.outputs
    if task.loss is None or isinstance(task.loss, MeanSquaredError):
        target = np.zeros((1, outputs), task.dtype)
        return MLPRegressor(**settings).partial_fit(
            one_row, target.ravel() if outputs == 1 else target
        )
    if isinstance(task.loss, SoftmaxCrossEntropy) or outputs == 1:
        classes = np.arange(max(outputs, 2))
        return MLPClassifier(**settings).partial_fit(one_row, classes[:1], classes=classes)
    indicator = np.zeros((1, outputs), np.int32)
    return MLPClassifier(**settings).partial_fit(one_row, indicator, classes=np.arange(outputs))


def _optimizer(model: MLPClassifier | MLPRegressor) -> AdamOptimizer | SGDOptimizer:
    """Return the optimizer that the model's settings state, with an empty memory."""
    parameters = model.coefs_ + model.intercepts_
    if model.solver == "adam":
        return AdamOptimizer(parameters, beta_1=model.beta_1, beta_2=model.beta_2)
    return SGDOptimizer(parameters, momentum=model.momentum, nesterov=model.nesterovs_momentum)


def _raw_outputs(model: MLPClassifier | MLPRegressor, inputs: Array) -> Array:
    output_activation = model.out_activation_
    model.out_activation_ = "identity"
    try:
        outputs: Array = model._forward_pass_fast(inputs, check_input=False)
    finally:
        model.out_activation_ = output_activation
    return outputs


def _gradient_factor(loss: Loss, outputs: int, rows: int) -> float:
    """Return c: the protocol's gradient is c times scikit-learn's."""
    factor = 1.0
    if isinstance(loss, MeanSquaredError) and not loss.half:
        factor *= 2
    if not isinstance(loss, SoftmaxCrossEntropy) and loss.outputs == "mean":
        factor /= outputs
    return factor * rows if loss.batch == "sum" else factor
