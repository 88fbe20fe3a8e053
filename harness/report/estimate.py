"""How long a trial may take, roughly, from its protocol alone.

Measured once on two cores; a run corrects it by its own pace as it goes.
"""

from harness.plan import Plan, Trial

FIXED_S = 0.6
"""Building, compiling and predicting, per trial."""
IMPORT_S = 2.5
OVERHEAD_S = {"idiomatic": 1.2e-3, "stepwise": 2.5e-4, "fused": 2e-5}
"""Per step, beside its arithmetic."""
NATIVE_S = 8.0
PROOF_S = 1.0
FLOP_PER_S = 5e10


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


def total_s(plan: Plan) -> float:
    """Seconds the whole plan may take, imports included."""
    processes = {(trial.framework, trial.track, trial.dtype) for trial in plan.trials}
    starts = len(processes) if plan.request.preset == "quick" else len(plan.trials)
    starts += len({trial.framework for trial in plan.proofs})
    measured = sum(estimate_s(plan, trial) for trial in plan.trials)
    return starts * IMPORT_S + measured + len(plan.proofs) * PROOF_S
