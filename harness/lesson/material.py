"""What the items of the lesson are made of: trainings, earlier runs, and words for charts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.claims import loading
from harness.claims.model import Claim
from harness.data import raw
from harness.data.raw import Raw
from harness.experiment.loading import load
from harness.experiment.model import Experiment
from harness.lesson import oracle_run
from harness.lesson.earlier_runs import EarlierRuns
from harness.lesson.elements import Shown
from harness.lesson.oracle_run import OracleRun

Item = Callable[["Material"], Shown]
"""Computes what an item shows."""


@dataclass(eq=False)
class Material:
    """What items share while one page is made. Trainings and datasets are made once.

    Args:
        labels: words of axes and keys by name, in the page's language.
        earlier: runs that the user named.
        shown: what items show that were computed so far, by number.
    """

    labels: Mapping[str, str]
    earlier: EarlierRuns = field(default_factory=EarlierRuns)
    shown: dict[int, Shown] = field(default_factory=dict)
    _runs: dict[tuple[str, int, int | None], OracleRun] = field(default_factory=dict)
    _raw: dict[str, Raw] = field(default_factory=dict)

    def __getitem__(self, label: str) -> str:
        return self.labels[label]

    def train(
        self,
        experiment: Experiment | str,
        seed: int = 0,
        steps: int | None = None,
        keep: Iterable[int] = (),
    ) -> OracleRun:
        """Return a training, as `oracle_run.train` does; the same one again for the same steps.

        Raises:
            DataMissingError: the dataset is not on this machine.
        """
        protocol = load(experiment) if isinstance(experiment, str) else experiment
        key = protocol.digest, seed, steps
        run = self._runs.get(key)
        if run is None or not set(keep) <= run.parameters.keys():
            run = self._runs[key] = oracle_run.train(protocol, seed, steps, keep)
        return run

    def raw(self, dataset: str) -> Raw:
        """Return the rows of a dataset as published.

        Raises:
            DataMissingError: it is not on this machine.
        """
        if dataset not in self._raw:
            self._raw[dataset] = raw.read(dataset)
        return self._raw[dataset]

    def claim(self, name: str) -> Claim:
        """Return a claim of the ledger."""
        return loading.load(name)

    def protocol(self, claim: str, variant: str = "") -> Experiment:
        """Return the protocol of a claim, or of one of its variants."""
        return loading.protocol_of(self.claim(claim), variant)

    def measured(self, claim: str, key: str = "test_accuracy at last") -> list[float]:
        """Return what earlier runs measured of a claim's number, a value per run."""
        return [
            float(np.mean(sample.values[key]))
            for sample in self.earlier.claim(claim)
            if key in sample.values
        ]
