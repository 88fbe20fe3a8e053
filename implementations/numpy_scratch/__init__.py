"""A multi-layer perceptron from scratch in NumPy, to be read.

`activations`, `losses`, `layers` and `optimizers` each hold the mathematics of one thing, the
derivation as the docstring; `trainer` puts them together behind the contract. `many_seeds`
trains many networks at once, for success rates.

It is fast and still reads like the textbook. All parameters live in one flat buffer and all
gradients in another; layers see them as shaped views. Every work array is made once, so a step
allocates nothing of the network's or the data's size (except for an L2 penalty). Large batches
and the flat buffers are walked in blocks that fit the cache.
"""

from implementations.numpy_scratch.trainer import NumpyTrainer

__all__ = ["NumpyTrainer"]
