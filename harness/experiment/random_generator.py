"""The random numbers of a source's seeded run, where a protocol repeats that run."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from harness.experiment.fields import Frozen, RandomStateSeed

EARLIER_ORDERS = {"afresh": "reshuffle_each_epoch", "onwards": "continue_shuffling"}
"""Earlier words for `order`, which are still read, and the words of today."""


def _word_of_today(value: Any) -> Any:
    return EARLIER_ORDERS.get(value, value) if isinstance(value, str) else value


class RandomStateGenerator(Frozen):
    """One `numpy.random.RandomState(seed)` draws the start and then the batches.

    The parameters are drawn first, layer by layer, weights before biases, as far as the
    initializers draw at all. The same stream then orders the rows, epoch by epoch. A trial of
    seed s takes `RandomState(seed + s)`, so trial 0 is the source's run. A protocol without this
    table is drawn with PCG64.

    Args:
        name: `numpy_legacy`, the only one; NumPy calls `RandomState` its legacy generator.
        seed: the source's seed, 0 to 2^32 - 1.
        weights: the shape in which weights are drawn. `inputs_first` is (inputs, units), the
            harness's own layout; `outputs_first` is (units, inputs), transposed afterwards.
        order: required for `shuffled` batches, not allowed for others. `reshuffle_each_epoch`
            shuffles 0..rows-1 in every epoch; `continue_shuffling` shuffles what the epoch before
            left. The earlier words `afresh` and `onwards` mean the same. Batches
            `with_replacement` need no order: each is drawn by `choice(rows, size)`.
    """

    name: Literal["numpy_legacy"]
    seed: RandomStateSeed
    weights: Literal["inputs_first", "outputs_first"]
    order: (
        Annotated[
            Literal["reshuffle_each_epoch", "continue_shuffling"], BeforeValidator(_word_of_today)
        ]
        | None
    ) = None
