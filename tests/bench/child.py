"""One framework on one experiment: its loops, its plain loop and its products, taking turns."""

import gc
import importlib
import json
import os
import sys
import time

from harness.clock.environment import pin

PIECE_S = 0.15
"""Each turn trains about so long."""
STEPS_AT_MOST = 3_000


def main() -> None:
    """Print a JSON object: microseconds per step of every contestant, round by round."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    experiment_name, framework_name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pin(1)
    contestants = _contestants(experiment_name, framework_name)
    found: dict[str, list[float]] = {name: [] for name in contestants}
    steps = {}
    for name, run in contestants.items():  # compile, then see how many steps make a turn
        run(64)
        per_step = min(_seconds(run, 64) for _ in range(3)) / 64
        steps[name] = max(8, min(STEPS_AT_MOST, int(PIECE_S / per_step)))
        run(steps[name])
    for round_ in range(rounds):
        order = list(contestants) if round_ % 2 else list(contestants)[::-1]
        for name in order:
            found[name].append(_seconds(contestants[name], steps[name]) / steps[name] * 1e6)
    channel.write(json.dumps(found))
    channel.flush()


def _seconds(run, steps):
    prepare = run(steps, prepare=True)
    gc.disable()
    began = time.perf_counter_ns()
    prepare()
    elapsed = time.perf_counter_ns() - began
    gc.enable()
    return elapsed * 1e-9


def _contestants(experiment_name, framework_name):
    from harness import data
    from harness.experiment.loading import load
    from harness.plan import Request, make
    from harness.registry import find
    from harness.start import BatchPlan
    from harness.trial import operands_of, task_of

    experiment = load(experiment_name)
    framework = find(framework_name)
    adapter = framework.load()
    prepared = data.load(experiment.data, experiment.loss, "float32")
    plan = BatchPlan.of(experiment, 0)
    request = Request((experiment_name,), (framework_name,), ("all",))
    trials = {trial.loop: trial for trial in make(request).trials if trial.track == "identical"}
    contestants = {}
    for loop in framework.loops:
        trainer = adapter(task_of(trials[loop], experiment, prepared))
        contestants[loop] = _turns(trainer, plan)
    products = trainer.matrix_products(operands_of(experiment, "float32"))
    if experiment.batch_size > 4:
        contestants["products"] = _always(products)
    if framework_name != "sklearn":
        contestants["plain"] = _plain(experiment, framework_name, task_of(trials[loop], experiment, prepared), plan)
    return contestants


def _turns(trainer, plan):
    """Train the next `steps` steps of the plan; staging is off the clock."""
    done = 0

    def run(steps, prepare=False):
        nonlocal done
        batches = plan.segment(done % 20_000, done % 20_000 + steps)
        done += steps
        trainer.stage(batches)

        def timed():
            trainer.advance(batches)

        return timed if prepare else timed()

    return run


def _always(multiply):
    def run(steps, prepare=False):
        return (lambda: multiply(steps)) if prepare else multiply(steps)

    return run


def _plain(experiment, framework_name, task, plan):
    module = importlib.import_module(f"tests.bench.loops.{framework_name}_loop")
    hidden = experiment.network.layers[0].activation
    train = module.make(
        [(w.copy(), b.copy()) for w, b in task.parameters],
        task.inputs,
        task.targets,
        hidden,
        adam=experiment.training.optimizer.name == "adam",
    )
    done = 0

    def run(steps, prepare=False):
        nonlocal done
        rows = plan.segment(done % 20_000, done % 20_000 + steps).rows
        done += steps
        return (lambda: train(rows)) if prepare else train(rows)

    return run


if __name__ == "__main__":
    main()
