"""How long a trial may take, roughly, from its protocol alone.

Measured once on two cores; a run corrects it by its own pace as it goes.
"""

from harness.plan import Plan, Trial

FIXED_S = 0.3
"""Building, compiling and predicting, per trial."""
IMPORT_S = 2.0
OVERHEAD_S = {"idiomatic": 4e-4, "stepwise": 2e-4, "fused": 1e-5}
"""Per step, beside its arithmetic."""
NATIVE_S = 8.0
PROOF_S = 0.8
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


def total_s(plan: Plan) -> float:
    """Seconds the whole plan may take, imports included."""
    processes = {(trial.framework, trial.track, trial.dtype) for trial in plan.trials}
    starts = len(processes) if plan.request.preset == "quick" else len(plan.trials)
    starts += len({trial.framework for trial in plan.proofs})
    measured = sum(estimate_s(plan, trial) for trial in plan.trials)
    return starts * IMPORT_S + measured + len(plan.proofs) * PROOF_S
