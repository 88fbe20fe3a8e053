"""HIPS autograd behind samestep's contract: NumPy code, differentiated by tracing."""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import erf

from harness.trainer import (
    SGD,
    Adagrad,
    Adam,
    Array,
    Batches,
    BinaryCrossEntropy,
    DeviceUnavailableError,
    Experiment,
    Layer,
    Momentum,
    Nesterov,
    Parameters,
    RMSprop,
    SoftmaxCrossEntropy,
    StepTrainer,
    Task,
)


class AutogradTrainer(StepTrainer):
    """`value_and_grad` of a plain NumPy loss, and update rules by hand."""

    loops = ("stepwise",)

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return what has not been written, or None."""
        if experiment.training is None:
            return None
        training, rules = experiment.training, (SGD, Momentum, Nesterov, RMSprop, Adagrad, Adam)
        if not isinstance(training.optimizer, rules):
            return f"{training.optimizer.name} is not written yet"
        if not (training.loss.takes_logits or training.loss.name == "mean_squared_error"):
            return f"{training.loss.name} is not written yet"
        if training.loss.takes_logits and (
            training.loss.label_smoothing or training.loss.class_weights
        ):
            return "smoothed labels and weights of classes are not written yet"
        if training.l1 or training.clipping or training.max_norm:
            return "L1, clipping and bounded norms are not written yet"
        inside = getattr(experiment.training.optimizer, "rate_inside_velocity", False)
        return "velocities with the rate inside are not written yet" if inside else None

    def __init__(self, task: Task) -> None:
        if task.device == "cuda":
            raise DeviceUnavailableError("autograd computes on the CPU only")
        self.task = task
        self.weights = [v.copy() for pair in task.parameters for v in pair if v is not None]
        start = getattr(task.optimizer, "initial_accumulator", 0.0)
        self.memory = [[np.full_like(w, start) for w in self.weights] for _ in range(2)]
        self.steps_done = 0
        self.gradient = value_and_grad(self._loss)

    def _forward(self, weights: list[Array], x: Array) -> Array:
        remaining = list(weights)
        for layer in self.task.network.layers:
            z = np.dot(x, remaining.pop(0))
            x = _activate(layer, z + remaining.pop(0) if layer.bias else z)
        return x

    def _loss(self, weights: list[Array], x: Array, y: Array) -> float:
        loss, z = self.task.loss, self._forward(weights, x)
        if isinstance(loss, SoftmaxCrossEntropy):
            largest = np.max(z, axis=1, keepdims=True)
            log_sum = np.log(np.sum(np.exp(z - largest), axis=1)) + largest[:, 0]
            rows = log_sum - z[np.arange(len(z)), y]
        else:
            if isinstance(loss, BinaryCrossEntropy):
                per_output = np.logaddexp(0.0, z) - y * z
            else:
                per_output = (z - y) ** 2 * (0.5 if loss.half else 1.0)
            rows = np.sum(per_output, axis=1) / (z.shape[1] if loss.outputs == "mean" else 1)
        total = np.sum(rows) / (len(rows) if loss.batch == "mean" else 1)
        l2 = self.task.l2
        if l2 is None:
            return total
        penalized = [w for w in weights if l2.on == "all" or w.ndim == 2]
        return total + l2.coefficient(len(x)) * sum(np.sum(w * w) for w in penalized)

    def advance(self, batches: Batches) -> Array:
        """Train with one gradient and one update per step."""
        losses = np.empty(len(batches))
        for step, rate in enumerate(batches.learning_rates.tolist()):
            x, y = self.task.inputs, self.task.targets
            if batches.rows is not None:
                rows = batches.rows[step, : batches.sizes[step]]
                x, y = x[rows], y[rows]
            losses[step], gradients = self.gradient(self.weights, x, y)
            self.steps_done += 1
            for index, g in enumerate(gradients):
                self.weights[index] = self.weights[index] - self._step(index, g, rate)
        return losses

    def _step(self, index: int, g: Array, rate: float) -> Array:
        rule, t = self.task.optimizer, self.steps_done
        first, second = self.memory
        if isinstance(rule, SGD):
            return rate * g
        if isinstance(rule, Adam):
            first[index] = m = rule.beta1 * first[index] + (1 - rule.beta1) * g
            second[index] = v = rule.beta2 * second[index] + (1 - rule.beta2) * g * g
            c1, c2 = 1 - rule.beta1**t, 1 - rule.beta2**t
            if rule.form == "algorithm_1":
                return rate * (m / c1) / (np.sqrt(v / c2) + rule.epsilon)
            return rate * c2**0.5 / c1 * m / (np.sqrt(v) + rule.epsilon)
        if isinstance(rule, RMSprop | Adagrad):
            keep, take = (rule.rho, 1 - rule.rho) if isinstance(rule, RMSprop) else (1.0, 1.0)
            first[index] = v = keep * first[index] + take * g * g
            inside = rule.form == "epsilon_inside_root"
            return rate * g / (np.sqrt(v + rule.epsilon) if inside else np.sqrt(v) + rule.epsilon)
        first[index] = v = rule.momentum * first[index] + g
        return rate * (g + rule.momentum * v if rule.name == "nesterov" else v)

    def parameters(self) -> Parameters:
        """Return copies, as (W, b) pairs."""
        copies = [w.copy() for w in self.weights]
        return [
            (copies.pop(0), copies.pop(0) if layer.bias else None)
            for layer in self.task.network.layers
        ]

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        return self._forward(self.weights, inputs)


def _activate(layer: Layer, z: Array) -> Array:
    match layer.activation:
        case "sigmoid":
            return 0.5 * (1 + np.tanh(0.5 * z))
        case "tanh":
            return np.tanh(z)
        case "relu":
            return np.where(z > 0, z, 0.0)
        case "leaky_relu":
            return np.where(z > 0, z, layer.slope * z)
        case "elu":
            return np.where(z > 0, z, layer.alpha * (np.exp(np.where(z > 0, 0.0, z)) - 1))
        case "swish":
            return z * 0.5 * (1 + np.tanh(0.5 * z))
        case "softplus":
            return np.logaddexp(0.0, z)
        case "gelu":
            return 0.5 * z * (1 + erf(z * 0.5**0.5))
        case "gelu_tanh":
            return 0.5 * z * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3)))
        case "step":
            return np.where(z > 0, 1.0, 0.0)
        case "selu":
            below = 1.6732632423543772 * (np.exp(np.where(z > 0, 0.0, z)) - 1)
            return 1.0507009873554805 * np.where(z > 0, z, below)
        case "softsign":
            return z / (1 + np.abs(z))
        case "log_sigmoid":
            return -np.logaddexp(0.0, -z)
        case "mish":
            return z * np.tanh(np.logaddexp(0.0, z))
        case "relu6":
            return _clipped(z, 0.0, 6.0)
        case "hard_tanh":
            return _clipped(z, -1.0, 1.0)
        case "hard_sigmoid":
            return _clipped(z + 3.0, 0.0, 6.0) / 6
        case "hard_sigmoid_fifth":
            return _clipped(0.2 * z + 0.5, 0.0, 1.0)
        case "hard_swish":
            return z * _clipped(z + 3.0, 0.0, 6.0) / 6
    return z


def _clipped(z: Array, low: float, high: float) -> Array:
    """Return z between low and high, with a gradient of 0 at both."""
    return np.where(z <= low, low, np.where(z >= high, high, z))
