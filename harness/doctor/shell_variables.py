"""Which variables of the user's shell workers ignore, because they change computations."""

from collections.abc import Mapping

from harness.clock.environment import INHERITED

IGNORED_PREFIXES = (
    "OPENBLAS_",
    "GOTO_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "BLIS_",
    "VECLIB_",
    "NUMEXPR_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "TF_",
    "XLA_",
    "JAX_",
    "KERAS_",
    "TORCH_",
    "PYTORCH_",
    "ATEN_",
    "CUBLAS_",
    "CUDA_",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_",
    "DNNL_",
    "NPY_",
)
"""Beginnings of variables that change how fast or how exactly frameworks compute."""


def ignored_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables of an environment that workers do not inherit although they are set."""
    return tuple(
        sorted(
            name
            for name in environment
            if name.startswith(IGNORED_PREFIXES) and name not in INHERITED
        )
    )
