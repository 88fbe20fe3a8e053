"""What earlier runs measured: rows and curves of the folders that `--from` names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.claims import samples
from harness.claims.samples import Sample
from harness.experiment.vocabulary import Purpose, Status, Track
from harness.results import Row
from harness.run import Run, load_run

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EarlierRuns:
    """Rows of `report` and samples of `reproduce`.

    Args:
        runs: folders that hold a plan.
        samples: of all folders.
    """

    runs: Sequence[Run] = ()
    samples: Sequence[Sample] = ()

    @classmethod
    def read(cls, folders: Sequence[Path]) -> "EarlierRuns":
        """Read folders that `report` or `reproduce` wrote.

        Raises:
            ValueError: a folder holds neither rows nor samples, or they cannot be read.
            OSError: a file cannot be read.
        """
        runs: list[Run] = []
        collected: list[Sample] = []
        for folder in folders:
            of_claims = samples.read(folder)
            collected += of_claims
            if (folder / "plan.json").exists():
                runs.append(load_run(folder))
            elif not of_claims:
                raise ValueError(
                    f"{folder} holds no run. Give a folder that `samestep report` or `samestep "
                    "reproduce` wrote to, such as results/runs/<plan> or results/ledger"
                )
        return cls(runs, collected)

    def rows(self, experiment: str) -> list[Row]:
        """Return the measured rows of an experiment that went well, of proven cells alone."""
        return [row for _, row in self._with_runs(experiment)]

    def accuracy_curve(self, experiment: str) -> tuple[Row, Floats, Floats, Floats] | None:
        """Return a row with steps, training and test accuracy; the longest training there is."""
        found = []
        for run, row in self._with_runs(experiment):
            arrays = run.arrays(row.trial)
            names = ("step", "train_accuracy", "test_accuracy")
            if all(name in arrays and arrays[name].ndim == 1 for name in names):
                steps, train, test = (np.asarray(arrays[name], np.float64) for name in names)
                if len(steps) == len(train) == len(test) > 1 and np.isfinite(test).all():
                    found.append((row, steps, train, test))
        return max(found, key=lambda curve: curve[1][-1], default=None)

    def _with_runs(self, experiment: str) -> Iterator[tuple[Run, Row]]:
        for run in self.runs:
            for row in run.rows:
                is_measured = row.purpose == Purpose.MEASURE and row.test_accuracy is not None
                if row.experiment != experiment or row.status != Status.OK or not is_measured:
                    continue
                if row.track == Track.NATIVE or run.judgement_of(row).proven:
                    yield run, row

    def claim(self, claim: str, variant: str = "") -> list[Sample]:
        """Return the samples of a claim that may be used for a verdict."""
        return [
            sample
            for sample in self.samples
            if sample.claim == claim and sample.variant == variant and sample.counts
        ]
