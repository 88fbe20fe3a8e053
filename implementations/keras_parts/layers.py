"""The network as a Keras model."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.trainer import Layer, Parameters, Task
from implementations.keras_parts.losses import Penalty
from implementations.keras_parts.optimizers import norm_bound


def network(task: Task) -> keras.Sequential:
    """Return dense layers with the given parameters; a Keras kernel is (inputs, outputs).

    The model of an "idiomatic" loop has the penalties, because `fit` asks the layers for them.
    Their factors are `penalty_factors` of the model.
    """
    model = keras.Sequential()
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
    model.add(keras.Input((task.network.inputs,)))
    for layer, (weights, biases) in zip(task.network.layers, task.parameters, strict=True):
        dense = keras.layers.Dense(
            layer.units, activation=_activation(layer), use_bias=layer.bias, **settings
        )
        model.add(dense)
        dense.set_weights([np.array(v) for v in (weights, biases) if v is not None])
    return model


def parameters(model: keras.Sequential) -> Parameters:
    """Return copies of a model's parameters in the contract's layout."""
    layers = ([ops.convert_to_numpy(v) for v in layer.weights] for layer in model.layers)
    return [(weights.copy(), biases[0].copy() if biases else None) for weights, *biases in layers]


def _activation(layer: Layer) -> Any:
    match layer.activation:
        case "identity":
            return None
        case "leaky_relu":
            # the libraries round the slope to float32, or have another gradient at 0
            return lambda z: ops.where(z > 0, z, layer.slope * z)
        case "swish":
            return "silu"
        case "softplus" if keras.backend.backend() == "torch":
            # torch's softplus is linear above 20, which is 2e-9 off
            return lambda z: ops.logaddexp(z, ops.zeros_like(z))
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
    return layer.activation


def _tanh() -> Any:
    """Return Keras's tanh; on JAX that of JAX, because Keras's rounds float64 to float32 there."""
    if keras.backend.backend() != "jax":
        return ops.tanh
    import jax.numpy

    return jax.numpy.tanh
