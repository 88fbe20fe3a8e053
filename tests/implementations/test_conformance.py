"""What every adapter must do, one short function a rule, over everything entered.

Agreement is with the NumPy network, which its own tests prove by finite differences.
"""

from functools import cache

import numpy as np
import pytest

from harness import data
from harness.experiment.loading import load
from harness.registry import installed
from harness.start import BatchPlan
from harness.trainer import DeviceUnavailableError
from implementations.numpy_scratch import NumpyTrainer
from tests.implementations.tasks import STEPS, advance, experiment_of, task_of

CELLS = [
    (name, loop)
    for name, framework in installed().items()
    for loop in framework.loops
    if not framework.missing
]
SMALL_RATE = {"name": "sgd", "learning_rate": 1e-3}


def two_layers(activation, **more):
    return [{"units": 9, "activation": activation, **more}, {"units": 10, "activation": "identity"}]


@cache
def protocols():
    """Every activation, loss, reduction, optimizer and order that a protocol may state."""
    adam = load("digits-mlp").training.optimizer.model_dump()
    bce = {"name": "binary_cross_entropy"}
    mse = {"name": "mean_squared_error"}
    made = {
        "sigmoid-full-bce": experiment_of("xor-mlp"),
        "one-layer": experiment_of("xor-poly"),
        "regression": experiment_of("diabetes-linear"),
        "iris": experiment_of("iris-softmax"),
        "relu-adam": experiment_of("digits-mlp"),
        "adam-hat": experiment_of(
            "digits-mlp", training__optimizer=adam | {"form": "epsilon_hat", "epsilon": 1e-3}
        ),
        "adam-epsilon": experiment_of("digits-mlp", training__optimizer=adam | {"epsilon": 1e-3}),
        "momentum": experiment_of(
            "digits-mlp",
            training__optimizer={"name": "momentum", "learning_rate": 0.1, "momentum": 0.9},
        ),
        "tanh": experiment_of("digits-mlp", network__layers=two_layers("tanh")),
        "identity": experiment_of("digits-mlp", network__layers=two_layers("identity")),
        "leaky": experiment_of("digits-mlp", network__layers=two_layers("leaky_relu", slope=0.07)),
        "no-bias": experiment_of("digits-mlp", network__layers=two_layers("tanh", bias=False)),
        "bce-mean": experiment_of(
            "digits-mlp", training__loss=bce | {"batch": "mean", "outputs": "mean"}
        ),
        "bce-sum": experiment_of(
            "digits-mlp",
            training__loss=bce | {"batch": "sum", "outputs": "sum"},
            training__optimizer=SMALL_RATE,
        ),
        "mse": experiment_of(
            "digits-mlp",
            training__loss=mse | {"half": False, "batch": "mean", "outputs": "sum"},
        ),
        "mse-half": experiment_of(
            "digits-mlp",
            training__loss=mse | {"half": True, "batch": "sum", "outputs": "mean"},
            training__optimizer=SMALL_RATE,
        ),
        "softmax-sum": experiment_of(
            "digits-mlp",
            training__loss={"name": "softmax_cross_entropy", "batch": "sum"},
            training__optimizer=SMALL_RATE,
        ),
    }
    for activation in ("elu", "swish", "softplus", "gelu", "gelu_tanh"):
        made[activation] = experiment_of("digits-mlp", network__layers=two_layers(activation))
    inside, outside = {"rate_inside_velocity": True}, {"rate_inside_velocity": False}
    velocity = {"learning_rate": 0.1, "momentum": 0.9}
    decay = {"name": "step_decay", "factor": 0.1, "every_steps": 5}
    for name in ("momentum", "nesterov"):
        for place, stated in (("inside", inside), ("outside", outside)):
            made[f"{name}-{place}-decay"] = experiment_of(
                "digits-mlp",
                training__optimizer={"name": name, **velocity, **stated},
                training__schedule=decay,
            )
    made["nesterov"] = experiment_of(
        "digits-mlp", training__optimizer={"name": "nesterov", **velocity}
    )
    for form in ("epsilon_inside_root", "epsilon_outside_root"):
        rate = {"learning_rate": 1e-2, "epsilon": 1e-3, "form": form}
        made[f"rmsprop-{form}"] = experiment_of(
            "digits-mlp", training__optimizer={"name": "rmsprop", "rho": 0.9, **rate}
        )
        made[f"adagrad-{form}"] = experiment_of(
            "digits-mlp",
            training__optimizer={"name": "adagrad", "initial_accumulator": 0.1, **rate},
        )
    for on in ("weights", "all"):
        for per_row in (False, True):
            made[f"l2-{on}-{per_row}"] = experiment_of(
                "digits-mlp",
                training__l2={"strength": 0.1, "half": not per_row, "per_row": per_row, "on": on},
                training__batches={"order": "shuffled", "size": 300, "last": "keep"},
                training__optimizer={"name": "sgd", "learning_rate": 0.1},
            )
    short = {"size": 300, "last": "keep"}  # 1,437 rows: four whole batches and one of 237
    for order in ("sequential", "shuffled", "with_replacement"):
        made[f"{order}-short"] = experiment_of(
            "digits-mlp", training__batches={"order": order, **short}
        )
    made["shuffled-dropped"] = experiment_of(
        "digits-mlp", training__batches={"order": "shuffled", "size": 300, "last": "drop"}
    )
    return made


def trainer_of(name, loop, experiment, dtype="float64"):
    adapter = installed()[name].load()
    reason = adapter.supports(experiment)
    if reason:
        pytest.skip(reason)
    return adapter(task_of(experiment, loop, dtype))


def worst_difference(ours, theirs):
    """max|a - b| / max|b| over all arrays; one that is all but 0 is compared with 0.001."""
    flat = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64))
        for pair in zip(ours, theirs, strict=True)
        for a, b in zip(*pair, strict=True)
        if b is not None
    ]
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3) for a, b in flat)


@cache
def numpys(protocol, dtype):
    experiment = protocols()[protocol]
    trainer = NumpyTrainer(task_of(experiment, "stepwise", dtype))
    losses = [*advance(trainer, experiment, 1), trainer.parameters()]
    losses += advance_rest(trainer, experiment)
    return losses, trainer.parameters()


def advance_rest(trainer, experiment):
    batches = BatchPlan.of(experiment, 0).segment(1, STEPS)
    trainer.stage(batches)
    return [trainer.advance(batches)]


cells = pytest.mark.parametrize(("name", "loop"), CELLS, ids=[f"{n}-{lo}" for n, lo in CELLS])


@cells
@pytest.mark.parametrize("protocol", protocols())
def test_computes_what_numpy_computes(name, loop, protocol):
    experiment = protocols()[protocol]
    (first_loss, after_one, rest), after_all = numpys(protocol, "float64")
    trainer = trainer_of(name, loop, experiment)
    (loss,) = advance(trainer, experiment, 1)
    assert worst_difference(trainer.parameters(), after_one) <= 1e-12
    (more,) = advance_rest(trainer, experiment)
    assert worst_difference(trainer.parameters(), after_all) <= 1e-11
    if loss is None:
        assert loop == "idiomatic"
    else:
        np.testing.assert_allclose(loss, first_loss, rtol=1e-12)
        np.testing.assert_allclose(more, rest, rtol=1e-11)


@cells
def test_in_float32_it_stays_close(name, loop):
    experiment = protocols()["tanh"]
    _, expected = numpys("tanh", "float32")
    trainer = trainer_of(name, loop, experiment, "float32")
    advance(trainer, experiment, STEPS)
    for pair in trainer.parameters():
        assert all(values.dtype == np.float32 for values in pair)
    assert worst_difference(trainer.parameters(), expected) <= 1e-4


@cells
@pytest.mark.parametrize("protocol", ["relu-adam", "shuffled-short", "sigmoid-full-bce"])
def test_in_pieces_is_in_one(name, loop, protocol):
    experiment = protocols()[protocol]
    whole, pieces = (trainer_of(name, loop, experiment) for _ in range(2))
    advance(whole, experiment, STEPS)
    advance(pieces, experiment, 1, 5, 6, STEPS)
    assert worst_difference(whole.parameters(), pieces.parameters()) <= 1e-13


@cells
def test_the_same_start_twice_is_bitwise_the_same(name, loop):
    experiment = protocols()["shuffled-short"]
    results = []
    for _ in range(2):
        trainer = trainer_of(name, loop, experiment, "float32")
        advance(trainer, experiment, STEPS)
        results.append(trainer.parameters())
    assert worst_difference(*results) == 0


@cells
def test_the_start_is_obeyed_and_copied_out(name, loop):
    experiment = protocols()["shuffled-short"]
    trainer = trainer_of(name, loop, experiment)
    given = task_of(experiment, loop).parameters
    out = trainer.parameters()
    assert worst_difference(out, given) == 0
    for pair in out:
        for values in pair:
            values[...] = 7
    assert worst_difference(trainer.parameters(), given) == 0


@cells
def test_inputs_are_not_modified(name, loop):
    experiment = protocols()["shuffled-short"]
    trainer = trainer_of(name, loop, experiment)
    task = task_of(experiment, loop)
    before = task.inputs.copy(), task.targets.copy(), task.parameters[0][0].copy()
    advance(trainer, experiment, STEPS)
    trainer.predict(task.inputs)
    after = task.inputs, task.targets, task.parameters[0][0]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@cells
@pytest.mark.parametrize("rows", [1, 17, 1437])
def test_predictions_are_raw_and_shaped(name, loop, rows):
    experiment = protocols()["relu-adam"]
    trainer = trainer_of(name, loop, experiment)
    inputs = task_of(experiment, loop).inputs[:rows]
    expected = NumpyTrainer(task_of(experiment, "stepwise")).predict(inputs)
    outputs = trainer.predict(inputs)
    assert outputs.shape == (rows, 10)
    np.testing.assert_allclose(outputs, expected, rtol=1e-11, atol=1e-12)


@cells
def test_the_learning_rates_of_the_batches_rule(name, loop):
    experiment = protocols()["relu-adam"]
    slow = trainer_of(name, loop, experiment)
    batches = BatchPlan.of(experiment, 0).segment(0, 2)
    batches.learning_rates[:] = 0
    before = slow.parameters()
    slow.stage(batches)
    slow.advance(batches)
    assert worst_difference(slow.parameters(), before) == 0


@cells
def test_the_fixed_forward_pass_of_the_post(name, loop):
    experiment = load("fixed-forward")
    trainer = trainer_of(name, loop, experiment)
    prepared = data.load(experiment.data, None, "float64")
    outputs = trainer.predict(prepared.test.inputs)
    np.testing.assert_allclose(outputs, [[0.31682708, 0.69627909]], atol=5e-9)


@cells
def test_the_step_function_predicts_where_it_is_supported(name, loop, variant):
    experiment = variant(
        "fixed-forward",
        network__layers=[
            {"units": 3, "activation": "step"},
            {"units": 2, "activation": "step"},
            {"units": 2, "activation": "identity"},
        ],
    )
    trainer = trainer_of(name, loop, experiment)
    outputs = trainer.predict(data.load(experiment.data, None, "float64").test.inputs)
    # all units of both layers fire: 1 * (0.1 + 0.2) + 0.1 and 1 * (0.3 + 0.4) + 0.2
    np.testing.assert_allclose(outputs, [[0.4, 0.9]], rtol=1e-12)


@cells
def test_cuda_is_insisted_on(name, loop):
    import dataclasses

    task = dataclasses.replace(task_of(protocols()["relu-adam"], loop), device="cuda")
    adapter = installed()[name].load()
    try:
        trainer = adapter(task)
    except DeviceUnavailableError:
        return  # no GPU on this machine, and it said so
    assert trainer.device.startswith("cuda")
