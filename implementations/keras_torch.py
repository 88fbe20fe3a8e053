"""The adapter of Keras 3 on PyTorch.

Loops: `idiomatic` is `model.fit` over rows laid out in the given order. `stepwise` is the training
loop of Keras's guide for PyTorch, one batch at a time: the model's call, autograd, and
`optimizer.apply`, each operation run as it is called.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from harness.trainer import (
    Array,
    Batches,
    DeviceUnavailableError,
    Experiment,
    Operands,
    Parameters,
    SoftmaxCrossEntropy,
    StepTrainer,
    Task,
)
from implementations.keras_parts.backend import choose_backend

choose_backend("torch")

import keras

from implementations.keras_parts import layers
from implementations.keras_parts.fit_calls import FitCall, fit, fit_calls
from implementations.keras_parts.losses import RowLoss, has_penalty, penalty
from implementations.keras_parts.optimizers import optimizer_of, supports


class KerasTorchTrainer(StepTrainer):
    """A Keras model, Keras losses on logits and Keras optimizers, differentiated by PyTorch."""

    loops = ("idiomatic", "stepwise")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")
    dtypes = ("float32",)  # Keras computes products in float32 here, also those of float64

    @classmethod
    def supports(cls, experiment: Experiment) -> str | None:
        """Return what Keras's optimizers cannot do around an update, or None."""
        return supports(experiment)

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        keras.config.set_floatx(task.dtype)
        keras.config.set_dtype_policy(task.dtype)  # else the policy stays at the first floatx
        self.task = task
        self.dtype = getattr(torch, task.dtype)
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        on_cpu = self.target_device.type == "cpu"
        self.blas = ("MKL" if torch.backends.mkl.is_available() else "") if on_cpu else "cuBLAS"
        with keras.device(str(self.target_device)):
            self.model = layers.network(task)
            self.inputs = self._on_device(task.inputs, self.dtype)
            if task.loss is None or task.optimizer is None or task.targets is None:
                return  # a network that only predicts
            labels = isinstance(task.loss, SoftmaxCrossEntropy)
            self.targets = self._on_device(task.targets, torch.int64 if labels else self.dtype)
            self.loss = RowLoss(task.loss)
            self.optimizer = optimizer_of(task)
            self.optimizer.build(self.model.trainable_variables)
            self.rate = task.optimizer.learning_rate
        if task.loop == "idiomatic":
            self.model.compile(optimizer=self.optimizer, loss=self.loss)

    # ------------------------------------------------------------ start

    def _on_device(self, values: Array, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=self.target_device)

    # ------------------------------------------------------------ loss and update

    def _step(
        self, x: torch.Tensor, y: torch.Tensor, rate: float, masks: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Update once. Return the loss before the update."""
        variables = self.model.trainable_variables
        if rate != self.rate:
            self.optimizer.learning_rate = self.rate = rate
        self.model.zero_grad()
        z = self.model((x, *masks) if masks else x, training=True)
        loss = self.loss.of_batch(z, y, None)
        if has_penalty(self.task):
            loss = loss + penalty(self.task, variables, len(x))
        loss.backward()
        with torch.no_grad():
            self.optimizer.apply([v.value.grad for v in variables], variables)
        detached: torch.Tensor = loss.detach()
        return detached

    # ------------------------------------------------------------ loops

    def stage(self, batches: Batches) -> None:
        """Lay the rows out in their order, because `fit` takes no order of ours."""
        if self.task.loop == "idiomatic":
            self.staged: list[FitCall] = []  # frees the last segment's rows before the next come
            self.staged = fit_calls(self.task, batches, self.inputs, self.targets, self._rows_of)

    def advance(self, batches: Batches) -> Array | None:
        """Train. The losses stay on the device until the last update is done."""
        fetched: Array | None = None
        with keras.device(str(self.target_device)):
            if self.task.loop == "idiomatic":
                fit(self.model, self.staged, self.task)
            else:
                rates = batches.learning_rates.tolist()
                steps = zip(self._gather(batches), rates, self._masks(batches), strict=True)
                losses = [self._step(x, y, rate, masks) for (x, y), rate, masks in steps]
                fetched = torch.stack(losses).cpu().numpy()
        if self.target_device.type == "cuda":
            torch.cuda.synchronize()
        return fetched

    def _gather(self, batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (x, y) of every step, gathered on the device."""
        if batches.rows is None:
            for _ in range(len(batches)):
                yield self.inputs, self.targets
            return
        rows = torch.from_numpy(batches.rows).to(self.target_device)
        for index, size in zip(rows, batches.sizes.tolist(), strict=True):
            cut = index[:size]
            yield self.inputs.index_select(0, cut), self.targets.index_select(0, cut)

    def _masks(self, batches: Batches) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield the masks of every step, one for each dropout layer."""
        masks = [torch.from_numpy(each).to(self.target_device) for each in batches.masks]
        for step, size in enumerate(batches.sizes.tolist()):
            yield tuple(of_layer[step, :size] for of_layer in masks)

    def _rows_of(self, values: torch.Tensor, rows: Array) -> torch.Tensor:
        return values.index_select(0, torch.from_numpy(rows).to(self.target_device))

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        return layers.parameters(self.model, self.task)

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products that a Keras kernel (inputs, outputs) and its gradient make."""
        operands_on_device = [
            tuple(self._on_device(np.ascontiguousarray(v), self.dtype) for v in layer)
            for layer in operands
        ]
        work = [(*layer, *(torch.empty_like(v) for v in layer)) for layer in operands_on_device]

        def multiply(times: int) -> None:
            for _ in range(times):
                for index, (x, kernel, d, dx, dkernel, z) in enumerate(work):
                    torch.mm(x, kernel, out=z)
                    torch.mm(x.T, d, out=dkernel)
                    if index > 0:
                        torch.mm(d, kernel.T, out=dx)
            if self.target_device.type == "cuda":
                torch.cuda.synchronize()

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        with torch.inference_mode(), keras.device(str(self.target_device)):
            outputs: Array = self.model(self._on_device(inputs, self.dtype)).cpu().numpy()
            return outputs


def _device(name: str) -> torch.device:
    if name != "cpu":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        if name == "cuda":
            raise DeviceUnavailableError("PyTorch sees no CUDA device")
    return torch.device("cpu")


def _device_and_precision(device: torch.device, dtype: str) -> tuple[str, str]:
    """Return both in words. On a GPU, forbid products in TF32, which is less than float32."""
    if device.type == "cpu":
        return "cpu", dtype
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return f"cuda:0 {torch.cuda.get_device_name(0)}", f"{dtype}, TF32 off"
