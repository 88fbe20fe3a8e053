"""How long a trial may take, roughly, from its protocol alone.

Measured once on two cores; a run corrects it by its own pace as it goes.
"""

from harness.experiment.vocabulary import Purpose
from harness.plan import Plan, Trial

FIXED_S = 0.3
"""Building, compiling and predicting, per trial."""
IMPORT_S = 2.0
OVERHEAD_S = {"idiomatic": 4e-4, "stepwise": 2e-4, "fused": 1e-5}
"""Per step, beside its arithmetic."""
NATIVE_S = 8.0
PROOF_S = 0.8
PATIENCE, PATIENCE_S_AT_LEAST = 10, 600
"""A trial that takes so many times its estimate, and so long, hangs."""
FLOP_PER_S = 1e11


def estimate_s(plan: Plan, trial: Trial) -> float:
    """Seconds one trial may take."""
    if trial.track == "native":
        return NATIVE_S
    experiment = plan.experiments[trial.experiment]
    multiplications = experiment.network.parameter_count
    train, _, test = experiment.data.rows
    arithmetic = 6 * multiplications * experiment.batch_size / FLOP_PER_S
    evaluation = len(experiment.evaluation_points) * 2 * multiplications * (train + test)
    steps = experiment.steps * (OVERHEAD_S[trial.loop] + arithmetic)
    return FIXED_S + steps + evaluation / FLOP_PER_S


def estimates_s(plan: Plan) -> dict[str, float]:
    """Seconds of every trial and proof, by id; the first of a process imports its framework.

    Trials of a framework that is not installed take none.
    """
    absent = {key for key, framework in plan.frameworks.items() if framework.missing}
    found: dict[str, float] = {}
    started = set()
    for trial in (*plan.trials, *plan.proofs):
        if trial.framework_key in absent:
            found[trial.id] = 0.0
            continue
        proof = trial.purpose == Purpose.PROOF
        process = (trial.purpose, trial.framework, trial.track, trial.dtype)
        fresh = plan.request.preset != "quick" and not proof
        starts = IMPORT_S if fresh or process not in started else 0.0
        started.add(process)
        found[trial.id] = starts + (PROOF_S if proof else estimate_s(plan, trial))
    return found


def total_s(plan: Plan) -> float:
    """Seconds the whole plan may take."""
    return sum(estimates_s(plan).values())


def patience_s(plan: Plan) -> float:
    """After how many seconds any trial of the plan counts as hanging."""
    longest = max((estimate_s(plan, trial) for trial in plan.trials), default=0.0)
    return max(PATIENCE * longest, PATIENCE_S_AT_LEAST)
