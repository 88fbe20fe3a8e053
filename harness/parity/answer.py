"""What somebody's own loop hands back: as much of a trace as there is, and never more.

A part that was not handed back stays absent. It is not judged, and nothing is put in its place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.experiment.model import Experiment
from harness.parameters import like, named_arrays
from harness.parity.digits import Digits, digits_of
from harness.parity.trace import Trace, predicted_rows
from harness.trainer import Array, Parameters


class AnswerError(ValueError):
    """A part of an answer that cannot be compared. The message says which, and what to hand back.

    Attributes:
        part: "losses", "outputs before training", "parameters after step 1" and so on.
    """

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part}: {problem}")
        self.part = part


@dataclass(frozen=True)
class PartialAnswer:
    """What a loop hands back. Every part may be left out.

    Arrays are NumPy arrays, nested lists, or tensors that NumPy can read.

    Args:
        losses: of every step before its update, (steps,); fewer are those of the first steps. Or
            a mapping of steps, counted from 1, to losses.
        outputs_before: raw outputs (rows, outputs) of `predicted_rows`, before training.
        gradients: of the first batch, at the start; as one of `parameters`.
        parameters: number of updates to parameters after them, 0 for the start. Parameters are
            a list of (W, b) per layer, W (inputs, units) and b (units,) or None; or a flat list
            W, b, W, b, ... of arrays.
        outputs_after: raw outputs of the same rows after the last step.
    """

    losses: Mapping[int, float] | Sequence[float] | Array | None = None
    outputs_before: Any = None
    gradients: Any = None
    parameters: Mapping[int, Any] | None = None
    outputs_after: Any = None


@dataclass(frozen=True)
class ReadAnswer:
    """An answer that was compared with the protocol's shapes.

    Args:
        trace: what was handed back; what was not is absent from it.
        digits: how exact its numbers are.
    """

    trace: Trace
    digits: Digits


def read_answer(
    answer: PartialAnswer, experiment: Experiment, start: Parameters, dtype: str | None = None
) -> ReadAnswer:
    """Return what was handed back as a trace.

    Args:
        answer: of a loop.
        experiment: the protocol, of the length that was handed out.
        start: the parameters that were handed out, for their shapes.
        dtype: the precision that the loop computed in; by default its numbers say it.

    Raises:
        AnswerError: a part has another shape, is no array of numbers, or is of a step that the
            protocol does not have; or nothing was handed back.
    """
    reader = _Reader(experiment, start)
    losses, unknown = reader.losses(answer.losses)
    parameters = dict(reader.parameters(answer.parameters or {}))
    gradients = reader.gradients(answer.gradients)
    outputs = reader.outputs("outputs before training", answer.outputs_before)
    final_outputs = reader.outputs("outputs after training", answer.outputs_after)
    parts = (losses, outputs, final_outputs, parameters or None, gradients or None)
    if all(part is None for part in parts):
        raise AnswerError(
            "answer", "nothing was handed back. Hand back losses, parameters or outputs"
        )
    trace = Trace(
        outputs=outputs,
        gradients=gradients,
        parameters=parameters,
        losses=losses,
        final_outputs=final_outputs,
        unknown_losses=unknown,
    )
    return ReadAnswer(trace, Digits(dtype) if dtype else digits_of(reader.computed))


def read_losses(losses: Any, experiment: Experiment) -> Array:
    """Return the losses (steps,) that were handed back, with NaN where there is none.

    Raises:
        AnswerError: they are not so many numbers.
    """
    values, _ = _Reader(experiment, []).losses(losses)
    return np.full(experiment.steps, np.nan) if values is None else values


class _Reader:
    """Turns the parts of an answer into arrays of the protocol's shapes.

    Attributes:
        computed: the arrays that the loop computed, as they came; not the start.
    """

    def __init__(self, experiment: Experiment, start: Parameters) -> None:
        self.experiment, self.start = experiment, start
        self.computed: list[Array] = []

    def losses(self, given: Any) -> tuple[Array | None, Array | None]:
        """Return the losses (steps,) with NaN where there is none, and where there is none."""
        if given is None:
            return None, None
        steps = self.experiment.steps
        if isinstance(given, Mapping):
            by_step = {self._step("losses", step, 1): value for step, value in given.items()}
            values = self._array("losses", list(by_step.values()))
            places = np.array(list(by_step), int) - 1
        else:
            values = self._array("losses", given)
            values = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
            places = np.arange(len(values)) if values.ndim else np.zeros(0, int)
        if values.ndim != 1 or not values.size:
            raise AnswerError(
                "losses", f"must be one number of each step, ({steps},). Got shape {values.shape}"
            )
        if len(values) > steps:
            raise AnswerError(
                "losses",
                f"{len(values)} numbers for {steps} steps. Hand back the loss of every step, "
                "before its update, and none after the last one",
            )
        losses = np.full(steps, np.nan)
        losses[places] = values
        unknown = np.ones(steps, bool)
        unknown[places] = False
        return losses, unknown if unknown.any() else None

    def outputs(self, part: str, given: Any) -> Array | None:
        """Return raw outputs (rows, outputs)."""
        if given is None:
            return None
        values = self._array(part, given)
        wanted = (len(predicted_rows(self.experiment)), self.experiment.network.outputs)
        if values.shape == wanted[:1] and wanted[1] == 1:
            values = values.reshape(wanted)
        if values.shape != wanted:
            labels = " Labels are not enough: hand back logits" if values.shape[1:] == () else ""
            raise AnswerError(
                part, f"must have shape {wanted}, raw outputs. Got {values.shape}.{labels}"
            )
        return values

    def gradients(self, given: Any) -> Parameters:
        """Return the gradients of the first batch, or an empty list."""
        return [] if given is None else self._pairs("gradients", given, is_computed=True)

    def parameters(self, given: Any) -> Iterator[tuple[int, Parameters]]:
        """Yield every step with its parameters."""
        if not isinstance(given, Mapping):
            raise AnswerError(
                "parameters",
                "must be a mapping of steps to parameters, such as "
                f"{{0: start, {self.experiment.steps}: end}}. Got {type(given).__name__}",
            )
        for key in given:
            step = self._step("parameters", key, 0)
            part = f"parameters after step {step}" if step else "parameters at the start"
            yield step, self._pairs(part, given[key], is_computed=step > 0)

    def _step(self, part: str, step: Any, first: int) -> int:
        steps = self.experiment.steps
        if isinstance(step, bool) or not isinstance(step, int | np.integer):
            raise AnswerError(part, f"a step must be a whole number. Got {step!r}")
        if not first <= step <= steps:
            counted = "counted from 1" if first else "0 is the start"
            raise AnswerError(
                part, f"a step must be {first} to {steps} ({counted}). Got step {step}"
            )
        return int(step)

    def _pairs(self, part: str, given: Any, is_computed: bool) -> Parameters:
        layers = self._layers(part, given)
        if len(layers) != len(self._trained):
            raise AnswerError(part, f"must be of {len(self._trained)} layers. Got {len(layers)}")
        entries = list(self.start)
        for (W, b), index in zip(layers, self._trained, strict=True):
            number, (right_W, right_b) = index + 1, self.start[index]
            weights = self._array(f"{part}, weights of layer {number}", W, is_computed)
            self._check_weights(part, number, weights, right_W)
            biases = self._biases(part, number, b, right_b, is_computed)
            entries[index] = like(self.start[index], [weights, biases])
        return entries

    @property
    def _trained(self) -> list[int]:
        """The places of the layers that have parameters."""
        return [index for index, entry in enumerate(self.start) if entry]

    def _layers(self, part: str, given: Any) -> list[tuple[Any, Any]]:
        """Pairs of weights and biases, of the layers that have parameters.

        A flat list of arrays is paired as the network has them.
        """
        if not isinstance(given, list | tuple):
            raise AnswerError(
                part,
                f"must be a list of (W, b), one of each layer. Got {type(given).__name__}",
            )
        given = [entry for entry in given if not isinstance(entry, list | tuple) or entry]
        if all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in given) and any(
            pair[1] is None or np.ndim(pair[0]) == 2 for pair in given
        ):
            return [(W, b) for W, b in given]
        wanted = sum(1 for _ in named_arrays(self.start))
        if len(given) != wanted:
            raise AnswerError(
                part,
                f"must be a list of (W, b), one of each of {len(self._trained)} layers, or a flat "
                f"list of {wanted} arrays. Got {len(given)} entries",
            )
        arrays = iter(given)
        start = (self.start[index] for index in self._trained)
        return [(next(arrays), None if b is None else next(arrays)) for _, b in start]

    def _check_weights(self, part: str, number: int, W: Array, right: Array) -> None:
        if W.shape == right.shape:
            return
        turned = ""
        if W.shape == right.shape[::-1]:
            turned = ". They are (units, inputs), as in PyTorch: hand back their transpose, `W.T`"
        raise AnswerError(
            part,
            f"weights of layer {number} must have shape {right.shape}, (inputs, units). "
            f"Got {W.shape}{turned}",
        )

    def _biases(
        self, part: str, number: int, b: Any, right: Array | None, is_computed: bool
    ) -> Array | None:
        if right is None:
            if b is not None:
                raise AnswerError(part, f"layer {number} has no biases: None stands for them")
            return None
        if b is None:
            raise AnswerError(
                part, f"biases of layer {number} must have shape {right.shape}. Got None"
            )
        values = self._array(f"{part}, biases of layer {number}", b, is_computed)
        if values.size != right.size or max(values.shape, default=1) != right.size:
            raise AnswerError(
                part,
                f"biases of layer {number} must have shape {right.shape}. Got {values.shape}",
            )
        return values.reshape(right.shape)

    def _array(self, part: str, given: Any, is_computed: bool = True) -> Array:
        try:
            values = np.asarray(_detached(given))
        except Exception as error:  # whatever a foreign object does when it is read
            raise AnswerError(part, f"cannot be read as an array: {error}") from None
        if values.dtype == object:
            if any(value is None for value in values.ravel()):
                raise AnswerError(part, "must be numbers. Got None among them")
            try:
                values = values.astype(np.float64)
            except (TypeError, ValueError):
                raise AnswerError(part, "must be numbers in one array of one shape") from None
        if values.dtype.kind not in "fiu":
            raise AnswerError(part, f"must be real numbers. Got an array of {values.dtype}")
        if is_computed:
            self.computed.append(values)
        return np.array(values, np.float64)


def _detached(given: Any) -> Any:
    """What was given, its tensors without gradients and on the CPU, as NumPy can read them.

    Only PyTorch's tensors have to be detached; they are known by that method.
    """
    if isinstance(given, list | tuple):
        return [_detached(item) for item in given]
    detach = getattr(given, "detach", None)
    return detach().cpu() if callable(detach) else given
