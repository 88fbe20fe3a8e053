"""THE CONTRACT: all that the author of an adapter has to know.

An adapter makes one framework compute exactly what the harness prescribes: this network, from
these parameters, on these rows in this order, with this update rule. Nothing is left to a
framework's default. The harness does everything else: data, start, clock, scoring, rows.

Write a subclass of `StepTrainer`, name it in an entry point of the group `samestep.trainers`
(or give its file on the command line), and `samestep report --frameworks` accepts it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.experiment.model import Experiment
from harness.experiment.native import Native
from harness.experiment.network import Layer, Network
from harness.experiment.optimizers import SGD, Adagrad, Adam, Momentum, Nesterov, Optimizer, RMSprop
from harness.experiment.training import (
    L2,
    BinaryCrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)

__all__ = [
    "L2",
    "SGD",
    "Adagrad",
    "Adam",
    "Array",
    "Batches",
    "BinaryCrossEntropy",
    "DeviceUnavailableError",
    "Experiment",
    "Layer",
    "Loss",
    "MeanSquaredError",
    "Momentum",
    "Native",
    "NativeTask",
    "NativeTrainer",
    "Nesterov",
    "Network",
    "Operands",
    "Optimizer",
    "Parameters",
    "RMSprop",
    "SoftmaxCrossEntropy",
    "StepTrainer",
    "Task",
    "Trainer",
]

Array = NDArray[np.generic]
Parameters = Sequence[tuple[Array, Array | None]]
"""Per layer (W of shape (inputs, outputs), b of shape (outputs,) or None without bias)."""
Operands = Sequence[tuple[Array, Array, Array]]
"""Per layer x (rows, inputs), W (inputs, units) and d = dL/dz (rows, units)."""


class DeviceUnavailableError(RuntimeError):
    """Raised by a trainer's constructor when `device` is `cuda` and it sees no GPU."""


@dataclass(frozen=True)
class Batches:
    """The batches of consecutive steps, in order.

    Args:
        rows: int32 (steps, batch_size), row numbers into `Task.inputs`; None means that every
            step takes all rows in order, so nothing needs to be gathered.
        sizes: int32 (steps,). In a step with `sizes[i] < batch_size` only the first
            `sizes[i]` rows count; the others are row 0 and weigh nothing, in means too.
        learning_rates: float64 (steps,), exactly representable in float32. They replace the
            optimizer's own rate.
    """

    rows: NDArray[np.int32] | None
    sizes: NDArray[np.int32]
    learning_rates: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class Task:
    """What to train. Arrays are read-only; copy what you want to change.

    Args:
        network: layers with units, activation, bias and, for leaky ReLU, slope.
        loss: with its reductions over batch and outputs; None in a network that only predicts.
        l2: a penalty that belongs to the loss, or None.
        optimizer: its numbers, and all others here, are exactly representable in float32,
            because some frameworks round them to that, unless the protocol states
            `constants = "exact"`; None in a network that only predicts.
        parameters: the start, in `dtype`.
        inputs: (rows, network.inputs) training inputs in `dtype`.
        targets: int32 (rows,) labels for softmax cross-entropy, else (rows, outputs) in
            `dtype`; None where the dataset has none.
        batch_size: rows of a whole batch.
        has_short_batch: whether some batch of the plan is smaller than `batch_size`.
        loop: which of the trainer's `loops` to run.
        dtype: "float32" or "float64".
        device: "cpu", "cuda" (insist on a GPU) or "auto" (a GPU where the framework sees one).
        threads: how many the process may use; affinity and pools are already set.
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


@dataclass(frozen=True)
class NativeTask:
    """What a library's own solver trains on: as `Task`, without start and batches.

    Args:
        native: estimator and its stated parameters.
        network, loss: only to know what the outputs mean.
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
    """What every implementation is, in both tracks.

    Attributes:
        device: what it runs on, such as "cpu" or "cuda:0 NVIDIA H100"; set by the constructor.
        precision: how it computes, such as "float32" or "float32, TF32 off"; likewise.
        blas: its matrix-product library, where that is not the one NumPy loads.
    """

    device: str = "cpu"
    precision: str = ""
    blas: str = ""

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """None, or why this framework cannot follow the protocol. Asked before building."""
        return None

    @abstractmethod
    def predict(self, inputs: Array) -> Array:
        """Raw outputs (rows, outputs): logits or values, in the order of the classes.

        `inputs` is (rows, network.inputs) in the task's dtype and must not be modified. No
        adapter reports an accuracy: the harness scores these numbers in float64.
        """


class StepTrainer(Trainer):
    """The identical track: trains step by step from the given start.

    Attributes:
        loops: the loops this adapter has, slowest first, out of "idiomatic" (what the
            framework's tutorial does), "stepwise" (one call per batch) and "fused" (a whole
            segment in one compiled program). Written as a literal in the class body: the plan
            reads it from the source, without importing the framework.
        dtypes: the precisions it has, likewise literal. A framework without "float64" is proven
            in float32, with a measured tolerance.
    """

    loops: ClassVar[tuple[str, ...]]
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")

    @abstractmethod
    def __init__(self, task: Task) -> None:
        """Build the network, put parameters and data on the device, once."""

    # Not abstract on purpose: most loops have nothing to stage.
    def stage(self, batches: Batches) -> None:
        """Get ready for `advance(batches)`, off the clock.

        For a loop whose library wants its rows laid out before it starts, as `model.fit` does.
        """

    @abstractmethod
    def advance(self, batches: Batches) -> Array | None:
        """Train on the given batches in order; return when the device is done.

        This call is what `first_step_s`, `train_s` and `step_us` time.

        Returns:
            The loss of every step (steps,), each before its update, fetched from the device
            after the last one. None only from an `idiomatic` loop whose library gives none.
        """

    @abstractmethod
    def parameters(self) -> Parameters:
        """Copies of the parameters, in the layout of `Parameters`."""

    # Not abstract on purpose: without it the columns of limits stay empty.
    def matrix_products(self, operands: Operands) -> Callable[[int], None] | None:
        """The matrix products of a training step and nothing else: the step's own limit.

        The returned function computes, `times` times and for every layer, x W, x^T d and, but
        for the first layer, d W^T, with the routine that training uses, on the same device; it
        returns when the device is done. Operands are put on the device before, here.
        """
        return None

    # Not abstract on purpose: without it success rates are run seed by seed.
    def many_seeds(
        self, starts: Sequence[Parameters], batches: Batches
    ) -> Sequence[Parameters] | None:
        """Train from each of the starts on the same batches: for success rates, never timed.

        The arithmetic is that of `advance` (loss, penalty, optimizer from an empty memory, the
        batches' learning rates); the trainer's own state is not changed. Asked of full batches
        only (`batches.rows` is None), because all others differ from seed to seed.

        Returns:
            The parameters that each start ends with, in order. None: this adapter does not.
        """
        return None


class NativeTrainer(Trainer):
    """The native track: a library's own solver. Never ranked with the identical track.

    Attributes:
        outputs: what `predict` gives: "logits" (the loss can be computed from them),
            "scores" (only their order means something) or "values" (regression).
        iterations: how many the solver took, None where it does not say; set by `fit`.
        remark: what a reader of the row should know, such as "stopped before it converged".
    """

    outputs: str = "logits"
    iterations: int | None = None
    remark: str = ""

    @abstractmethod
    def __init__(self, task: NativeTask) -> None:
        """Make the estimator with its stated parameters."""

    @abstractmethod
    def fit(self, seed: int) -> None:
        """Train to the solver's own end. This call is what `train_s` times."""
