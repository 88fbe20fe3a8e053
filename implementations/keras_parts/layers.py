"""The network as a Keras model."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.trainer import (
    AveragePool,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Parameters,
    Task,
)
from implementations.keras_parts.dropout import GivenDropout, MaskedNetwork
from implementations.keras_parts.images import convolution, reshape, without_parameters
from implementations.keras_parts.losses import Penalty
from implementations.keras_parts.optimizers import norm_bound

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""The constants of Klambauer et al. (2017), section 2."""


def network(task: Task, images_by_products: bool = False) -> keras.Model:
    """Return layers with the given parameters; a Keras kernel is (inputs, outputs).

    Args:
        task: as in the contract.
        images_by_products: see `images.ProductConv2D`.

    The model of an "idiomatic" loop has the penalties, because `fit` asks the layers for them.
    Their factors are `penalty_factors` of the model.
    """
    model = MaskedNetwork() if task.network.dropout_layers else keras.Sequential()
    settings: dict[str, Any] = {}
    if task.max_norm is not None:
        settings["kernel_constraint"] = norm_bound(task.max_norm)
    if task.loop == "idiomatic":
        given = [each for each in (task.l2, task.l1) if each is not None]
        # a compiled step is given the model's variables
        model.penalty_factors = [
            keras.Variable(0.0, trainable=False, dtype=task.dtype) for _ in given
        ]
        parts = list(zip(given, model.penalty_factors, strict=True))
        on_biases = [(each, factor) for each, factor in parts if each.on == "all"]
        settings["kernel_regularizer"] = Penalty(parts) if parts else None
        settings["bias_regularizer"] = Penalty(on_biases) if on_biases else None
    if isinstance(model, keras.Sequential):
        model.add(keras.Input((task.network.inputs,)))
    stack = zip(task.network.layers, task.network.row_shapes, task.parameters, strict=False)
    is_image = False  # rows come in as numbers
    for layer, shape, entry in stack:
        takes_image = isinstance(layer, Conv | MaxPool | AveragePool | Flatten)
        if takes_image != is_image:
            model.add(reshape(shape if takes_image else (math.prod(shape),)))
        is_image = takes_image and not isinstance(layer, Flatten)
        match layer:
            case Dropout():
                model.add(GivenDropout(layer))
            case Dense():
                dense = keras.layers.Dense(
                    layer.units, activation=_activation(layer), use_bias=layer.bias, **settings
                )
                dense.build((None, *shape))
                model.add(dense)
                dense.set_weights([np.array(v) for v in entry if v is not None])
            case Conv():
                for each in convolution(
                    layer, shape, entry, _activation(layer), settings, images_by_products
                ):
                    model.add(each)
            case _:
                for each in without_parameters(layer, shape, images_by_products):
                    model.add(each)
    return model


def parameters(model: keras.Model, task: Task) -> Parameters:
    """Return copies of a model's parameters in the contract's layout, which is that of Keras."""
    found = (
        [ops.convert_to_numpy(v).copy() for v in layer.weights]
        for layer in model.layers
        if layer.weights
    )
    return [_entry(next(found)) if entry else () for entry in task.parameters]


def _entry(values: list[Any]) -> tuple[Any, ...]:
    return values[0], values[1] if len(values) > 1 else None


def _activation(layer: Dense | Conv) -> Any:
    match layer.activation:
        case "identity":
            return None
        case "leaky_relu":
            # the libraries round the slope to float32, or have another gradient at 0
            return lambda z: ops.where(z > 0, z, layer.slope * z)
        case "swish":
            return "silu"
        case "softplus":
            return _softplus()
        case "tanh":
            return _tanh()
        case "gelu":
            # Keras's gelu rounds sqrt(2) to float32, which is 5e-9 off in float64
            return lambda z: 0.5 * z * (1 + ops.erf(z * math.sqrt(0.5)))
        case "gelu_tanh":
            k, tanh = math.sqrt(2 / math.pi), _tanh()
            return lambda z: 0.5 * z * (1 + tanh(k * (z + 0.044715 * z * z * z)))
        case "step":
            return lambda z: ops.cast(z > 0, z.dtype)
        case "elu" if layer.alpha != 1:
            return lambda z: ops.elu(z, layer.alpha)
        case "selu":
            # the gradient of TensorFlow's, outside XLA, is that of positive z at 0
            return lambda z: SELU_SCALE * ops.where(z > 0, z, SELU_ALPHA * ops.elu(z))
        case "mish":
            softplus, tanh = _softplus(), _tanh()
            return lambda z: z * tanh(softplus(z))
        case "hard_tanh":
            # on JAX and TensorFlow the gradient of Keras's is 1 at -1 and 1, the contract's 0
            return lambda z: _clipped(z, -1, 1)
        case "hard_sigmoid_fifth":
            return lambda z: _clipped(0.2 * z + 0.5, 0, 1)
        case "hard_swish":
            return "hard_silu"
    return layer.activation


def _clipped(z: Any, low: float, high: float) -> Any:
    """Return z between low and high, with a gradient of 0 at both."""
    inside = ops.logical_and(z > low, z < high)
    return ops.where(inside, z, ops.clip(ops.stop_gradient(z), low, high))


def _softplus() -> Any:
    """Return Keras's softplus; on PyTorch it is linear above 20, which is 2e-9 off."""
    if keras.backend.backend() == "torch":
        return lambda z: ops.logaddexp(z, ops.zeros_like(z))
    return ops.softplus


def _tanh() -> Any:
    """Return Keras's tanh; on JAX that of JAX, because Keras's rounds float64 to float32 there."""
    if keras.backend.backend() != "jax":
        return ops.tanh
    import jax.numpy

    return jax.numpy.tanh
