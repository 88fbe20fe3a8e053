"""One framework on one experiment: its loops, its plain loop and its products, taking turns.

Run by `python -m tests.bench`, which states threads and environment as the harness does for its
own workers: `python -m tests.bench.child EXPERIMENT FRAMEWORK ROUNDS`.
"""

import gc
import importlib
import json
import os
import sys
import time

from harness.clock.environment import pin

TURN_S = 0.15
"""About the time that a turn trains."""
AN_EPOCH = 600
"""Steps of an epoch of MNIST. A turn of `idiomatic` or `fit` is at least as long, as the reports'
calls of `fit` are."""
STEPS_AT_MOST = 3_000
"""The most steps of a turn, so that its plan stays small."""
PLANNED_STEPS = 20_000
"""The number of steps after which the plan starts again."""


def main() -> None:
    """Print a JSON object: microseconds per step of every contestant, round by round."""
    channel = os.fdopen(os.dup(1), "w")  # frameworks print on 1, which becomes 2
    os.dup2(2, 1)
    experiment_name, framework_name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pin(1)
    contestants = _contestants(experiment_name, framework_name)
    steps = {name: _steps_of_a_turn(name, prepare) for name, prepare in contestants.items()}
    step_us: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds):
        names = list(contestants)[:: 1 if turn % 2 else -1]  # nobody always comes first
        for name in names:
            step_us[name].append(_seconds(contestants[name], steps[name]) / steps[name] * 1e6)
    channel.write(json.dumps(step_us))
    channel.flush()


def _steps_of_a_turn(name: str, prepare) -> int:
    """Return the number of steps of a turn, after compiling and warming up."""
    _seconds(prepare, 64)
    per_step = min(_seconds(prepare, 64) for _ in range(3)) / 64
    at_least = AN_EPOCH if name.startswith(("idiomatic", "fit")) else 8
    steps = max(at_least, min(STEPS_AT_MOST, int(TURN_S / per_step)))
    _seconds(prepare, steps)
    return steps


def _seconds(prepare, steps: int) -> float:
    """Return the time of `steps` steps. Their preparation is not timed."""
    train = prepare(steps)
    gc.disable()
    began = time.perf_counter_ns()
    train()
    elapsed = time.perf_counter_ns() - began
    gc.enable()
    return elapsed * 1e-9


def _contestants(experiment_name: str, framework_name: str):
    """Return by name: functions that prepare a number of steps and return what trains them."""
    from harness import data
    from harness.experiment.loading import load
    from harness.registry import find
    from harness.start import BatchPlan, task_of
    from harness.trial.matrix_products import operands_of

    experiment, framework = load(experiment_name), find(framework_name)
    adapter = framework.load()
    prepared = data.load(experiment.data, experiment.loss, "float32")
    plan = BatchPlan.of(experiment, 0)
    contestants = {}
    for loop in framework.loops:
        task = task_of(experiment, prepared, seed=0, loop=loop, dtype="float32")
        trainer = adapter(task)
        contestants[loop] = _adapter_turns(trainer, plan)
    if plan.order != "full":  # the products of four rows would time the call alone
        products = trainer.matrix_products(operands_of(experiment, "float32"))
        if products is not None:
            contestants["products"] = lambda steps: lambda: products(steps)
    try:
        module = importlib.import_module(f"tests.bench.loops.{framework_name}_loop")
    except ModuleNotFoundError:
        return contestants
    contestants["plain"] = _plain_turns(module.make, experiment, task, plan)
    for name, make in getattr(module, "ALSO", {}).items():
        contestants[name] = _staged_turns(make, experiment, task, plan)
    return contestants


def _segments(plan):
    """Return a function that gives the plan's next steps, and begins again after a while."""
    done = 0

    def following(steps: int):
        nonlocal done
        first = done % PLANNED_STEPS
        done += steps
        return plan.segment(first, first + steps)

    return following


def _adapter_turns(trainer, plan):
    following = _segments(plan)

    def prepare(steps: int):
        batches = following(steps)
        trainer.stage(batches)
        return lambda: trainer.advance(batches)

    return prepare


def _plain_turns(make, experiment, task, plan):
    following, train = _segments(plan), _made(make, experiment, task)

    def prepare(steps: int):
        rows = following(steps).rows
        return lambda: train(rows, steps)

    return prepare


def _staged_turns(make, experiment, task, plan):
    following, lay_out = _segments(plan), _made(make, experiment, task)
    return lambda steps: lay_out(following(steps).rows, steps)


def _made(make, experiment, task):
    return make(
        [(W.copy(), b.copy()) for W, b in task.parameters],
        task.inputs,
        task.targets,
        experiment.network.dense_layers[0].activation,
        adam=experiment.training.optimizer.name == "adam",
    )


if __name__ == "__main__":
    main()
