"""How long a trial may take, estimated from its protocol alone.

The constants were measured once on two cores. A run corrects its estimate as it goes.
"""

from harness.experiment.vocabulary import Preset, Purpose, Track
from harness.parity import verdicts
from harness.plan import Plan, Trial

FIXED_S = 0.5
"""Building, compiling and predicting, per trial."""
IMPORT_S = 2.0
OVERHEAD_S = {"idiomatic": 8e-4, "stepwise": 2e-4, "fused": 1e-5}
"""Per step, beside its arithmetic."""
NATIVE_S = 8.0
PROOF_S = 0.6
PATIENCE, PATIENCE_S_AT_LEAST = 10, 600
"""A trial counts as hanging after this many times the longest estimate, and this many seconds."""
FLOP_PER_S = 1e11


def estimate_s(plan: Plan, trial: Trial) -> float:
    """Return the seconds that one trial may take."""
    if trial.track == Track.NATIVE:
        return NATIVE_S
    experiment = plan.experiments[trial.experiment]
    multiplications = experiment.network.parameter_count
    train, _, test = experiment.data.rows
    arithmetic = 6 * multiplications * experiment.batch_size / FLOP_PER_S
    evaluation = len(experiment.evaluation_points) * 2 * multiplications * (train + test)
    overhead_s = OVERHEAD_S.get(trial.loop, OVERHEAD_S["idiomatic"])  # a command's is not known
    steps = experiment.steps * (overhead_s + arithmetic)
    return FIXED_S + steps + evaluation / FLOP_PER_S


def estimates_s(
    plan: Plan, lanes: int = 1, timed: bool = True, fresh: bool = True
) -> dict[str, float]:
    """Return the seconds of every trial and proof, by id.

    The first trial of a process imports its framework. A framework that is not installed takes
    no time.

    Args:
        plan: what runs.
        lanes: how many proofs run at once.
        timed: whether trials run one at a time. Otherwise they run in lanes, too.
        fresh: whether proofs are made again that are in the cache.
    """
    absent = {key for key, framework in plan.frameworks.items() if framework.missing}
    durations_s: dict[str, float] = {}
    started = set()
    for trial in (*plan.trials, *plan.proofs):
        if trial.framework_key in absent:
            durations_s[trial.id] = 0.0
            continue
        proof = trial.purpose in (Purpose.PROOF, Purpose.PROOF_AS_TIMED)
        process = (trial.framework, trial.track, trial.threads)
        own_process = plan.request.preset != Preset.QUICK and not proof
        import_s = IMPORT_S if own_process or process not in started else 0.0
        if proof and not fresh and verdicts.cached(trial) is not None:
            durations_s[trial.id] = 0.0
            continue
        started.add(process)
        duration_s = import_s + (PROOF_S if proof else estimate_s(plan, trial))
        at_once = lanes if proof or not timed else 1
        durations_s[trial.id] = duration_s / at_once
    return durations_s


def estimates_anywhere_s(plan: Plan) -> dict[str, float]:
    """Return the seconds of every trial, by id, whatever is installed on this machine."""
    return {trial.id: estimate_s(plan, trial) for trial in plan.trials}


def patience_s(plan: Plan) -> float:
    """Return after how many seconds any trial of the plan counts as hanging."""
    longest = max((estimate_s(plan, trial) for trial in plan.trials), default=0.0)
    return max(PATIENCE * longest, PATIENCE_S_AT_LEAST)
