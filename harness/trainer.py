"""THE CONTRACT: all that the author of an adapter has to know.

An adapter makes one framework compute exactly what the harness prescribes: this network, from
these parameters, on these rows in this order, with this update rule. Nothing is left to a
framework's default. The harness does everything else: data, start, clock, scoring, rows.

To add a framework, write a subclass of `StepTrainer`. Name the class in an entry point of the
group `samestep.trainers`, or give its file on the command line: `--frameworks` accepts both.
`samestep new-adapter` writes a file to start from, and `samestep check` proves an adapter.

An adapter is code: naming it runs it, with the rights of its user, in the process that measures.
Faults are caught, malice is not. Such an adapter can fake its times, outputs, parameters, traces
and memory, replace the harness in its process, and read and write what its user may. Rows and
verdicts of an adapter that you do not trust are its own word.

A proof holds for one digest of the adapter's source. The digest of a package covers all files
of the package. That of a module in a package covers the helpers beside the module, and the files
of the package that these mention by name. That of a file given on the command line covers what
the file imports from its own folder, which it may do as a script does.

What a task states, by class. g is the gradient, w a weight or bias, rate the one of the step
(`Batches.learning_rates`), n the rows that count in the batch; all memory starts at 0 if nothing
else is said. The docstrings of the classes have sources, and say which library has which form.

Class                Fields                Meaning
-------------------  --------------------  -------------------------------------------------------
Dense                units                 outputs of the layer; z = x W + b
                     activation            its name; `step` only where nothing is trained
                     bias                  whether b is there
                     slope                 leaky ReLU: z where z > 0, else slope z; None for others
                     alpha                 ELU: z where z > 0, else alpha (exp(z) - 1); else 1
Dropout              rate                  kept numbers of `Batches.masks` are a; dropped ones are 0
                     form                  "inverted": a / (1 - rate) in training, a in prediction
                                           "classic": a in training, a (1 - rate) in prediction
Conv                 channels, bias        z[i, j, o] = b[o] + sum over u, v, c of
                     kernel, stride        x[i s + u - top, j t + v - left, c] K[u, v, c, o];
                                           stride (s, t); a = f(z); no pixel is 0
                     padding               `sides(shape)`: zeros (top, bottom, left, right)
                     activation, slope     as Dense
                     alpha                 as Dense
MaxPool              size, stride          the largest number of each window of a channel; the
                                           gradient goes to the first of them, row by row
AveragePool          size, stride          the mean of each window of a channel
Flatten              order                 "channels_last": image (height, width, channels) to a
                                           row as it is; "channels_first": (channels, height,
                                           width) to a row
MeanSquaredError     half                  (a - y)^2, or half of that
                     batch, outputs        "mean" or "sum" over n rows, over outputs of a row
MeanAbsoluteError    batch, outputs        |a - y|, slope 0 where a = y; likewise
Huber                delta                 (a - y)^2 / 2 where d = |a - y| <= delta, else
                                           delta (d - delta / 2)
                     over_delta            whether this is divided by delta
                     batch, outputs        likewise
LogCosh              batch, outputs        log(cosh(a - y)); likewise
Hinge                batch, outputs        max(1 - y a, 0), slope 0 where y a = 1; likewise
SquaredHinge         batch, outputs        max(1 - y a, 0)^2; likewise
BinaryCrossEntropy   batch, outputs        softplus(a) - y a; likewise
                     label_smoothing       (1 - s) y + s / 2 in place of y; s is its `share(2)`
                     class_weights         None, or `values`: the loss of each row is multiplied by
                                           that of its class; a mean divides by the sum of these
                                           (`mean_over` is "weights") or by n ("rows")
                     behind_activation     whether a = f(z) is more than z, on purpose
SoftmaxCrossEntropy  batch                 logsumexp(a) - a[label]; likewise over rows
                     label_smoothing       None, or of k outputs: logsumexp(a) - (1 - s) a[label]
                                           - s mean(a); s is its `share(k)`
                     class_weights         as above
                     behind_activation     as above
L2                   strength              added to the loss: c sum(w^2), to its gradient: 2 c w
                     half, per_row         c = strength, halved if `half`, over n if `per_row`
                     on                    "weights" alone, or "all": biases too
L1                   strength, per_row     added to the loss: c sum(|w|), to its gradient:
                                           c sign(w); c = strength, over n if `per_row`
                     on                    as L2
ValueClipping        bound                 g = min(max(g, -bound), bound)
                     includes_penalty      True: g has the penalty's gradient. False: that is added
                                           after the clipping. None: there is no penalty
NormClipping         bound, epsilon        g = g min(1, bound / (norm + epsilon)); `name` is
                                           "array_norm": of each array, or "global_norm": of all
                     includes_penalty      as ValueClipping
MaxNorm              bound, of             after the update W is multiplied by a factor for each
                                           column ("units") or row ("inputs") of W
                     epsilon, form         "every_norm": min(norm, bound) / (norm + epsilon)
                                           "beyond_bound": where norm > bound, bound / (norm +
                                           epsilon), else 1
SGD                  learning_rate         w -= rate g (`learning_rate` is that without a schedule)
Momentum             learning_rate
                     momentum              v = momentum v + g; w -= rate v
                     rate_inside_velocity  True: v = momentum v + rate g; w -= v. None: either
Nesterov             learning_rate
                     momentum              v = momentum v + g; w -= rate (g + momentum v)
                     rate_inside_velocity  True: v = momentum v + rate g; w -= rate g + momentum v
RMSprop              learning_rate
                     rho                   v = rho v + (1 - rho) g^2
                     epsilon, form         "epsilon_outside_root": w -= rate g / (sqrt(v) + epsilon)
                                           "epsilon_inside_root": w -= rate g / sqrt(v + epsilon)
Adagrad              learning_rate
                     initial_accumulator   v begins with it; v = v + g^2
                     epsilon, form         as RMSprop
Adam                 learning_rate
                     beta1, beta2          m = beta1 m + (1 - beta1) g; v likewise of g^2 by beta2;
                                           c1 = 1 - beta1^t, c2 = 1 - beta2^t, t from 1 on
                     epsilon, form         "algorithm_1": w -= rate m/c1 / (sqrt(v/c2) + epsilon)
                                           "epsilon_hat":
                                           w -= rate sqrt(c2)/c1 m / (sqrt(v) + epsilon)
AdamW                learning_rate
                     beta1, beta2          first the decay of w, then Adam's step, whose g
                     epsilon, form         has no part of the decay
                     weight_decay          w -= rate weight_decay w
                     decay_times_rate      False: w -= weight_decay w
                     decay_on              "weights" alone, or "all": biases too
AMSGrad              learning_rate
                     beta1, beta2          Adam with u in place of v
                     epsilon, form
                     maximum               "before_correction": u = max(u, v)
                                           "after_correction": a = max(a, v/c2), u = c2 a
Nadam                learning_rate
                     beta1, beta2          m, v, c2 as Adam; p_t = mu_1 mu_2 ... mu_t
                     epsilon               w -= rate n / (sqrt(v/c2) + epsilon), with
                                           n = mu_(t+1) m / (1 - p_(t+1)) + (1 - mu_t) g / (1 - p_t)
                     form                  "constant_momentum": mu_t = beta1
                     momentum_decay        "scheduled_momentum":
                                           mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)
Adamax               learning_rate
                     beta1, beta2          m and c1 as Adam
                     epsilon, form         "epsilon_inside_maximum":
                                           u = max(beta2 u, |g| + epsilon); w -= rate/c1 m / u
                                           "epsilon_outside_maximum":
                                           u = max(beta2 u, |g|); w -= rate/c1 m / (u + epsilon)
Adadelta             learning_rate
                     rho, epsilon          v = rho v + (1 - rho) g^2
                                           s = sqrt(d + epsilon) / sqrt(v + epsilon) g
                                           d = rho d + (1 - rho) s^2; w -= rate s
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.experiment.gradients import L1, Clipping, MaxNorm, NormClipping, ValueClipping
from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool
from harness.experiment.losses import (
    BinaryCrossEntropy,
    ClassWeights,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    LossOfValues,
    MeanAbsoluteError,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    SquaredHinge,
)
from harness.experiment.model import Experiment
from harness.experiment.native import Native
from harness.experiment.network import Dense, Dropout, Layer, Network
from harness.experiment.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSprop,
)
from harness.experiment.training import L2

__all__ = [
    "L1",
    "L2",
    "SGD",
    "AMSGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Array",
    "AveragePool",
    "Batches",
    "BinaryCrossEntropy",
    "ClassWeights",
    "Clipping",
    "Conv",
    "ConvParameters",
    "CrossEntropy",
    "Dense",
    "DenseParameters",
    "DeviceUnavailableError",
    "Dropout",
    "Experiment",
    "Flatten",
    "Hinge",
    "Huber",
    "Layer",
    "LayerParameters",
    "LogCosh",
    "Loss",
    "LossOfValues",
    "MaxNorm",
    "MaxPool",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Momentum",
    "Nadam",
    "Native",
    "NativeTask",
    "NativeTrainer",
    "Nesterov",
    "Network",
    "NoParameters",
    "NormClipping",
    "Operands",
    "Optimizer",
    "Parameters",
    "RMSprop",
    "SoftmaxCrossEntropy",
    "SquaredHinge",
    "StepTrainer",
    "Task",
    "ToolMissingError",
    "Trainer",
    "ValueClipping",
    "unpacked",
]

Array = NDArray[Any]
"""A NumPy array. Its dtype and shape are stated where it is used."""


class DenseParameters(NamedTuple):
    """The parameters of a dense layer.

    Args:
        weights: W (inputs, units).
        biases: b (units,), or None in a layer without bias.
    """

    weights: Array
    biases: Array | None


class ConvParameters(NamedTuple):
    """Of a convolution.

    Args:
        weights: kernels (height, width, channels in, channels).
        biases: (channels,), or None in a layer without bias.
    """

    weights: Array
    biases: Array | None


class NoParameters(NamedTuple):
    """Of a layer that has no parameters, such as dropout: an empty tuple."""


LayerParameters = tuple[Any, ...]
"""The arrays of one layer: the named tuple of its kind, such as `DenseParameters`. A trainer may
return a plain tuple with the same order."""
Parameters = Sequence[LayerParameters]
"""One entry for every layer of the network, in order.

Shapes, by kind of layer: dense (weights (inputs, units), biases (units,) or None), conv (weights
(height, width, channels in, channels), biases (channels,) or None), all others ().
"""
Operands = Sequence[tuple[Array, Array, Array]]
"""For every layer with weights x (rows, inputs), W (inputs, units) and d = dL/dz (rows, units).

A row of a convolution's x is what a kernel sees in one place.
"""


class DeviceUnavailableError(RuntimeError):
    """The task insists on a GPU (`device` is "cuda") and the framework sees none.

    The constructor of a trainer raises this error.
    """


class ToolMissingError(RuntimeError):
    """The trainer needs a program that is not installed, such as a compiler.

    The constructor of a trainer raises this error. The message says how to install the program,
    and stands in the row of the trial, whose status is `missing`.
    """


@dataclass(frozen=True)
class Batches:
    """The batches of consecutive steps, in order.

    Args:
        rows: int32 (steps, batch_size), row numbers of `Task.inputs`. None means that every
            step takes all rows in their order, so nothing needs to be gathered.
        sizes: int32 (steps,), the number of rows that count in each step. They are the first
            `sizes[i]` of `rows[i]`. The others are row 0 and weigh nothing, in means too.
        learning_rates: float64 (steps,), each exactly representable in float32. They replace
            the learning rate that the optimizer states. They may fall, rise and be 0: divide by
            none.
        masks: for every dropout layer of the network, in order, uint8 (steps, batch_size,
            ceil(width / 8)) of the width of its inputs: 1 where a number is kept, 0 where it is
            dropped. Number j is bit j % 8 of byte j // 8, counted from the least significant, as
            `numpy.packbits(bitorder="little")` has them; `unpacked` undoes that. What stands
            beyond the width, and in rows beyond `sizes[i]`, means nothing.

    Copy what you want to change: a trial that wrote into its batches or into the arrays of its
    task is an error, even if it lifted their read-only flags.
    """

    rows: NDArray[np.int32] | None
    sizes: NDArray[np.int32]
    learning_rates: NDArray[np.float64]
    masks: tuple[NDArray[np.uint8], ...] = ()

    def __len__(self) -> int:
        return len(self.sizes)

    def overwrite(self) -> None:
        """Make the batches useless. The harness does so as soon as `advance` has returned."""
        self.sizes[:] = 1
        self.learning_rates[:] = 0
        if self.rows is not None:
            self.rows[:] = 0
        for masks in self.masks:
            masks[:] = 0


def unpacked(masks: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return masks of `Batches` with a number of its own for each bit, 1 or 0.

    Args:
        masks: (..., ceil(width / 8)).
        width: how many numbers of a row there are.

    Returns:
        (..., width)
    """
    return np.unpackbits(masks, axis=-1, count=width, bitorder="little")


@dataclass(frozen=True)
class Task:
    """What to train. The arrays are read-only: copy what you want to change.

    All numbers of network, loss, penalty and optimizer are exactly representable in float32,
    because some frameworks round them to float32. A protocol with `constants = "exact"` is the
    exception.

    Args:
        network: the layers, each with units, activation, bias, for leaky ReLU slope, and for ELU
            alpha. The derivative at a kink at 0 is that of negative numbers: 0 for ReLU, `slope`
            for leaky ReLU. Where there are two kinks, as in hard tanh, it is that of the outer
            side.
        loss: the loss with its reductions over batch and outputs. It may stand behind any output
            activation, whose derivative then counts: a loss of values always, a cross-entropy
            where it says `behind_activation`. None in a network that only predicts.
        l2: a penalty that is part of the loss, or None.
        optimizer: the update rule with all of its constants. None in a network that only
            predicts.
        parameters: the parameters to start from, in `dtype`.
        inputs: (rows, network.inputs) in `dtype`, the inputs of the training set. Where
            `network.image` is (height, width, channels), a row is such an image: channels fastest,
            then columns, then rows. `network.row_shapes` are the shapes before and behind layers.
        targets: int32 (rows,) labels for softmax cross-entropy, otherwise (rows, outputs) in
            `dtype`: values, or 0 and 1 for classes, for which a protocol with a loss of values may
            have other numbers (-1 and 1, 0.01 and 0.99). None where the dataset has no targets.
        batch_size: the number of rows of a whole batch.
        has_short_batch: whether some batch of the plan is smaller than `batch_size`.
        loop: the one of the trainer's `loops` to run.
        dtype: "float32" or "float64".
        device: "cpu", "cuda" (a GPU or `DeviceUnavailableError`) or "auto" (a GPU where the
            framework sees one, otherwise the CPU).
        threads: the number of threads that the process may use. Affinity and the sizes of
            thread pools are already set in the environment.
        l1: another penalty that is part of the loss, or None.
        clipping: what is done to gradients before the update rule, or None.
        max_norm: what is done to weights after the update, or None.
    """

    network: Network
    loss: Loss | None
    l2: L2 | None
    optimizer: Optimizer | None
    parameters: Parameters
    inputs: Array
    targets: Array | None
    batch_size: int
    has_short_batch: bool
    loop: str
    dtype: str
    device: str
    threads: int
    l1: L1 | None = None
    clipping: Clipping | None = None
    max_norm: MaxNorm | None = None


@dataclass(frozen=True)
class NativeTask:
    """What a library's own solver trains on: a `Task` without start and batches.

    Args:
        native: the name of the estimator and its stated parameters.
        network, loss: as in `Task`. They only say what the outputs mean.
        inputs, targets: as in `Task`.
        dtype, device, threads: as in `Task`.
    """

    native: Native
    network: Network
    loss: Loss | None
    inputs: Array
    targets: Array | None
    dtype: str
    device: str
    threads: int


class Trainer(ABC):
    """What trainers of both tracks have in common. The constructor sets the attributes.

    Attributes:
        layer_kinds: the kinds of layers that this adapter has, "dense" alone if it does not say. A
            protocol with another kind is refused, before `supports` is asked.
        device: the device that computes, such as "cpu" or "cuda:0 NVIDIA H100".
        precision: the arithmetic, such as "float32" or "float32, TF32 off".
        blas: the library of matrix products, such as "MKL" or "cuBLAS". Left empty, the column
            `blas` names NumPy's if the adapter's file imports only NumPy and what computes by
            it, and otherwise nothing.
        version: of what computes, such as "ggml 0.9", where that is no Python package: a library
            that is loaded by ctypes, say. Left empty, the column `framework_version` names the
            packages that the adapter's file imports.
    """

    layer_kinds: ClassVar[tuple[str, ...]] = ("dense",)
    device: str = "cpu"
    precision: str = ""
    blas: str = ""
    version: str = ""

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return a sentence that says why this framework cannot follow the protocol, or None.

        None means that the framework can. The harness calls this method before it makes a
        trainer, and shows the sentence in place of a result.
        """
        return None

    @classmethod
    def refuses(cls, experiment: Experiment) -> str | None:
        """Return why the harness does not ask this framework for a protocol, or None.

        That is a kind of layer which `layer_kinds` lacks, or what `supports` says. It is not to be
        overridden.
        """
        lacking = [kind for kind in experiment.network.kinds if kind not in cls.layer_kinds]
        if lacking:
            known = ", ".join(cls.layer_kinds)
            return f"has no {' or '.join(lacking)} layers; its `layer_kinds` are {known}"
        return cls.supports(experiment)

    @abstractmethod
    def predict(self, inputs: Array) -> Array:
        """Return raw outputs (rows, outputs): logits or values, in the order of the classes.

        No adapter reports an accuracy: the harness scores these numbers in float64. Every row is
        predicted by itself, in its place, however many rows there are.

        Args:
            inputs: (rows, network.inputs) in the task's dtype. They must not be modified.
        """


class StepTrainer(Trainer):
    """The identical track: train step by step from the given start.

    The harness reads the attributes from the source, without importing the framework. They must
    be tuples of literal strings in the class body. A process may build many trainers one after
    another, in either precision.

    Attributes:
        loops: the loops of this adapter, slowest first. "idiomatic" is what the framework's
            tutorial does, "stepwise" is one call per batch, and "fused" is one compiled program
            for many steps.
        dtypes: the precisions of this adapter. An adapter without "float64" is proven in
            float32, within a measured tolerance.
        slow_to_start: loops that compile for half a minute or more before their first step. The
            quick preset runs them on `xor-mlp` and `mnist-mlp` only, and elsewhere the best of
            the other loops.
    """

    loops: ClassVar[tuple[str, ...]]
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    slow_to_start: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __init__(self, task: Task) -> None:
        """Build the network, and put parameters and data on the device.

        Raises:
            DeviceUnavailableError: `task.device` is "cuda" and the framework sees no GPU.
        """

    # Not abstract on purpose: most loops have nothing to stage.
    def stage(self, batches: Batches) -> None:
        """Prepare for `advance(batches)`, and train nothing. This call is not timed.

        The harness calls it before every `advance`, with the same batches. A loop needs it if
        its library wants the rows in their final order before it starts, as `model.fit` does.
        """

    @abstractmethod
    def advance(self, batches: Batches) -> Array | None:
        """Train on the given batches in their order, and return when the device is done.

        This call is what the columns `first_step_s`, `train_s` and `step_us` time. A later call
        goes on where this one ended: parameters and the optimizer's memory are kept. The batches
        are overwritten when it returns.

        The first call is one step, and compiling belongs to it. Later calls go from one evaluation
        point to the next: the first of them is a step shorter than the others, the last may have
        any length, and so may all where a stopping rule looks in between. A program that is made
        for one number of steps compiles again for each of them, in `train_s`: let it take the
        number at run time, or pad the plan. The column `recompile_s` says what that cost.

        Returns:
            The losses (steps,), that of each step before its update. Fetch them from the device
            after the last step. Only an "idiomatic" loop whose library gives no losses may
            return None.
        """

    @abstractmethod
    def parameters(self) -> Parameters:
        """Return copies of the parameters, in the layout of `Parameters` and the task's dtype.

        They are those that `predict` uses at that time.
        """

    # Not abstract on purpose: without it the columns of limits stay empty.
    def matrix_products(self, operands: Operands) -> Callable[[int], None] | None:
        """Return a function that computes the matrix products of a training step, nothing else.

        No step of this framework can be faster than its products: they are the step's limit.
        The function takes the number of times to compute the products, uses the routine that
        training uses, on the same device, and returns when the device is done. Put the operands
        on the device here, before the function is called, because only the function is timed.

        Args:
            operands: x, W and d of every layer. The products are x W and x^T d, and d W^T of
                every layer except the first.

        Returns:
            The function, or None: then the columns of limits are empty.
        """
        return None

    # Not abstract on purpose: without it success rates are run seed by seed.
    def many_seeds(
        self, starts: Sequence[Parameters], batches: Batches
    ) -> Sequence[Parameters] | None:
        """Train from each of the starts on the same batches. This serves success rates.

        The arithmetic is that of `advance`: loss, penalty, learning rates, and an optimizer
        whose memory starts empty. The state of the trainer itself does not change. The call is
        never timed.

        Args:
            starts: the parameters of every start, in the task's dtype.
            batches: full batches (`rows` is None), because all others differ between seeds.

        Returns:
            The parameters that each start ends with, in order, or None if this adapter does not
            do it, for example because the batches are not full.
        """
        return None


class NativeTrainer(Trainer):
    """The native track: a library's own solver. It is never ranked with the identical track.

    Attributes:
        outputs: what `predict` returns: "logits" (the loss can be computed from them),
            "scores" (only their order means something) or "values" (regression).
        iterations: the number of iterations that `fit` took, or None where the solver does not
            say.
        remark: a sentence for the reader of the row, such as "stopped after 100 iterations,
            before it converged". `fit` sets it; empty where there is nothing to say.
        losses: (iterations,) the solver's own loss after each iteration, as the library prints
            it, or None where it has none. `fit` sets it. It may contain penalties.
    """

    outputs: str = "logits"
    iterations: int | None = None
    losses: Array | None = None
    remark: str = ""

    @abstractmethod
    def __init__(self, task: NativeTask) -> None:
        """Make the estimator with its stated parameters.

        Raises:
            DeviceUnavailableError: `task.device` is "cuda" and the library sees no GPU.
            ValueError: the library has no such estimator, or the estimator no such parameter.
        """

    @abstractmethod
    def fit(self, seed: int) -> None:
        """Train until the solver stops. This call is what the column `train_s` times.

        Args:
            seed: the random state of the estimator, unless its parameters state one.
        """
