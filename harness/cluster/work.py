"""A unit of work: what one Dask task is, as the command hands it out."""

from dataclasses import dataclass
from enum import StrEnum

from harness.plan import Trial


class Kind(StrEnum):
    """What is done with the trials of a unit."""

    TRIALS = "trials"
    LIMITS = "limits"
    PROOFS = "proofs"


@dataclass(frozen=True)
class Unit:
    """Trials that one worker runs, one after the other.

    Args:
        kind: what they are.
        trials: in the order they run.
        alone: whether nothing else of samestep may run on the machine meanwhile.
        node: the only machine that may run it, as `harness.cluster.host.node_of` names it; "" for
            any.
        machine: the only kind of machine, as `harness.clock.environment.machine_label` says it.
        otherwise: what to run where no such machine is there.
    """

    kind: Kind
    trials: tuple[Trial, ...]
    alone: bool = False
    node: str = ""
    machine: str = ""
    otherwise: "Unit | None" = None

    @property
    def is_bound(self) -> bool:
        """Whether not every machine may run it."""
        return bool(self.node or self.machine)

    def fits(self, node: str, machine: str) -> bool:
        """Whether a machine may run it."""
        return self.node in ("", node) and self.machine in ("", machine)
