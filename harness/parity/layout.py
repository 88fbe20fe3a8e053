"""What a trace shows of the layout of parameters: kernels turned round, biases of other shapes.

A trace in another layout is put right, so that the rest of it can be diagnosed.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.parameters import as_inputs_first, like, map_biases, outputs_first
from harness.parity.hypotheses import NETWORK, RETURNED
from harness.parity.judgement import first_failure
from harness.parity.rungs import compare
from harness.parity.trace import Trace
from harness.trainer import Array, Parameters


def layout_problem(trace: Trace, expected: Trace) -> tuple[str, str]:
    """Return what stands in the way of any comparison, and the line of the contract.

    Both are "" where shapes are right, or can be put right by `put_right`.
    """
    found, right = trace.parameters[0], expected.parameters[0]
    if len(found) != len(right):
        return f"there are {len(found)} layers, not {len(right)}", NETWORK
    for layer, (entry, right_entry) in enumerate(zip(found, right, strict=True), start=1):
        if len(entry) != len(right_entry):
            words = f"layer {layer} has {len(entry)} arrays, not {len(right_entry)}"
            return words, f"{NETWORK}; {RETURNED}"
        if not right_entry:
            continue
        (W, b), (right_W, right_b) = entry, right_entry
        if W.shape not in (right_W.shape, outputs_first(right_W.shape)):
            if W.ndim == right_W.ndim and W.shape[:-1] == right_W.shape[:-1]:
                what = "units" if W.ndim == 2 else "channels"
                return f"layer {layer} has {W.shape[-1]} {what}, not {right_W.shape[-1]}", NETWORK
            words = f"weights of layer {layer} have shape {W.shape}, not {right_W.shape}"
            return words, f"{NETWORK}; {RETURNED}"
        if b is None and right_b is not None:
            return f"layer {layer} has no biases: None is returned in their place", NETWORK
        if b is not None and right_b is None:
            return f"layer {layer} has biases, and must have none", NETWORK
        if b is not None and right_b is not None and b.size != right_b.size:
            words = f"biases of layer {layer} have shape {b.shape}, not {right_b.shape}"
            return words.replace("shape ()", "the shape of a scalar"), RETURNED
    outputs, right_outputs = trace.outputs, expected.outputs
    if outputs is None or right_outputs is None:
        return "", ""
    if outputs.shape != right_outputs.shape:
        words = f"predict returns shape {outputs.shape}, not {right_outputs.shape}"
        return words, "predict: raw outputs (rows, outputs)"
    return "", ""


def put_right(trace: Trace, expected: Trace) -> tuple[Trace, list[str]]:
    """Return the trace in the contract's layout, and in words what had to be put right.

    A square kernel is turned round only where that makes it the start as given. If such a trace
    is still wrong, it is the trace of a network that read the kernel the wrong way round.
    """
    found, right = trace.parameters[0], expected.parameters[0]
    entries = list(zip(found, right, strict=True))
    turned = [bool(entry) and _is_turned(entry[0], other[0]) for entry, other in entries]
    weighted = [is_turned for is_turned, entry in zip(turned, right, strict=True) if entry]
    reshaped = {
        str(entry[1].shape)
        for entry, other in entries
        if entry and _differ_in_shape(entry[1], other[1])
    }
    words = []
    if any(turned):
        layers = " and ".join(str(i) for i, is_turned in enumerate(turned, start=1) if is_turned)
        which = "kernels" if all(weighted) else f"the kernel of layer {layers}"
        verb = "are" if all(weighted) else "is"
        words.append(f"{which} {verb} returned as (outputs, inputs), not (inputs, outputs)")
    if reshaped:
        shapes = ", ".join(sorted(reshaped)).replace("()", "of a scalar")
        words.append(f"biases are returned in shape {shapes}, not (units,)")
    if not words:
        return trace, []

    def mapped(pairs: Parameters) -> Parameters:
        shaped = map_biases(lambda b, to: b if to is None else b.reshape(to.shape), pairs, right)
        return [
            like(entry, [as_inputs_first(entry[0]), *entry[1:]]) if is_turned else entry
            for entry, is_turned in zip(shaped, turned, strict=True)
        ]

    parameters = {step: mapped(pairs) for step, pairs in trace.parameters.items()}
    gradients = mapped(trace.gradients) if trace.gradients else trace.gradients
    righted = replace(trace, parameters=parameters, gradients=gradients)
    same_shapes = all(a[0].shape == b[0].shape for a, b in entries if a)
    if same_shapes and any(turned) and first_failure(compare(righted, expected)) is not None:
        return trace, []
    return righted, words


def _is_turned(W: Array, right: Array) -> bool:
    if W.shape != right.shape:
        return bool(W.shape == outputs_first(right.shape))
    square = W.ndim == 2 and W.shape[0] == W.shape[1] > 1
    return square and not np.array_equal(W, right) and np.array_equal(W.T, right)


def is_view(trace: Trace, expected: Trace) -> bool:
    """Whether all parameters kept are those of the last step, which is right or has moved."""
    steps = sorted(trace.parameters)
    last, first = trace.parameters[steps[-1]], trace.parameters[0]
    if len(steps) < 2 or _equal(first, expected.parameters[0]):
        return False
    return all(_equal(trace.parameters[step], last) for step in steps) and not _equal(
        expected.parameters[0], expected.parameters[max(expected.parameters)]
    )


def _equal(pairs: Parameters, others: Parameters) -> bool:
    def same(a: Any, b: Any) -> bool:
        return (a is None) == (b is None) and (a is None or np.array_equal(a, b))

    return all(
        same(a, b)
        for pair, other in zip(pairs, others, strict=True)
        for a, b in zip(pair, other, strict=True)
    )


def _differ_in_shape(a: Array | None, b: Array | None) -> bool:
    return a is not None and b is not None and a.shape != b.shape
