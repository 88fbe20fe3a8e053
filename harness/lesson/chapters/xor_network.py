"""Items 18 to 26: XOR set by hand, derivatives, wide and deep networks, TensorBoard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.data.raw import BITS
from harness.experiment.loading import read
from harness.lesson.chapters.gates import KEPT, first_success
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import Board, Shown, count, decimals, significant, table
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import OracleRun
from harness.lesson.worked_step import work_through
from harness.lesson.worked_step_text import lines_of

BY_HAND = Path(__file__).parents[1] / "protocols" / "xor_by_hand.toml"
NUDGE = 0.01
"""The small number of the post's numeric derivative."""
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "3": lambda x: 3.0,
    "x": lambda x: x,
    "2x": lambda x: 2 * x,
}
PLACE = 5.0
W, X, B = -2.0, 5.0, 3.0
"""The post's numbers of f = w x + b."""
LOW_LOSS = 0.1


def by_hand(material: Material) -> Shown:
    """Return item 18: a network that nobody trained, row by row."""
    experiment = read(BY_HAND)
    step = work_through(experiment, 0, 1)
    hidden, answers = step.values[0], step.values[1][:, 0]
    rows = [
        (
            f"({x1:g}, {x2:g})",
            *(decimals(value) for value in of_hidden),
            decimals(answer),
            str(int(answer > 0.5)),
            str(x1 ^ x2),
        )
        for (x1, x2), of_hidden, answer in zip(
            BITS.tolist(), hidden.tolist(), answers.tolist(), strict=True
        )
    ]
    headings = ("(x1, x2)", "a1", "a2", "p", "p > 1/2", "XOR")
    right = sum(row[-1] == row[-2] for row in rows)
    numbers = {
        "right": str(right),
        "rows": str(len(rows)),
        "surest": decimals(float(np.abs(answers - 0.5).max() + 0.5)),
    }
    text = tuple(BY_HAND.read_text(encoding="utf-8").splitlines())
    return Shown(
        numbers,
        [
            table("", headings, rows),
            Board("samestep step xor_by_hand.toml", tuple(lines_of(step, rows=4))),
            Board("xor_by_hand.toml", text),
        ],
    )


def numeric_derivatives(material: Material) -> Shown:
    """Return item 19: differences divided by a small number."""
    rows, numbers = [], {"nudge": f"{NUDGE:g}"}
    for (name, f), key in zip(FUNCTIONS.items(), ("constant", "once", "twice"), strict=True):
        before, after = f(PLACE), f(PLACE + NUDGE)
        slope = (after - before) / NUDGE
        rows.append((f"f(x) = {name}", f"{before:g}", f"{after:g}", decimals(slope, 6)))
        numbers[key] = f"{round(slope, 9):g}"
    headings = ("", f"f({PLACE:g})", f"f({PLACE + NUDGE:g})", "df/dx")
    return Shown(numbers, [table("", headings, rows)])


def chain_rule(material: Material) -> Shown:
    """Return item 20: f = g + b, g = w x."""
    g = W * X
    f = g + B
    df_dg, df_db, dg_dw, dg_dx = 1.0, 1.0, X, W
    lines = (
        f"w = {W:g}, x = {X:g}, b = {B:g}",
        f"g = w x = {g:g}        f = g + b = {f:g}",
        "",
        f"dg/dw = x = {dg_dw:g}      dg/dx = w = {dg_dx:g}",
        f"df/dg = 1          df/db = {df_db:g}",
        "",
        f"df/dw = df/dg * dg/dw = {df_dg:g} * {dg_dw:g} = {df_dg * dg_dw:g}",
        f"df/dx = df/dg * dg/dx = {df_dg:g} * {dg_dx:g} = {df_dg * dg_dx:g}",
        f"df/db = {df_db:g}",
    )
    moved = {
        "by_w": ((W + NUDGE) * X + B - f) / NUDGE,
        "by_x": (W * (X + NUDGE) + B - f) / NUDGE,
        "by_b": (W * X + B + NUDGE - f) / NUDGE,
    }
    numbers = {name: f"{round(value, 9):g}" for name, value in moved.items()}
    return Shown(numbers, [Board("", lines)])


def one_layer(material: Material) -> Shown:
    """Return item 21: XOR by logistic regression."""
    run = material.train("xor-single")
    chart = line_chart(
        material["loss"],
        [Line.over_steps("xor-single", run.losses)],
        material["step"],
        material["loss"],
        logarithmic=False,
    )
    numbers = {
        "steps": count(run.experiment.steps),
        "accuracy": decimals(run.accuracy()),
        "loss": decimals(float(run.losses[-1]), 6),
    }
    return Shown(numbers, [chart])


def two_layers(material: Material) -> Shown:
    """Return item 22: XOR by a hidden layer of two."""
    run = first_success(material)
    answers = run.probabilities(BITS.astype(np.float64))[:, 0]
    rows = [
        (f"({x1:g}, {x2:g})", str(x1 ^ x2), decimals(p))
        for (x1, x2), p in zip(BITS.tolist(), answers.tolist(), strict=True)
    ]
    numbers = {
        "steps": count(run.experiment.steps),
        "accuracy": decimals(run.accuracy()),
        "seed": str(run.seed),
    }
    return Shown(numbers, [table("", ("(x1, x2)", "y", "p"), rows)])


def wide_and_deep(material: Material) -> Shown:
    """Return item 23: more units, and more layers."""
    runs = _three(material)
    lines = [Line.over_steps(name, run.losses) for name, run in runs.items()]
    rows = [
        (
            name,
            "-".join(
                map(str, (2, *(layer.units for layer in run.experiment.network.dense_layers)))
            ),
            count(run.experiment.network.parameter_count),
            decimals(run.accuracy()),
            significant(float(run.losses[-1])),
        )
        for name, run in runs.items()
    ]
    headings = (
        "",
        material["network"],
        material["parameters"],
        material["accuracy"],
        material["last_loss"],
    )
    chart = line_chart(
        material["loss"], lines, material["step"], material["loss"], logarithmic=True
    )
    numbers = {
        name.replace("-", "_"): significant(float(run.losses[-1])) for name, run in runs.items()
    }
    return Shown(numbers, [chart, table("", headings, rows)])


def tensorboard(material: Material) -> Shown:
    """Return item 24: what its three tabs show."""
    run = first_success(material)
    steps = [step for step in KEPT if step in run.parameters]
    first = np.array([run.parameters[step][0][0].ravel() for step in steps])
    lines = [
        Line(f"W1[{place // 2}, {place % 2}]", np.array(steps, np.float64), first[:, place])
        for place in range(first.shape[1])
    ]
    graph = [f"x {(len(BITS), 2)}"]
    for number, (layer, shape) in enumerate(
        zip(run.experiment.network.dense_layers, run.experiment.network.shapes, strict=True), 1
    ):
        biases = (shape[1],)
        graph.append(
            f"  -> MatMul W{number} {shape} -> Add b{number} {biases} -> {layer.activation}"
        )
    graph.append("  -> binary cross-entropy -> mean -> loss")
    loss = Line.over_steps("xor-mlp", run.losses)
    charts = [
        line_chart(material["scalars"], [loss], material["step"], material["loss"]),
        line_chart(material["histograms"], lines, material["step"], material["weight"]),
    ]
    numbers = {"weights": str(first.shape[1]), "largest": decimals(float(np.abs(first).max()), 2)}
    return Shown(numbers, [*charts, Board(material["graph"], tuple(graph))])


def two_runs(material: Material) -> Shown:
    """Return item 25: losses of two trainings over each other."""
    runs = _three(material)
    lines = [Line.over_steps(name, runs[name].losses) for name in ("xor-mlp", "xor-wide")]
    chart = line_chart(material["loss"], lines, material["step"], material["loss"])
    numbers = {"low": f"{LOW_LOSS:g}"}
    for name in ("xor-mlp", "xor-wide"):
        below = np.flatnonzero(runs[name].losses < LOW_LOSS)
        numbers[name.replace("-", "_")] = count(int(below[0]) + 1) if below.size else "-"
    return Shown(numbers, [chart])


def from_afar(material: Material) -> Shown:
    """Return item 26: the lines that are typed."""
    lines = (
        f"samestep report xor-mlp --tensorboard logs   # {material['on_the_server']}",
        "tensorboard --logdir logs --port 8008",
        "",
        f"ssh -L 7000:localhost:8008 user@server       # {material['on_your_machine']}",
        f"http://localhost:7000                        # {material['in_the_browser']}",
    )
    return Shown({}, [Board("", lines)])


def _three(material: Material) -> dict[str, OracleRun]:
    return {
        "xor-mlp": first_success(material),
        "xor-wide": material.train("xor-wide"),
        "xor-deep": material.train("xor-deep"),
    }


ITEMS: dict[int, Item] = {
    18: by_hand,
    19: numeric_derivatives,
    20: chain_rule,
    21: one_layer,
    22: two_layers,
    23: wide_and_deep,
    24: tensorboard,
    25: two_runs,
    26: from_afar,
}
