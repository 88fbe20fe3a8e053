"""The oracle's functions of arrays: activations, their derivatives, sigmoid and softmax."""

import math
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from harness.experiment.activation_name import Activated

Floats = NDArray[np.floating]
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""The constants of Klambauer et al., Self-Normalizing Neural Networks (2017), section 2."""
KINKS = {
    "relu": (0.0,),
    "leaky_relu": (0.0,),
    "elu": (0.0,),
    "selu": (0.0,),
    "relu6": (0.0, 6.0),
    "hard_tanh": (-1.0, 1.0),
    "hard_sigmoid": (-3.0, 3.0),
    "hard_sigmoid_fifth": (-2.5, 2.5),
    "hard_swish": (-3.0, 3.0),
}
"""Where the derivative of an activation jumps; that of ELU does so only if alpha is not 1."""


def activate(layer: Activated, z: Floats) -> Floats:
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
            return _elu(z, layer.alpha)
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
        case "selu":
            return np.multiply(_typed(SELU_SCALE, z), _elu(z, SELU_ALPHA))
        case "softsign":
            softsign: Floats = z / (1 + np.abs(z))
            return softsign
        case "log_sigmoid":
            return -np.logaddexp(0, -z)
        case "mish":
            return z * _tanh(np.logaddexp(0, z))
        case "relu6":
            return np.clip(z, 0, 6)
        case "hard_tanh":
            return np.clip(z, -1, 1)
        case "hard_sigmoid":
            return np.clip(z + 3, 0, 6) / 6
        case "hard_sigmoid_fifth":
            return np.clip(_typed(0.2, z) * z + _typed(0.5, z), 0, 1)
        case "hard_swish":
            return z * np.clip(z + 3, 0, 6) / 6
        case unknown:
            assert_never(unknown)


def slope(layer: Activated, z: Floats) -> Floats:
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
            return _elu_slope(z, layer.alpha)
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
        case "selu":
            return np.multiply(_typed(SELU_SCALE, z), _elu_slope(z, SELU_ALPHA))
        case "softsign":
            return 1 / (1 + np.abs(z)) ** 2
        case "log_sigmoid":
            return sigmoid(-z)
        case "mish":
            t = _tanh(np.logaddexp(0, z))
            return t + z * (1 - t**2) * sigmoid(z)
        case "relu6":
            return _between(z, 0, 6)
        case "hard_tanh":
            return _between(z, -1, 1)
        case "hard_sigmoid":
            return _between(z, -3, 3) / 6
        case "hard_sigmoid_fifth":
            return _typed(0.2, z) * _between(_typed(0.2, z) * z + _typed(0.5, z), 0, 1)
        case "hard_swish":
            inner = _between(z, -3, 3)
            return np.where(z < 3, inner * (2 * z + 3) / 6, 1).astype(z.dtype)
        case unknown:
            assert_never(unknown)


def kinks_of(layer: Activated) -> tuple[float, ...]:
    """Where the derivative of a layer's activation jumps."""
    if layer.activation == "elu" and layer.alpha == 1:
        return ()
    return KINKS.get(layer.activation, ())


def jump_at_kinks(layer: Activated, z: Floats) -> Floats:
    """How much larger the derivative is on the other side of a kink, where z is at one; else 0."""
    kinks = kinks_of(layer)
    middle = float(np.mean(kinks)) if len(kinks) > 1 else math.inf
    jumps = np.zeros_like(z)
    for kink in kinks:
        beside = np.full_like(z, kink + math.copysign(1e-9, middle - kink))
        jump = slope(layer, beside) - slope(layer, np.full_like(z, kink))
        jumps = np.where(z == kink, jump, jumps)
    return jumps


def _typed(constant: float, z: Floats) -> Floats:
    """The constant in the dtype of z."""
    return np.asarray(constant, z.dtype)


def _elu(z: Floats, alpha: float) -> Floats:
    below = _typed(alpha, z) * np.expm1(np.minimum(z, 0))
    return np.where(z > 0, z, below)


def _elu_slope(z: Floats, alpha: float) -> Floats:
    return np.where(z > 0, 1, _typed(alpha, z) * np.exp(np.minimum(z, 0)))


def _between(z: Floats, low: float, high: float) -> Floats:
    """1 where low < z < high, else 0: the derivative of clip(z, low, high)."""
    return ((z > low) & (z < high)).astype(z.dtype)


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
