"""Whose random numbers a protocol draws with, where it repeats a seeded run of a source."""

from typing import Literal

from harness.experiment.fields import Frozen, RandomStateSeed


class RandomStateGenerator(Frozen):
    """One `numpy.random.RandomState(seed)` for the start and then for the batches.

    The parameters are drawn first, layer by layer, the weights and then the biases (if they are
    drawn at all); the same stream goes on to order the rows, epoch by epoch. A trial of seed s
    takes `RandomState(seed + s)`, so seed 0 is the source's run. Without this table the harness
    draws everything with PCG64.

    Args:
        seed: the source's own.
        weights: the shape in which weights are drawn: `inputs_first` is (inputs, units), as the
            harness keeps them; `outputs_first` is (units, inputs), transposed afterwards.
        order: for `shuffled` batches, and only for these: `afresh` shuffles 0..rows-1 in every
            epoch, `onwards` goes on shuffling what the epoch before left. `with_replacement`
            draws every batch by `choice(rows, size)`.
    """

    name: Literal["numpy_legacy"]
    seed: RandomStateSeed
    weights: Literal["inputs_first", "outputs_first"]
    order: Literal["afresh", "onwards"] | None = None
