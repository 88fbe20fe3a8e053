"""Items 1 to 10: AND, OR and XOR by one layer, by other features, and by a hidden layer."""

import numpy as np

from harness.data.raw import BITS
from harness.lesson import planes
from harness.lesson.drawing import Line, line_chart, plane_chart
from harness.lesson.elements import Board, Shown, count, decimals, significant, table
from harness.lesson.many_starts import train_many
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import OracleRun, exact
from harness.lesson.worked_step import work_through
from harness.lesson.worked_step_text import lines_of
from harness.parity.trace import prepared_of

STARTS, CURVES = 100, 5
"""Starts of XOR with a hidden layer; curves shown of those that fail and of those that do not."""
MOST_SEEDS = 20
"""Tried until one start succeeds."""
KEPT = tuple(range(0, 10_001, 500))
"""Steps of XOR with a hidden layer whose parameters are kept."""
FRAMES = (0, 2_000, 3_000, 4_000)
"""Those at which the hidden layer is looked at, besides the last."""
NUDGE = 1e-6
"""Of a parameter, for a derivative by differences: the error of both is smallest near 1e-6."""
DERIVATION = (
    "z1 = x W1 + b1       a1 = sigmoid(z1)",
    "z2 = a1 W2 + b2      a2 = sigmoid(z2)",
    "L = -(y log a2 + (1 - y) log(1 - a2))",
    "",
    "dL/da2  = (a2 - y) / (a2 (1 - a2))",
    "da2/dz2 = a2 (1 - a2)",
    "dL/dz2  = dL/da2 * da2/dz2           = a2 - y",
    "",
    "dL/dW2  = dL/dz2 * dz2/dW2           = (a2 - y) a1",
    "dL/db2  = dL/dz2 * 1                 = (a2 - y)",
    "dL/dz1  = dL/dz2 * dz2/da1 * da1/dz1 = (a2 - y) W2 a1 (1 - a1)",
    "dL/dW1  = dL/dz1 * dz1/dW1           = (a2 - y) W2 a1 (1 - a1) x",
    "dL/db1  = dL/dz1 * 1                 = (a2 - y) W2 a1 (1 - a1)",
)


def boundaries(material: Material) -> Shown:
    """Return item 1: AND and OR have a line between their classes."""
    runs = [material.train(gate) for gate in ("and", "or")]
    charts = [plane_chart(planes.of_answers(run, run.experiment.name.upper())) for run in runs]
    numbers = {
        "steps": count(runs[0].experiment.steps),
        "and_accuracy": decimals(runs[0].accuracy()),
        "or_accuracy": decimals(runs[1].accuracy()),
    }
    return Shown(numbers, charts)


def boundary_equations(material: Material) -> Shown:
    """Return item 2: the lines as equations."""
    rows = []
    numbers: dict[str, str] = {}
    for gate in ("and", "or"):
        run = material.train(gate)
        w1, w2, b = planes.boundary_of(run)
        on_line = run.probabilities(np.array([[0.0, -b / w2]]))[0, 0]
        slope, start = -w1 / w2, -b / w2
        rows.append((gate.upper(), *(decimals(value) for value in (w1, w2, b, slope, start))))
        numbers |= {f"{gate}_slope": decimals(slope), f"{gate}_start": decimals(start)}
        numbers["on_line"] = decimals(on_line)
    headings = ("", "w1", "w2", "b", "-w1 / w2", "-b / w2")
    return Shown(numbers, [table("x2 = -(w1 x1 + b) / w2", headings, rows)])


def no_line_for_xor(material: Material) -> Shown:
    """Return item 3: one layer answers 1/2 to all of XOR."""
    run = material.train("xor-single")
    answers = run.probabilities(BITS.astype(np.float64))[:, 0]
    labels = prepared_of(run.experiment).test.labels
    assert labels is not None
    rows = [
        (f"({x1:g}, {x2:g})", str(label), significant(p, 12))
        for (x1, x2), label, p in zip(BITS.tolist(), labels.tolist(), answers.tolist(), strict=True)
    ]
    w1, w2, b = planes.boundary_of(run)
    numbers = {
        "distance": significant(float(np.abs(answers - 0.5).max()), 2),
        "largest": significant(max(abs(w1), abs(w2), abs(b)), 2),
        "loss": decimals(float(run.losses[-1])),
        "accuracy": decimals(run.accuracy()),
        "log_two": decimals(float(np.log(2))),
    }
    return Shown(numbers, [table(material["answers"], ("(x1, x2)", "y", "p"), rows)])


def flipped_features(material: Material) -> Shown:
    """Return item 4: XOR in the plane of two flipped ANDs."""
    run = material.train("xor-flip")
    features = np.asarray(prepared_of(run.experiment).train.inputs)
    rows = [
        (f"({x1:g}, {x2:g})", f"{f1:g}", f"{f2:g}", str(x1 ^ x2))
        for (x1, x2), (f1, f2) in zip(BITS.tolist(), features.tolist(), strict=True)
    ]
    headings = ("(x1, x2)", "f1 = not x1 and x2", "f2 = x1 and not x2", "y")
    title = material["feature_plane"]
    numbers = {"accuracy": decimals(run.accuracy()), "loss": decimals(float(run.losses[-1]))}
    chart = plane_chart(planes.of_features(run, title, ("f1", "f2")))
    return Shown(numbers, [table("", headings, rows), chart])


def polynomial_features(material: Material) -> Shown:
    """Return item 5: XOR by one layer on polynomials of x1 and x2."""
    run = material.train("xor-poly")
    features = np.asarray(prepared_of(run.experiment).train.inputs)
    (W, b), *_ = run.last
    assert b is not None
    headings = ("", "x1", "x2", "x1^2", "x1 x2", "x2^2", "b")
    rows = [
        (f"({x1:g}, {x2:g})", *(f"{value:g}" for value in row), "")
        for (x1, x2), row in zip(BITS.tolist(), features.tolist(), strict=True)
    ]
    weights = W[:, 0].tolist()
    rows.append((material["weights"], *(decimals(w, 2) for w in (*weights, b[0]))))
    numbers = {
        "accuracy": decimals(run.accuracy()),
        "product": decimals(weights[3], 2),
        "columns": str(len(weights)),
    }
    plane = planes.of_answers(run, material["answers"], with_line=False)
    return Shown(numbers, [table("", headings, rows), plane_chart(plane)])


def accuracies(material: Material) -> Shown:
    """Return item 6: all one-layer networks beside each other."""
    rows, numbers = [], {}
    for name in ("and", "or", "xor-single", "xor-flip", "xor-poly"):
        run = material.train(name)
        accuracy = decimals(run.accuracy())
        rows.append((name, accuracy, decimals(float(run.losses[-1]))))
        numbers[name.replace("-", "_")] = accuracy
    headings = ("", material["accuracy"], material["last_loss"])
    return Shown(numbers, [table("", headings, rows)])


def hidden_view(material: Material) -> Shown:
    """Return item 7: the four points as the hidden layer shows them to the output."""
    run = first_success(material)
    steps = (*FRAMES, run.experiment.steps)
    charts = []
    for step in steps:
        title = f"{material['step']} {count(step)}"
        charts.append(plane_chart(planes.of_hidden_units(run, step, title)))
    numbers = {
        "seed": str(run.seed),
        "steps": count(run.experiment.steps),
        "accuracy": decimals(run.accuracy()),
    }
    return Shown(numbers, charts)


def derivation(material: Material) -> Shown:
    """Return item 8: the four derivatives as formulas, held against differences."""
    step = work_through(exact("xor-mlp"), 0, 1)
    assert step.training is not None
    rows, largest = [], 0.0
    for layer, part, place in ((1, 0, (0, 0)), (1, 1, (0,)), (0, 0, (0, 0)), (0, 1, (0,))):
        name = f"d{'Wb'[part]}{layer + 1}{list(place)}"
        formula = step.training.gradients[layer][part]
        assert formula is not None
        by_formula = float(formula[place])
        by_difference = _difference(material, layer, part, place)
        relative = abs(by_formula - by_difference) / abs(by_formula)
        largest = max(largest, relative)
        rows.append((name, significant(by_formula, 9), significant(by_difference, 9)))
    numbers = {"difference": significant(largest, 1), "nudge": significant(NUDGE, 1)}
    headings = ("", material["by_formula"], material["by_difference"])
    return Shown(numbers, [Board("", DERIVATION), table("", headings, rows)])


def one_step(material: Material) -> Shown:
    """Return item 9: one step in numbers, and what its gradients share."""
    step = work_through(exact("xor-mlp"), 0, 1)
    assert step.training is not None
    errors = step.training.deltas[-1][:, 0] * len(step.inputs)
    numbers = {
        "errors": ", ".join(decimals(error) for error in errors.tolist()),
        "loss": decimals(step.training.loss, 6),
        "loss_after": decimals(step.training.loss_after, 6),
        "rate": f"{step.training.rate:g}",
    }
    return Shown(numbers, [Board("samestep step xor-mlp", tuple(lines_of(step, rows=4)))])


def two_layers(material: Material) -> Shown:
    """Return item 10: how many starts lead a hidden layer of two to XOR."""
    experiment = exact("xor-mlp")
    trained = train_many(experiment, STARTS, experiment.steps)
    shown = [*np.flatnonzero(~trained.right)[: CURVES - 2], *np.flatnonzero(trained.right)[:2]]
    lines = [
        Line.over_steps(f"{material['seed']} {seed}", trained.losses[:, seed]) for seed in shown
    ]
    chart = line_chart(material["loss_by_seed"], lines, material["step"], material["loss"])
    numbers = {
        "solved": str(int(trained.right.sum())),
        "starts": str(STARTS),
        "steps": count(experiment.steps),
        "best": significant(float(trained.losses[-1].min())),
        "worst": significant(float(trained.losses[-1].max())),
    }
    return Shown(numbers, [chart])


def first_success(material: Material) -> OracleRun:
    """Return XOR with a hidden layer, from the first start that has all four rows right."""
    for seed in range(MOST_SEEDS):
        run = material.train("xor-mlp", seed, keep=KEPT)
        if run.accuracy() == 1:
            return run
    raise RuntimeError("no start of xor-mlp led to XOR")


def _difference(material: Material, layer: int, part: int, place: tuple[int, ...]) -> float:
    """(L(w + nudge) - L(w - nudge)) / (2 nudge), at the start."""
    run = material.train("xor-mlp", 0, keep=KEPT)
    losses = []
    for nudge in (NUDGE, -NUDGE):
        network = run.network(0)
        moved = network.pairs[layer][part]
        assert moved is not None
        moved[place] += nudge
        rows = prepared_of(run.experiment).train
        assert rows.targets is not None
        X = np.asarray(rows.inputs, np.float64)
        loss, _ = network.loss_and_gradients(X, rows.targets, len(X))
        losses.append(loss)
    return (losses[0] - losses[1]) / (2 * NUDGE)


ITEMS: dict[int, Item] = {
    1: boundaries,
    2: boundary_equations,
    3: no_line_for_xor,
    4: flipped_features,
    5: polynomial_features,
    6: accuracies,
    7: hidden_view,
    8: derivation,
    9: one_step,
    10: two_layers,
}
