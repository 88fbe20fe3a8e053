"""PyTorch's fused loop: the whole step under `torch.compile`, many steps in one program.

A step is a pure function of parameters and optimizer memory. `torch.func` differentiates it, and
the update rules are written out in `pytorch_compiled_updates.py`.

On a CPU the loop over steps is part of the program, so one program serves segments of every
length. On a GPU a loop would wait for the device in every round. There one step is compiled, and
some steps in a row are recorded as a CUDA graph, which is replayed.

`while_loop` and the empty cache are private names of the library; the extra pins its version.
"""

import shutil
from contextlib import nullcontext

import numpy as np
import torch
import torch._inductor.compile_fx  # or the first step would import it
from torch import nn
from torch._higher_order_ops.while_loop import while_loop
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch._inductor.utils import fresh_cache

from harness.trainer import (
    Array,
    Batches,
    Task,
    ToolMissingError,
)
from implementations.pytorch_compiled_updates import (
    clipped,
    constrained,
    corrections,
    memory_of,
    penalty_of,
    updated,
)
from implementations.pytorch_losses import (
    class_weights,
    losses_of_rows,
    means_weigh,
    weights_of_rows,
)

PLANNED_STEPS, PLANNED_ROWS = 1_024, 65_536
"""The largest plan of the program, in steps and in rows, but at least 16 steps."""
SMALL_STEP, UNROLLED_STEPS = 1e6, 2
"""Below so many floating-point operations a step, a round of the loop has so many steps."""
RECORDED_STEPS = 20
"""The steps in a CUDA graph, whose replay is one call. What is left over runs step by step."""

Tensors = list[torch.Tensor]
Plan = tuple[torch.Tensor | None, ...]
"""Rows (steps, batch_size) or None for all rows, sizes (steps,), learning rates (steps,), and the
masks of every dropout layer (steps, batch_size, bytes)."""


class CompiledTraining:
    """Trains the parameters of a model in place.

    Args:
        task: as in the contract, with loss and optimizer.
        model: the network, with the parameters to start from on their device.
        inputs, targets: the training set on the same device.

    Raises:
        ToolMissingError: the compiler that Inductor calls is not installed.
    """

    def __init__(
        self, task: Task, model: nn.Sequential, inputs: torch.Tensor, targets: torch.Tensor
    ) -> None:
        self.on_gpu = inputs.is_cuda
        _require_compiler(self.on_gpu)
        assert task.loss is not None
        assert task.optimizer is not None
        self.task, self.model = task, model
        self.loss, self.rule = task.loss, task.optimizer
        self.inputs, self.targets = inputs, targets
        self.class_weights = class_weights(self.loss, inputs)
        self.names = [name for name, _ in model.named_parameters()]
        parameters = [values.detach() for values in model.parameters()]
        memories = zip(*(memory_of(self.rule, w) for w in parameters), strict=True)
        self.state = [*parameters, *(values for kind in memories for values in kind)]
        self.steps_done = torch.zeros((), dtype=inputs.dtype, device=inputs.device)
        self.steps_planned = min(PLANNED_STEPS, max(16, PLANNED_ROWS // task.batch_size))
        self.unrolled = UNROLLED_STEPS if _operations(task) < SMALL_STEP else 1
        self.is_compiled = False
        self.recordings: dict[int, tuple[torch.cuda.CUDAGraph, torch.Tensor]] = {}
        torch.compiler.reset()  # what an earlier trial of this process compiled
        options = {
            "cpp_wrapper": not self.on_gpu,
            "compile_threads": 1,
            "cpp.vec_isa_ok": True,
            "cpp_cache_precompile_headers": False,  # they would outlive the empty cache
        }
        self.program = torch.compile(
            self._one_step if self.on_gpu else self._segment,
            fullgraph=True, dynamic=False, options=options,
        )  # fmt: skip

    # ------------------------------------------------------------ loss and update

    def _loss(
        self,
        parameters: Tensors,
        x: torch.Tensor,
        y: torch.Tensor,
        size: torch.Tensor,
        masks: Tensors,
    ) -> torch.Tensor:
        """Return the protocol's loss from logits. Rows beyond `size` weigh nothing."""
        z = torch.func.functional_call(
            self.model, dict(zip(self.names, parameters, strict=True)), (x, *masks)
        )
        rows = losses_of_rows(self.loss, z, y)
        if self.class_weights is not None:
            return self._weighted(rows, weights_of_rows(self.class_weights, y), size)
        mean = self.loss.batch == "mean"
        if self.task.has_short_batch:
            total = torch.where(torch.arange(len(rows), device=z.device) < size, rows, 0).sum()
            value = total / size if mean else total
        else:
            value = rows.mean() if mean else rows.sum()
        return value

    def _weighted(
        self, rows: torch.Tensor, weights: torch.Tensor, size: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of rows that weigh. Those beyond `size` weigh nothing."""
        weights = torch.where(torch.arange(len(rows), device=rows.device) < size, weights, 0)
        total = (weights * rows).sum()
        if self.loss.batch == "sum":
            return total
        return total / (weights.sum() if means_weigh(self.loss) else size)

    def _penalty(self, parameters: Tensors, size: torch.Tensor) -> torch.Tensor:
        return penalty_of(self.task.l2, self.task.l1, parameters, size)

    def _gradients(
        self,
        parameters: Tensors,
        x: torch.Tensor,
        y: torch.Tensor,
        size: torch.Tensor,
        masks: Tensors,
    ) -> tuple[Tensors, torch.Tensor]:
        """Return the gradients of the loss with its penalties, clipped, and the loss."""
        task = self.task

        def whole_loss(parameters: Tensors) -> torch.Tensor:
            loss = self._loss(parameters, x, y, size, masks)
            plain = task.l2 is None and task.l1 is None
            return loss if plain else loss + self._penalty(parameters, size)

        if task.clipping is None or task.clipping.includes_penalty is not False:
            gradients, loss = torch.func.grad_and_value(whole_loss)(parameters)
            return clipped(task.clipping, gradients) if task.clipping else gradients, loss
        gradients, loss = torch.func.grad_and_value(self._loss)(parameters, x, y, size, masks)
        more, penalty = torch.func.grad_and_value(self._penalty)(parameters, size)
        pairs = zip(clipped(task.clipping, gradients), more, strict=True)
        return [g + of_penalty for g, of_penalty in pairs], loss + penalty

    def _step(
        self, state: Tensors, plan: Plan, steps_done: torch.Tensor, at: torch.Tensor
    ) -> tuple[Tensors, torch.Tensor]:
        """Update once, by step `at` of the plan. Return (state, loss before the update)."""
        place = at.reshape(1)  # a number on the device would have to be fetched to be an index
        rows, size, rate, *masks = (
            v if v is None else v.index_select(0, place).squeeze(0) for v in plan
        )
        x, y = self.inputs, self.targets
        if rows is not None:
            x, y = x.index_select(0, rows), y.index_select(0, rows)
        count = len(self.names)
        parameters, memory = state[:count], state[count:]
        gradients, loss = self._gradients(parameters, x, y, size, masks)
        t = steps_done + at + 1
        corrected = corrections(self.rule, t)
        steps = [
            updated(self.rule, w, g, tuple(memory[index::count]), rate, t, corrected)
            for index, (w, g) in enumerate(zip(parameters, gradients, strict=True))
        ]
        new = [values for kind in zip(*steps, strict=True) for values in kind]
        if self.task.max_norm is not None:
            new[:count] = [constrained(self.task.max_norm, w) for w in new[:count]]
        return new, loss

    # ------------------------------------------------------------ programs

    def _segment(
        self, state: Tensors, plan: Plan, steps_done: torch.Tensor, steps: torch.Tensor
    ) -> torch.Tensor:
        """Run the plan's first `steps` steps. Return the losses, as many as are planned."""

        def one_round(
            at: torch.Tensor, losses: torch.Tensor, *state: torch.Tensor
        ) -> tuple[torch.Tensor, ...]:
            values = list(state)
            for index in range(self.unrolled):
                new, loss = self._step(values, plan, steps_done, at)
                if index:  # the first of a round is always one of the plan's steps
                    pairs = zip(new, values, strict=True)
                    new = [torch.where(at < steps, *pair) for pair in pairs]
                values = new
                losses = losses.index_copy(0, at.reshape(1), loss.reshape(1))
                at = at + 1
            return at, losses, *values

        start = torch.zeros((), dtype=torch.int64)
        carried = (start, torch.zeros_like(_rates(plan)), *state)
        carried = while_loop(lambda at, *_: at < steps, one_round, carried)
        _, losses, *new = carried
        for old, values in zip(state, new, strict=True):
            old.copy_(values)
        return losses

    def _one_step(
        self, state: Tensors, plan: Plan, steps_done: torch.Tensor, at: torch.Tensor
    ) -> torch.Tensor:
        """Run step `at` of the plan. Return its loss."""
        new, loss = self._step(state, plan, steps_done, at)
        for old, values in zip(state, new, strict=True):
            old.copy_(values)
        return loss

    # ------------------------------------------------------------ loop

    def advance(self, batches: Batches) -> Array:
        """Train. Compile before the first step, in an empty cache, so that it is always cold."""
        run = self._on_gpu if self.on_gpu else self._on_cpu
        with torch.no_grad(), nullcontext() if self.is_compiled else fresh_cache():
            losses = run(batches)
        self.is_compiled = True
        return np.concatenate([np.asarray(each.cpu()) for each in losses])

    def _on_cpu(self, batches: Batches) -> Tensors:
        losses = []
        for first in range(0, len(batches), self.steps_planned):
            steps = min(self.steps_planned, len(batches) - first)
            plan = self._planned(batches, first, steps, self.steps_planned + self.unrolled - 1)
            planned = self.program(self.state, plan, self.steps_done, torch.tensor(steps))
            losses.append(planned[:steps])
            self.steps_done.add_(steps)
        return losses

    def _on_gpu(self, batches: Batches) -> Tensors:
        if not self.recordings:
            self._record(self._planned(batches, 0, 1, RECORDED_STEPS))
        whole = self._planned(batches, 0, len(batches), len(batches))
        losses, first = torch.empty_like(_rates(whole)), 0
        while first < len(batches):
            steps = RECORDED_STEPS if first + RECORDED_STEPS <= len(batches) else 1
            part = slice(first, first + steps)
            for place, values in zip(self.plan, whole, strict=True):
                if place is not None and values is not None:
                    place[:steps] = values[part]
            graph, recorded_losses = self.recordings[steps]
            graph.replay()
            losses[part] = recorded_losses
            first += steps
        torch.cuda.synchronize()
        return [losses]

    def _record(self, plan: Plan) -> None:
        """Compile the step on copies of the state, then record graphs of it on the state itself.

        The graphs read from the memory of `plan` and `places`, which therefore must stay.
        """
        self.plan = plan
        self.places = places = [
            torch.full((), at, device=self.inputs.device) for at in range(RECORDED_STEPS)
        ]
        copies = [values.clone() for values in self.state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for at in places[:3]:
                self.program(copies, plan, self.steps_done, at)
        torch.cuda.current_stream().wait_stream(aside)
        for steps in (RECORDED_STEPS, 1):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                losses = [
                    self.program(self.state, plan, self.steps_done, at) for at in places[:steps]
                ]
                self.steps_done.add_(steps)
                self.recordings[steps] = graph, torch.stack(losses)

    def _planned(self, batches: Batches, first: int, steps: int, length: int) -> Plan:
        """Return the plan of `steps` steps from step `first`, filled up to `length` steps."""

        def filled(values: Array, dtype: torch.dtype, fill: float) -> torch.Tensor:
            part = torch.full((length, *values.shape[1:]), fill, dtype=dtype)
            part[:steps] = torch.from_numpy(values[first : first + steps])
            return part.to(self.inputs.device)

        return (
            None if batches.rows is None else filled(batches.rows, torch.int64, 0),
            filled(batches.sizes, self.inputs.dtype, 1),
            filled(batches.learning_rates, self.inputs.dtype, 0),
            *(filled(masks, torch.uint8, 0) for masks in batches.masks),
        )


def _rates(plan: Plan) -> torch.Tensor:
    """Return the learning rates of a plan."""
    rates = plan[2]
    assert rates is not None
    return rates


def _operations(task: Task) -> int:
    """Return about how many floating-point operations the products of a step take."""
    products = task.network.products
    return 6 * task.batch_size * sum(rows * a * b for rows, a, b in products)


def _require_compiler(on_gpu: bool) -> None:
    """Raise an error that says what to install where Inductor could not compile."""
    if on_gpu:
        if shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
            return
        raise ToolMissingError(
            "torch.compile needs a C compiler for its kernels on a GPU: install gcc, "
            "for example with `apt-get install gcc`"
        )
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise ToolMissingError(
            "torch.compile needs a C++ compiler: install g++ (`apt-get install g++`, "
            "`dnf install gcc-c++`), or name one in the variable CXX"
        ) from error
