"""Builds an invented claim and samples of it; nothing is trained."""

import copy
from typing import Any

from harness.claims.claim_plan import claim_runs
from harness.claims.judge import Judged, judge
from harness.claims.loading import from_values
from harness.claims.model import Claim
from harness.claims.samples import Sample, pack
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


def make_claim(base: str = "mnist-softmax", /, fixed: bool = False, **changes: Any) -> Claim:
    """The claim above on a catalogue protocol, with changed fields; `number` changes its number.

    With `fixed` the protocol draws nothing: it starts at zeros and keeps the rows in order.
    """
    values = copy.deepcopy(CLAIM)
    values["numbers"][0] |= changes.pop("number", {})
    catalogue = protocol(base)
    if fixed:
        catalogue["training"]["batches"]["order"] = "sequential"
        catalogue["initializers"] = {part: {"name": "zeros"} for part in ("weights", "biases")}
    left_out = ("name", "title", "quick", "native")
    values["protocol"] = {key: value for key, value in catalogue.items() if key not in left_out}
    return from_values(values | changes, "test")


def digests(claim: Claim) -> dict[str, str]:
    return {run.variant: run.experiment.digest for run in claim_runs(claim, every_variant=True)}


def make_sample(
    claim: Claim,
    values: dict[str, list[float]],
    *,
    seed: int = 0,
    framework: str = "numpy",
    variant: str = "",
    proof: str = "same",
    right: Any = None,
    tested: int = 10_000,
    **columns: Any,
) -> Sample:
    """One sample; `columns` changes its row."""
    (run,) = [run for run in claim_runs(claim, every_variant=True) if run.variant == variant]
    trial = trial_of(
        experiment=run.experiment.name,
        framework=framework,
        loop="fused",
        seed=seed,
        id=f"{framework}-{variant}-{seed}",
    )
    blank = blank_row(trial, "run", "1.0", run.experiment, "ok", None)
    return Sample(
        claim=claim.id,
        variant=variant,
        proof=proof,
        tested=tested if right is None else len(right),
        values=values,
        right="" if right is None else pack(right),
        row=type(blank)(**{**vars(blank), **columns}),
    )


def accuracies(claim: Claim, *values: float, **more: Any) -> list[Sample]:
    """Samples of seeds 0, 1, …, with these test accuracies at the end."""
    key = claim.numbers[0].key
    return [
        make_sample(claim, {key: [value]}, seed=seed, **more) for seed, value in enumerate(values)
    ]


def judged(claim: Claim, samples: list[Sample]) -> Judged:
    return judge(claim, samples, digests(claim))
