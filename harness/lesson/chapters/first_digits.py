"""Items 11 to 17: MNIST by one layer and by a hidden layer, its labels, and learning rates."""

from collections.abc import Sequence

import numpy as np

from harness.claims.number import Number
from harness.clock.stopwatch import timed
from harness.lesson.drawing import Line, line_chart
from harness.lesson.elements import (
    Element,
    Picture,
    Pictures,
    Shown,
    Table,
    count,
    decimals,
    table,
)
from harness.lesson.material import Item, Material
from harness.lesson.oracle_run import OracleRun, changed
from harness.parity.trace import prepared_of
from harness.report.page import png
from harness.report.text import seconds
from harness.start.batches import BatchPlan

SIDE, CLASSES = 28, 10
SHOWN, FEW = 10, 5
SINGLE_POINTS = (1, 2, 5, 10, 15, 20, 30, 50, 80, 120, 200, 300, 450, 600, 800, 1_000)
"""Steps after which the network of one layer is scored."""
WIDE_STEPS = 150
"""Of 784-1000-10, each of which takes a hundred times as long as one of a single layer."""
RATES = {"diverging": 10.0, "oscillating": 3.0, "learning": 0.3, "standing": 0.001}
"""Of 64-50-10 on unscaled digits; the third is a tenth of the second."""
RATE_STEPS = 80
TIMED_STEPS, REPEATS = 5, 3
MLP_STEPS = 6_000
EPOCH = 600
MLP_POINTS = tuple(range(EPOCH, MLP_STEPS, EPOCH))


def one_layer(material: Material) -> Shown:
    """Return item 11: after how many steps one layer has four fifths of the digits."""
    published = material.claim("P00-mnist-single").numbers[0].low
    assert published is not None
    run = _single(material)
    scores = {step: run.accuracy(step=step) for step in SINGLE_POINTS}
    reached = next((step for step, score in scores.items() if score >= published), None)
    numbers = {
        "published": f"{published:.0%}",
        "reached": count(reached) if reached else "-",
        "steps": count(SINGLE_POINTS[-1]),
        "accuracy": decimals(scores[SINGLE_POINTS[-1]]),
        "images": count(reached * run.experiment.batch_size) if reached else "-",
    }
    line = Line(
        material["test_accuracy"],
        np.array(SINGLE_POINTS, np.float64),
        np.array(list(scores.values())),
    )
    return Shown(
        numbers,
        [line_chart(material["test_accuracy"], [line], material["step"], material["accuracy"])],
    )


def _single(material: Material) -> OracleRun:
    """Return MNIST with one layer of ten sigmoid outputs, in batches of 100."""
    experiment = material.protocol("P00-mnist-single", "mini-batches")
    return material.train(experiment, steps=SINGLE_POINTS[-1], keep=SINGLE_POINTS)


def hidden_layer(material: Material) -> Shown:
    """Return item 12: 784-1000-10 after its first steps, and in earlier runs."""
    run = material.train("mnist-wide", steps=WIDE_STEPS)
    single = _single(material)
    shapes = run.experiment.network.shapes
    numbers = {
        "network": "-".join(map(str, (shapes[0][0], *(units for _, units in shapes)))),
        "steps": count(WIDE_STEPS),
        "accuracy": decimals(run.accuracy()),
        "parameters": count(run.experiment.network.parameter_count),
        "single_parameters": count(single.experiment.network.parameter_count),
        "epochs": count(run.experiment.steps // run.experiment.steps_per_epoch),
    }
    claim = claims_table(material, ["P00-mnist-wide"])
    return Shown(numbers, [claim, *earlier_accuracies(material, "mnist-wide")])


def digits(material: Material) -> Shown:
    """Return item 13: the first images with their labels."""
    rows = material.raw("mnist")
    assert rows.targets is not None
    pictures = tuple(
        Picture(png.grey(rows.inputs[row].reshape(SIDE, SIDE)), str(rows.targets[row]))
        for row in range(SHOWN)
    )
    numbers = {
        "shown": str(SHOWN),
        "train": count(rows.train_rows),
        "test": count(len(rows.inputs) - rows.train_rows),
        "side": str(SIDE),
        "pixels": str(SIDE * SIDE),
        "darkest": str(int(rows.inputs.max())),
    }
    return Shown(numbers, [Pictures("", pictures)])


def one_hot(material: Material) -> Shown:
    """Return item 14: labels as rows of zeros with a single one."""
    labels = material.raw("mnist").targets
    assert labels is not None
    rows = np.eye(CLASSES)[labels[:FEW]]
    texts = [
        (str(label), *(f"{value:.0f}" for value in row))
        for label, row in zip(labels[:FEW].tolist(), rows.tolist(), strict=True)
    ]
    headings = (material["label"], *map(str, range(CLASSES)))
    numbers = {"classes": str(CLASSES), "argmax": ", ".join(map(str, rows.argmax(axis=1).tolist()))}
    return Shown(numbers, [table("", headings, texts, rows)])


def learning_rates(material: Material) -> Shown:
    """Return item 15: rates that diverge, oscillate, learn, and stand still."""
    lines, rows = [], []
    numbers = {"steps": count(RATE_STEPS)}
    for name, rate in RATES.items():
        experiment = changed(
            "digits-mlp",
            data__scale="none",
            network__layers=[
                {"units": 50, "activation": "sigmoid"},
                {"units": CLASSES, "activation": "identity"},
            ],
            initializers__weights={"name": "normal", "std": 0.1},
            training__optimizer={"name": "sgd", "learning_rate": rate},
            training__batches={"order": "full"},
        )
        losses = material.train(experiment, steps=RATE_STEPS).losses
        rises = int((np.diff(losses) > 0).sum())
        last = decimals(float(losses[-1]), 2)
        lines.append(Line.over_steps(f"{rate:g}: {material[name]}", losses))
        rows.append((f"{rate:g}", material[name], last, str(rises)))
        numbers |= {name: f"{rate:g}", f"{name}_last": last, f"{name}_rises": count(rises)}
        numbers["first"] = decimals(float(losses[0]), 2)
    chart = line_chart(
        material["loss_by_rate"], lines, material["step"], material["loss"], logarithmic=True
    )
    headings = (material["rate"], "", material["last_loss"], material["steps_up"])
    return Shown(numbers, [chart, table("", headings, rows)])


def actual_and_predicted(material: Material) -> Shown:
    """Return item 16: labels of test images beside predictions, and both accuracies."""
    run = small_network(material)
    test = prepared_of(run.experiment).test
    assert test.labels is not None
    answers = run.probabilities(test.inputs)
    predicted = answers.argmax(axis=1)
    wrong = np.flatnonzero(predicted != test.labels)
    chosen = [*range(FEW), *wrong[:FEW].tolist()]
    rows = [
        (count(row), str(test.labels[row]), str(predicted[row]), f"{answers[row].max():.1%}")
        for row in chosen
    ]
    pictures = tuple(
        Picture(
            png.grey(np.asarray(test.inputs[row]).reshape(SIDE, SIDE)),
            f"{test.labels[row]} → {predicted[row]}",
        )
        for row in chosen
    )
    numbers = {
        "steps": count(MLP_STEPS),
        "train_accuracy": decimals(run.accuracy("train")),
        "test_accuracy": decimals(run.accuracy()),
        "wrong": count(len(wrong)),
        "test": count(len(test)),
    }
    headings = (material["row"], material["actual"], material["predicted"], material["sure"])
    return Shown(numbers, [table("", headings, rows), Pictures("", pictures)])


def small_network(material: Material) -> OracleRun:
    """Return 784-50-10 after some epochs: all items on it share this training."""
    return material.train("mnist-mlp", steps=MLP_STEPS, keep=MLP_POINTS)


def cost_of_a_layer(material: Material) -> Shown:
    """Return item 17: what a step costs with a hidden layer of 1,000, and without."""
    runs = {
        "single": _single(material),
        "wide": material.train("mnist-wide", steps=WIDE_STEPS),
    }
    times = {name: _step_seconds(run) for name, run in runs.items()}
    flop = {name: run.experiment.step_flop for name, run in runs.items()}
    rows = [(material[name], count(round(flop[name] / 1e6)), seconds(times[name])) for name in runs]
    numbers = {
        "flop_ratio": count(round(flop["wide"] / flop["single"])),
        "time_ratio": count(round(times["wide"] / times["single"])),
    }
    headings = ("", material["million_operations"], material["time_of_a_step"])
    return Shown(numbers, [table("", headings, rows)])


def _step_seconds(run: OracleRun) -> float:
    network = run.network()
    batches = BatchPlan.of(run.experiment, run.seed).segment(0, TIMED_STEPS)
    network.advance(batches)  # the first one reads memory that later ones find in the cache
    times = []
    for _ in range(REPEATS):
        with timed() as stopwatch:
            network.advance(batches)
        times.append(stopwatch.seconds)
    return min(times) / TIMED_STEPS  # the least disturbed one


def earlier_accuracies(material: Material, experiment: str) -> list[Element]:
    """Return a table of what frameworks had in earlier runs; nothing without any."""
    rows = [
        (
            row.framework,
            row.loop,
            count(row.steps or 0),
            decimals(row.test_accuracy or 0),
            seconds(row.train_s) if row.train_s else "-",
        )
        for row in material.earlier.rows(experiment)
    ]
    headings = (
        material["framework"],
        material["loop"],
        material["steps"],
        material["test_accuracy"],
        material["train_time"],
    )
    return [table(material["earlier_runs"], headings, rows)] if rows else []


def claims_table(material: Material, claims: Sequence[str]) -> Table:
    """Return published numbers beside those of earlier runs, a dash where there is none."""
    rows = []
    for name in claims:
        claim, measured = material.claim(name), material.measured(name)
        number = claim.numbers[0]
        published = (
            decimals(number.value)
            if number.published
            else f"{material['registered']}: {_range_text(number)}"
        )
        text = f"{decimals(float(np.mean(measured)))} ({len(measured)})" if measured else "-"
        rows.append((name, claim.title, published, text))
    headings = ("", material["claim"], material["published"], material["measured_earlier"])
    return table("", headings, rows)


def _range_text(number: Number) -> str:
    bounds = ("" if bound is None else f"{bound:g}" for bound in (number.low, number.high))
    return " - ".join(bounds).strip()


ITEMS: dict[int, Item] = {
    11: one_layer,
    12: hidden_layer,
    17: cost_of_a_layer,
    13: digits,
    14: one_hot,
    15: learning_rates,
    16: actual_and_predicted,
}
"""In the order in which they are computed: what needs the same data stands together."""
