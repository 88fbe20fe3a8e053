"""A claim and samples of it, made up: nothing is trained."""

import copy
from typing import Any

from harness.claims import planning
from harness.claims.judge import Judged, judge
from harness.claims.loading import from_values
from harness.claims.model import Claim
from harness.claims.samples import Sample, packed
from harness.trial.outcome import blank_row
from tests.conftest import protocol
from tests.trials import trial_of

CLAIM: dict[str, Any] = {
    "id": "T1",
    "title": "A made-up claim",
    "cost": "seconds",
    "seeds": 2,
    "source": {"author": "A", "title": "B", "year": "2020", "address": "C", "verified": "V1"},
    "numbers": [
        {"name": "accuracy", "metric": "test_accuracy", "published": "0.920", "rule": "level"}
    ],
}


def claim(base: str = "mnist-softmax", /, **changes: Any) -> Claim:
    """The claim above on a catalogue protocol, with changed fields; `number` changes its number."""
    values = copy.deepcopy(CLAIM)
    values["numbers"][0] |= changes.pop("number", {})
    own = protocol(base)
    values["protocol"] = {k: v for k, v in own.items() if k not in ("name", "title", "quick")}
    values["protocol"].pop("native", None)
    return from_values(values | changes, "test")


def digests(of: Claim) -> dict[str, str]:
    return {p.variant: p.experiment.digest for p in planning.parts(of, every_variant=True)}


def told(
    of: Claim, values: dict[str, list[float]], *, seed: int = 0, framework: str = "numpy",
    variant: str = "", proof: str = "same", right: Any = None, tested: int = 10_000, **row: Any,
) -> Sample:  # fmt: skip
    """One sample; `row` changes columns."""
    (part,) = [p for p in planning.parts(of, every_variant=True) if p.variant == variant]
    trial = trial_of(
        experiment=part.experiment.name, framework=framework, loop="fused", seed=seed,
        id=f"{framework}-{variant}-{seed}",
    )  # fmt: skip
    blank = blank_row(trial, "run", "1.0", part.experiment, "ok", None)
    values_of_row = {**vars(blank), **row}
    bits = "" if right is None else packed(right)
    return Sample(
        of.id, variant, proof, tested if right is None else len(right), values,
        bits, type(blank)(**values_of_row),
    )  # fmt: skip


def accuracies(of: Claim, *values: float, **more: Any) -> list[Sample]:
    """Samples of seeds 0, 1, …, with these test accuracies at the end."""
    key = of.numbers[0].key
    return [told(of, {key: [value]}, seed=seed, **more) for seed, value in enumerate(values)]


def judged(of: Claim, samples: list[Sample]) -> Judged:
    return judge(of, samples, digests(of))
