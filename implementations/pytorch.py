"""The PyTorch adapter.

Loops: `idiomatic` is the tutorial's loop over a `DataLoader`, here one that follows the given
order. `stepwise` is the same update on tensors that are on the device already. `fused` is many
steps in one program of `torch.compile`, in `pytorch_compiled.py`.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from harness.trainer import (
    Array,
    Batches,
    Conv,
    Dense,
    DeviceUnavailableError,
    Dropout,
    Operands,
    Parameters,
    SoftmaxCrossEntropy,
    StepTrainer,
    Task,
)
from implementations.pytorch_dropout import GivenDropout, MaskedNetwork
from implementations.pytorch_images import Convolution, Flattened, ImageLayer, image_layer
from implementations.pytorch_losses import class_weights, loss_of
from implementations.pytorch_updates import (
    clip,
    constrain,
    decay_by_itself,
    epsilon_of_step,
    optimizer_of,
)


class TorchTrainer(StepTrainer):
    """`nn.Linear` layers, autograd, and the library's fused optimizers."""

    loops = ("idiomatic", "stepwise", "fused")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")
    slow_to_start = ("fused",)

    def __init__(self, task: Task) -> None:
        torch.set_num_threads(task.threads)
        self.task = task
        self.dtype = getattr(torch, task.dtype)
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        on_cpu = self.target_device.type == "cpu"
        self.blas = ("MKL" if torch.backends.mkl.is_available() else "") if on_cpu else "cuBLAS"
        self.model = self._network()
        self.inputs = self._on_device(task.inputs, self.dtype)
        self.steps_done = 0
        if task.loss is None or task.optimizer is None or task.targets is None:
            return  # a network that only predicts
        self.loss, self.rule = task.loss, task.optimizer
        labels = isinstance(self.loss, SoftmaxCrossEntropy)
        self.targets = self._on_device(task.targets, torch.int64 if labels else self.dtype)
        self.class_weights = class_weights(self.loss, self.inputs)
        if task.loop == "fused":
            # imported here, because no other loop needs the compiler, which takes a second or two
            from implementations.pytorch_compiled import CompiledTraining

            self.compiled = CompiledTraining(task, self.model, self.inputs, self.targets)
        else:
            self.trained = list(self.model.parameters())
            self.optimizer = optimizer_of(self.rule, self.trained)

    # ------------------------------------------------------------ start

    def _network(self) -> nn.Sequential:
        """Return layers with the given parameters; a kernel of `nn.Linear` is (outputs, inputs)."""
        modules: list[nn.Module] = []
        network = self.task.network
        layers = zip(network.layers, network.row_shapes, self.task.parameters, strict=False)
        for layer, shape, entry in layers:
            match layer:
                case Dropout():
                    modules.append(GivenDropout(layer, self.dtype))
                case Dense():
                    modules.append(self._linear(layer, *entry))
                case _:
                    modules.append(image_layer(layer, shape, entry))
            if isinstance(layer, Dense | Conv) and layer.activation != "identity":
                modules.append(_activation(layer))  # one that does nothing would cost a call
        stack = MaskedNetwork if network.dropout_layers else nn.Sequential
        return stack(*modules).to(self.target_device)

    def _linear(self, layer: Dense, weights: Array, biases: Array | None) -> nn.Linear:
        inputs, outputs = weights.shape
        linear = nn.Linear(inputs, outputs, bias=layer.bias, dtype=self.dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(weights.T)))
            if biases is not None:
                linear.bias.copy_(torch.from_numpy(np.array(biases)))
        return linear

    def _on_device(self, values: Array, dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=self.target_device)

    # ------------------------------------------------------------ loss and update

    def _loss(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the protocol's loss from logits, with the stated reductions."""
        return loss_of(self.loss, z, y, self.class_weights)

    def _penalty(self, rows: int) -> torch.Tensor | None:
        """Return c * sum of squares and c * sum of |w|, or None without a penalty."""
        l2, l1 = self.task.l2, self.task.l1
        parts = []
        if l2 is not None:
            kept = [p for p in self.trained if l2.on == "all" or p.ndim > 1]
            parts.append(l2.coefficient(rows) * sum(p.square().sum() for p in kept))
        if l1 is not None:
            kept = [p for p in self.trained if l1.on == "all" or p.ndim > 1]
            parts.append(l1.coefficient(rows) * sum(p.abs().sum() for p in kept))
        return torch.stack(parts).sum() if parts else None

    def _backward(self, loss: torch.Tensor, penalty: torch.Tensor | None) -> torch.Tensor:
        """Put the gradients of the loss and its penalty into the parameters, clipped.

        Return the loss with its penalty.
        """
        clipping = self.task.clipping
        whole = loss if penalty is None else loss + penalty
        if clipping is None:
            whole.backward()
        elif penalty is None or clipping.includes_penalty:
            whole.backward()
            clip(clipping, self.trained)
        else:  # gradients add up
            loss.backward()
            clip(clipping, self.trained)
            penalty.backward()
        return whole

    def _set_constants(self, rate: float) -> None:
        """Put this step's learning rate and, for epsilon hat, its epsilon into the optimizer."""
        self.steps_done += 1
        group, rule = self.optimizer.param_groups[0], self.rule
        is_inside = getattr(rule, "rate_inside_velocity", False)
        self.without_gradient = is_inside and rate == 0
        if self.without_gradient:
            return  # rate * gradient is 0, and rate * velocity stays what it was
        if is_inside and rate != group["lr"]:
            # the library's velocity is without the rate: let rate * velocity stay what it was
            for state in self.optimizer.state.values():
                state["momentum_buffer"].mul_(group["lr"] / rate)
        epsilon = epsilon_of_step(rule, self.steps_done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            if epsilon is not None:
                group["eps"] = epsilon

    def _step(
        self, x: torch.Tensor, y: torch.Tensor, rate: float, masks: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Update once. Return the loss before the update."""
        self._set_constants(rate)
        self.optimizer.zero_grad()
        loss = self._loss(self.model(x, *masks), y)
        loss = self._backward(loss, self._penalty(len(x)))
        if self.without_gradient:
            for parameter in self.trained:
                parameter.grad = torch.zeros_like(parameter)
        decay_by_itself(self.rule, self.trained)
        self.optimizer.step()
        if self.task.max_norm is not None:
            constrain(self.task.max_norm, self.trained)
        return loss.detach()

    # ------------------------------------------------------------ loops

    def advance(self, batches: Batches) -> Array:
        """Train. The losses stay on the device until the last update is done."""
        if self.task.loop == "fused":
            return self.compiled.advance(batches)
        loader = self._loader(batches) if self.task.loop == "idiomatic" else self._gather(batches)
        rates = batches.learning_rates.tolist()
        steps = zip(loader, rates, self._masks(batches), strict=True)
        losses = [self._step(x, y, rate, masks) for (x, y), rate, masks in steps]
        if self.target_device.type == "cuda":
            torch.cuda.synchronize()
        fetched: Array = torch.stack(losses).cpu().numpy()
        return fetched

    def _gather(self, batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield (x, y) of every step, gathered on the device."""
        if batches.rows is None:
            for _ in range(len(batches)):
                yield self.inputs, self.targets
            return
        rows = torch.from_numpy(batches.rows).to(self.target_device)
        for index, size in zip(rows, batches.sizes.tolist(), strict=True):
            if size != len(index):  # a slice takes 1.6 us
                index = index[:size]
            yield self.inputs.index_select(0, index), self.targets.index_select(0, index)

    def _masks(self, batches: Batches) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield the masks of every step, one for each dropout layer."""
        masks = [torch.from_numpy(each).to(self.target_device) for each in batches.masks]
        for step, size in enumerate(batches.sizes.tolist()):
            yield tuple(of_layer[step, :size] for of_layer in masks)

    def _loader(self, batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the same from the tutorial's `DataLoader`; full batches need none."""
        if batches.rows is None:
            yield from self._gather(batches)
            return
        order = [
            rows[:size].tolist() for rows, size in zip(batches.rows, batches.sizes, strict=True)
        ]
        yield from DataLoader(TensorDataset(self.inputs, self.targets), batch_sampler=order)

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        return [
            _parameters_of(module)
            for module in self.model
            if isinstance(module, nn.Linear | GivenDropout | ImageLayer | Flattened)
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products that `nn.Linear` and its gradient make; its kernel is W^T."""
        layers = [
            tuple(self._on_device(np.ascontiguousarray(v), self.dtype) for v in (x, W.T, d))
            for x, W, d in operands
        ]
        work = [(*layer, *(torch.empty_like(v) for v in layer)) for layer in layers]

        def once() -> None:
            for index, (x, kernel, d, dx, dkernel, z) in enumerate(work):
                torch.mm(x, kernel.T, out=z)
                torch.mm(d.T, x, out=dkernel)
                if index > 0:
                    torch.mm(d, kernel, out=dx)

        if self.target_device.type == "cuda":
            return _recorded(once)

        def multiply(times: int) -> None:
            for _ in range(times):
                once()

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        with torch.inference_mode():
            outputs: Array = self.model(self._on_device(inputs, self.dtype)).cpu().numpy()
            return outputs


class Softplus(nn.Module):
    """log(1 + exp(z)). The library's softplus is linear above 20, which is 2e-9 off."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return log(exp(z) + exp(0)), element by element."""
        return torch.logaddexp(z, torch.zeros_like(z))


class HardSigmoid(nn.Module):
    """A line between 0 and 1. The gradient of the library's has 1/6 in float32, in float64 too."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return slope z + 0.5, between 0 and 1."""
        return nn.functional.hardtanh(self.slope * z + 0.5, 0.0, 1.0)


class Step(nn.Module):
    """The step function, which only predicts: its derivative is 0 wherever it exists."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return 1 where z > 0, else 0."""
        return (z > 0).to(z.dtype)


def _activation(layer: Dense | Conv) -> nn.Module:
    match layer.activation:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            assert layer.slope is not None
            return nn.LeakyReLU(layer.slope)
        case "elu":
            return nn.ELU(layer.alpha)
        case "swish":
            return nn.SiLU()
        case "softplus":
            return Softplus()
        case "gelu":
            return nn.GELU()
        case "gelu_tanh":
            return nn.GELU(approximate="tanh")
        case "step":
            return Step()
        case "selu":
            return nn.SELU()
        case "softsign":
            return nn.Softsign()
        case "log_sigmoid":
            return nn.LogSigmoid()
        case "mish":
            return nn.Mish()
        case "relu6":
            return nn.ReLU6()
        case "hard_tanh":
            return nn.Hardtanh()
        case "hard_sigmoid":
            return HardSigmoid(1 / 6)
        case "hard_sigmoid_fifth":
            return HardSigmoid(0.2)
        case "hard_swish":
            return nn.Hardswish()
    raise ValueError(f"activation {layer.activation!r} is not known here")


def _parameters_of(module: nn.Module) -> tuple[Array | None, ...]:
    """Return copies of a layer's parameters in the contract's layout."""
    if isinstance(module, Convolution):
        return module.parameters_of_layer()
    if not isinstance(module, nn.Linear):
        return ()
    linear = module
    weights, biases = linear.weight.detach().cpu().numpy(), linear.bias
    return weights.T.copy(), None if biases is None else biases.detach().cpu().numpy().copy()


def _recorded(work: Callable[[], None]) -> Callable[[int], None]:
    """Return a function that does some work on a GPU a number of times, by a CUDA graph.

    Called one by one, the launches would take longer than the work.
    """
    work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()

    def repeat(times: int) -> None:
        for _ in range(times):
            graph.replay()
        torch.cuda.synchronize()

    return repeat


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
