"""The oracle's functions of arrays: activations, their derivatives, sigmoid and softmax."""

import math
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from harness.experiment.network import Layer

Floats = NDArray[np.floating]


def activate(layer: Layer, z: Floats) -> Floats:
    """f(z), as `harness.experiment.network` defines it."""
    match layer.activation:
        case "identity":
            return z
        case "sigmoid":
            return sigmoid(z)
        case "tanh":
            return _tanh(z)
        case "relu":
            return np.where(z > 0, z, 0)
        case "leaky_relu":
            return np.where(z > 0, z, (layer.slope or 0) * z)
        case "elu":
            return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
        case "swish":
            return z * sigmoid(z)
        case "softplus":
            return np.logaddexp(0, z)
        case "gelu":
            return z * _normal_cdf(z)
        case "gelu_tanh":
            return z * (1 + _tanh(_gelu_inner(z))) / 2
        case "step":
            return (z > 0).astype(z.dtype)
        case unknown:
            assert_never(unknown)


def slope(layer: Layer, z: Floats) -> Floats:
    """f'(z); at a kink the value that the contract states (that of z < 0)."""
    match layer.activation:
        case "identity":
            return np.ones_like(z)
        case "sigmoid":
            return sigmoid(z) * sigmoid(-z)
        case "tanh":
            return 1 - _tanh(z) ** 2
        case "relu":
            return (z > 0).astype(z.dtype)
        case "leaky_relu":
            return np.where(z > 0, 1, layer.slope or 0).astype(z.dtype)
        case "elu":
            return np.where(z > 0, 1, np.exp(np.minimum(z, 0)))
        case "swish":
            return sigmoid(z) * (1 + z * sigmoid(-z))
        case "softplus":
            return sigmoid(z)
        case "gelu":
            density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
            return _normal_cdf(z) + z * density
        case "gelu_tanh":
            t = _tanh(_gelu_inner(z))
            inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
            return (1 + t) / 2 + z * (1 - t**2) * inner_slope / 2
        case "step":
            return np.zeros_like(z)
        case unknown:
            assert_never(unknown)


def _tanh(z: Floats) -> Floats:
    t: Floats = np.tanh(z)
    return t


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), for either sign without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _normal_cdf(z: Floats) -> Floats:
    from scipy.special import erf

    cdf: Floats = (1 + erf(z / math.sqrt(2))) / 2
    return cdf.astype(z.dtype)


def _gelu_inner(z: Floats) -> Floats:
    inner: Floats = math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)
    return inner


def log_softmax(z: Floats) -> Floats:
    """log softmax(z), row by row, without overflow."""
    shifted = z - z.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def softmax(z: Floats) -> Floats:
    """exp(z) / sum exp(z), row by row."""
    return np.exp(log_softmax(z))
