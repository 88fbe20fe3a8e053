"""The page of an exported folder: what its files are, the formulas, and what to hand back."""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.experiment.model import Experiment
from harness.handover import formulas
from harness.handover.folder import Handover
from harness.handover.layout import (
    ANSWER,
    ARCHIVE,
    GRADIENTS,
    INPUTS,
    LOSSES,
    MASKS,
    OUTPUTS,
    OUTPUTS_AFTER,
    RATES,
    ROWS,
    SIZES,
    START,
    TARGETS,
    TO_PREDICT,
    TRAIN_S,
    folder_of_step,
    steps_asked_for,
    tensors,
)
from harness.trainer import Array

WIDTH = 100
FLOAT64 = (
    "Compute in float64: rounding is then so small that a mistake cannot hide in it. Results in "
    "float32 are judged too, but fewer mistakes can be named."
)


@dataclass(frozen=True)
class Page:
    """What the page is about.

    Args:
        handover: the protocol, its seed and its precision.
        arrays: what is exported, by name.
        texts: names of the arrays that are there as `.csv` too.
        rows: how many training rows the data has.
    """

    handover: Handover
    arrays: Mapping[str, Array]
    texts: frozenset[str]
    rows: int

    @property
    def experiment(self) -> Experiment:
        """The protocol."""
        return self.handover.experiment

    def __str__(self) -> str:
        parts = [*_head(self), *_files(self), *_network(self)]
        if self.experiment.training is not None:
            parts += _step(self)
        return "\n\n".join([*parts, *_handed_back(self)]) + "\n"

    @property
    def has_short_batch(self) -> bool:
        """Whether some step has fewer rows than others."""
        return SIZES in self.arrays and bool(np.ptp(self.arrays[SIZES]))


def _text(*sentences: str, item: str = "") -> str:
    """A paragraph, or an item of a list: `item` is its number."""
    return textwrap.fill(
        " ".join(sentences),
        WIDTH,
        initial_indent=f"{item} " if item else "",
        subsequent_indent=" " * (len(item) + 1) if item else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _code(lines: Iterable[str], language: str = "") -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _table(rows: Iterable[tuple[str, object, str]]) -> str:
    """Files with shape and meaning."""
    lines = [f"| {file} | {shape} | {what} |" for file, shape, what in rows]
    return "\n".join(["| file | shape | what it is |", "| --- | --- | --- |", *lines])


def _head(page: Page) -> list[str]:
    experiment, steps = page.experiment, page.experiment.steps
    task = f"Train this network for {_count(steps, 'step')}" if steps else "Compute this network"
    precision = FLOAT64 if page.handover.dtype == "float64" else "Compute in float32."
    return [
        f"# {experiment.name}: {experiment.title}",
        _text(
            task,
            "in any language, from the numbers in this folder, and hand back what was computed.",
            "Then",
        ),
        _code(["samestep check FOLDER"], "sh"),
        _text(
            "compares it with a plain network, step by step, and says whether it is the same "
            "computation; and if not, what is different. Nothing of your program is run."
        ),
        _text(f"Exported with seed {page.handover.seed}.", precision),
    ]


# ---------------------------------------------------------------- what is given


def _files(page: Page) -> list[str]:
    rows = [
        (f"`{name}.npy`" + ", `.csv`" * (name in page.texts), array.shape, _meaning(page, name))
        for name, array in page.arrays.items()
    ]
    return [
        "## What is given",
        _text(
            "Rows, columns and classes are counted from 0; steps and layers from 1. `numpy.load` "
            "reads a `.npy` file, and so do libraries of most languages. A `.csv` has no header, "
            "and a row on each line."
        ),
        _table(rows),
    ]


def _meaning(page: Page, name: str) -> str:
    if name.startswith(f"{START}/"):
        part, layer = name.removeprefix(f"{START}/").split("_")
        shape = "(inputs, outputs)" if part == "weights" else "(outputs,)"
        return f"{part} of layer {layer} to start from, {shape}"
    if name.startswith(MASKS):
        layer = name.rpartition("_")[2]
        return (
            f"m{layer} of each step: 1 where dropout layer {layer} keeps a number of a row, else 0"
        )
    given = len(page.arrays.get(INPUTS, ()))
    some = f": the {given:,} of {page.rows:,} that the batches need" if given < page.rows else ""
    has_classes = page.arrays.get(TARGETS, np.zeros((0, 0))).ndim == 1
    padded = "; row 0 fills up a short batch, and does not count" if page.has_short_batch else ""
    return {
        INPUTS: f"training rows, as they go into the network{some}",
        TARGETS: f"the {'class' if has_classes else 'target'} of every row",
        ROWS: f"the rows of `{INPUTS}` that each step trains on{padded}",
        SIZES: "how many rows of each step count: the first ones",
        RATES: "the learning rate of each step",
        TO_PREDICT: f"rows to compute `{OUTPUTS}` of",
    }[name]


# ---------------------------------------------------------------- formulas


def _network(page: Page) -> list[str]:
    lines = formulas.network_lines(page.experiment)
    functions = formulas.function_lines(page.experiment)
    return [
        "## The network",
        "x is a row of inputs.",
        _code([*lines, *([""] if functions else []), *functions]),
    ]


def _step(page: Page) -> list[str]:
    experiment = page.experiment
    penalty = "other penalty" if experiment.training and experiment.training.l2 else "weight decay"
    has_dropout = experiment.network.dropout_layers
    dropout = "no dropout but by these masks" if has_dropout else "no dropout"
    rates = page.arrays[RATES]
    first = f"{float(rates[0])!r} in {'the first' if np.ptp(rates) else 'all'}"
    return [
        "## A step",
        _text(f"Take the batch: {_batch(page)}", item="1."),
        _text("Compute the loss, before anything is updated, and keep it:", item="2."),
        _code(formulas.loss_lines(experiment)),
        _text(
            "Compute g, the gradient of the loss by every weight and bias w, all at the same "
            "parameters.",
            item="3.",
        ),
        _text(f"Update every w, with the rate of this step in `{RATES}` ({first}):", item="4."),
        _code(formulas.update_lines(experiment)),
        f"Nothing else happens: no shuffling, no {penalty}, no clipping, {dropout}.",
    ]


def _batch(page: Page) -> str:
    if ROWS not in page.arrays:
        return f"all n = {len(page.arrays[INPUTS])} rows, in every step."
    if page.has_short_batch:
        return f"the first n = `{SIZES}` numbers of this step's line of `{ROWS}` are its rows."
    return f"this step's line of `{ROWS}` has its n = {page.arrays[ROWS].shape[1]} rows."


# ---------------------------------------------------------------- what is handed back


def _handed_back(page: Page) -> list[str]:
    experiment, steps = page.experiment, page.experiment.steps
    step = folder_of_step(min(1, steps))
    rows: list[tuple[str, object, str]] = []
    if steps:
        what = "the loss of every step, before its update; as text, one on each line"
        rows.append((f"`{LOSSES}`", f"({steps},)", what))
    shape = (len(page.arrays[TO_PREDICT]), experiment.network.outputs)
    rows.append((f"`{OUTPUTS}`", shape, f"outputs of `{TO_PREDICT}`, before training"))
    for tensor in tensors(experiment):
        what = f"{tensor.what} after step {min(1, steps)}"
        rows.append((f"`{step}/{tensor.name}`", tensor.shape, what))
    *others, last = map(str, steps_asked_for(experiment))
    wanted = f"Parameters are wanted after steps {', '.join(others)} and {last}, in a folder each:"
    more = (
        f"Also read, where you have them: `{OUTPUTS_AFTER}`, the same after the last step; "
        f"`{GRADIENTS}/weights_1` and so on, before any update; parameters after any other step; "
        f"`{TRAIN_S}`, one number, the seconds that the steps took by a clock of your own, which a "
        "report repeats as such."
    )
    return [
        "## What to hand back",
        _text(
            f"Into the folder `{ANSWER}`, as `.npy`, or as `.csv` or `.txt` with 17 digits (`repr` "
            "in Python, `%.17g` in C). As many of them as you have: the check says what it could "
            "tell with more."
        ),
        _table(rows),
        _text(
            wanted if others else "The parameters:",
            "all tensors, or none. Step 0 is the start, as your program has it. Weights have shape "
            "(inputs, outputs); PyTorch's `Linear` has them transposed, so write `weight.T`.",
            more if others else "",
        ),
        *_curves(experiment),
        "In Python, all in one file is as good:",
        _code(
            [
                f'numpy.savez("FOLDER/{ARCHIVE}", **{{',
                *([f'    "{LOSSES}": losses,'] if steps else []),
                f'    "{OUTPUTS}": outputs,',
                f'    "{step}/weights_1": W1,',
                "    ...",
                "})",
            ],
            "python",
        ),
    ]


def _curves(experiment: Experiment) -> list[str]:
    """What a whole training hands back for its learning curves; a proof has none."""
    more = set(experiment.evaluation_points) - set(steps_asked_for(experiment))
    if not more or experiment.training is None:
        return []
    every = experiment.training.evaluation.in_steps(experiment.steps_per_epoch)
    return [
        _text(f"With parameters after every {every} steps, too, a report draws learning curves.")
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
