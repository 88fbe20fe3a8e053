"""The backend of Keras, which is chosen once per process."""

import os
import sys


def choose_backend(name: str) -> None:
    """Import Keras on a backend: "tensorflow", "jax" or "torch".

    Keras reads `KERAS_BACKEND` when it is imported, and never again.

    Raises:
        RuntimeError: Keras is imported already, on another backend.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = name
    import keras

    chosen = keras.backend.backend()
    if chosen != name:
        raise RuntimeError(
            f"the backend of Keras must be {name!r} in this process. Got {chosen!r}, with which "
            f"Keras is already imported: use one process for each backend, as samestep does"
        )
