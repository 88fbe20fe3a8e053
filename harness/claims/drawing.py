"""Whether a protocol draws anything that differs from trial to trial."""

from typing import Literal

from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Track

NOT_DRAWN = ("zeros", "constant", "constants", "file")
PARTS: tuple[Literal["weights", "biases"], ...] = ("weights", "biases")
DRAWN_ORDERS = ("shuffled", "with_replacement")


def what_is_drawn(protocol: Experiment, track: Track, before_training: bool = False) -> list[str]:
    """Return what every seed draws anew, as fields of the protocol; nothing where all is given.

    A split is drawn by its own seed, which is part of the protocol. A library's own solver takes
    the seed as its `random_state`, whether it uses it or not, unless its parameters state one.
    """
    if track == Track.NATIVE:
        stated = any("random_state" in solver.parameters for solver in protocol.native)
        return [] if stated else ["random_state of the solver"]
    drawn = [f"initializers.{part}" for part in PARTS if _is_drawn(protocol, part)]
    if before_training:
        return drawn
    if protocol.training and protocol.training.batches.order in DRAWN_ORDERS:
        drawn.append("training.batches")
    return drawn


def _is_drawn(protocol: Experiment, part: Literal["weights", "biases"]) -> bool:
    layers = range(len(protocol.network.weighted_layers))
    return any(protocol.initializers.of(part, i).name not in NOT_DRAWN for i in layers)


def repeats_the_source(protocol: Experiment, track: Track) -> bool:
    """Whether seed 0 is the source's own run: it draws the source's random numbers again.

    So it is with `[generator]`, and with a library's own solver, whose `random_state` is the seed.
    """
    return track == Track.NATIVE or protocol.generator is not None
