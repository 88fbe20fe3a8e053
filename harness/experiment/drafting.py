"""A protocol for a user's file, with every default written out where it can be changed."""

import hashlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.experiment.loading import parse
from harness.experiment.model import Experiment

if TYPE_CHECKING:
    from harness.tables.description import ColumnSummary
    from harness.tables.sources import Source
    from harness.tables.table import Table

HIDDEN_UNITS = 32
MOST_VALUES = 20
"""Distinct values up to which whole numbers count as classes, and text becomes columns of 0, 1."""
FEW_STEPS = 1_000
"""Below these a larger learning rate is proposed."""
STEPS, MOST_EPOCHS, LEAST_EPOCHS = 5_000, 50, 3
BATCH_SIZES = ((10_000, 32), (100_000, 128), (10**12, 1024))
"""(most training rows, rows of a batch)."""
LEAST_ROWS_TO_SPLIT = 10

TEMPLATE = """\
# Written by samestep from {file_name}: {rows:,} rows, {form}.
# Change what you like, and run it:  samestep report {toml_name}
name = {name}
title = {title}

[data]
file = {file}{test_lines}
target = {target}{kind_line}{columns_lines}
scale = "{scale}"{scale_comment}
split = {split}

[network]
inputs = {inputs}
layers = [
  {{ units = {hidden}, activation = "relu" }},
  {{ units = {outputs}, activation = "identity" }},{output_comment}
]

[initializers]
weights = {{ name = "he_uniform" }}
biases = {{ name = "zeros" }}

[training]
loss = {loss}
batches = {{ order = "shuffled", size = {size}, last = "keep" }}
length = {{ epochs = {epochs} }}
evaluation = {{ every_epochs = 1 }}

[training.optimizer]
name = "adam"
learning_rate = {rate}
beta1 = 0.9
beta2 = 0.999
epsilon = 1e-7
form = "epsilon_hat"
"""


@dataclass(frozen=True)
class Draft:
    """A protocol that was proposed.

    Args:
        text: of its TOML file.
        experiment: the same, read and valid.
        notes: what was decided, in sentences.
    """

    text: str
    experiment: Experiment
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Columns:
    """What becomes of the columns that are not targets."""

    ignore: tuple[str, ...]
    one_hot: tuple[str, ...]
    drop_rows: bool
    notes: tuple[str, ...]


def draft(source: "Source", target: str, toml_name: str = "") -> Draft:
    """Propose a protocol for a file.

    Args:
        source: the files.
        target: the target column, several by comma, the file of targets, or `none`.
        toml_name: what the protocol's file will be called, for its first lines.

    Raises:
        harness.tables.TableError: a file cannot be read or has no such column.
        harness.experiment.loading.ProtocolError: nothing that runs can be made of it.
    """
    from harness.tables import sources
    from harness.tables.description import describe
    from harness.tables.errors import toml_list, toml_text

    table = sources.read(source)
    summaries = describe(table)
    targets = _targets(table, target)
    of_target = [summary for summary in summaries if summary.name in targets]
    kind = _kind(of_target)
    columns = _columns([s for s in summaries if s.name not in targets], of_target)
    words = targets[0] if len(targets) == 1 else ", ".join(targets)
    name = slug(source.file)
    toml_name = toml_name or f"{name}.toml"
    values = {
        "file_name": table.name,
        "rows": table.rows,
        "form": table.form,
        "toml_name": toml_name,
        "name": toml_text(name),
        "title": toml_text(f"{words or 'no target'} of {table.name}"[:200]),
        "file": toml_text(str(source.file.absolute())),
        "test_lines": _test_lines(source),
        "target": _target_text(targets),
        "kind_line": f'\nkind = "{kind}"' if kind else "",
        "columns_lines": "".join(
            f"\n{field} = {toml_list(names)}"
            for field, names in (("ignore", columns.ignore), ("one_hot", columns.one_hot))
            if names
        )
        + ('\nmissing = "drop_rows"' if columns.drop_rows else "")
        + _format_line(source),
        **_scale(summaries, targets),
    }
    text = _sized(table, values, kind, of_target)
    if kind is None:
        text = text.partition("[training]")[0].rstrip() + "\n"
    experiment = parse(tomllib.loads(text), toml_name)
    return Draft(text, experiment, (*_target_notes(experiment, of_target), *columns.notes))


def _test_lines(source: "Source") -> str:
    from harness.tables.errors import toml_text

    lines = []
    if source.test_file:
        lines.append(f"test_file = {toml_text(str(source.test_file.absolute()))}")
    if source.test_target:
        lines.append(f"test_target = {toml_text(source.test_target)}")
    return "".join(f"\n{line}" for line in lines)


def _format_line(source: "Source") -> str:
    from harness.tables.errors import toml_text

    form, said = source.form, []
    if form.encoding is not None:
        said.append(f"encoding = {toml_text(form.encoding)}")
    if form.header is not None:
        said.append(f"header = {str(form.header).lower()}")
    return f"\nformat = {{ {', '.join(said)} }}" if said else ""


def slug(path: Path) -> str:
    """Return a name for an experiment: the file's in lower-case letters, digits and hyphens.

    A name without any of them becomes `own-data-` and digits that differ from name to name.
    """
    stem = path.name
    for _ in range(2):  # `.csv.gz`
        stem = stem.rsplit(".", 1)[0] if "." in stem[1:] else stem
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:64].strip("-") or (
        f"own-data-{hashlib.sha256(path.name.encode()).hexdigest()[:6]}"
    )


def _targets(table: "Table", target: str) -> tuple[str, ...]:
    if target == "none" and target not in table.columns:
        return ()
    if target in table.columns:
        return (target,)
    names = [part.strip() for part in target.split(",") if part.strip()] or [target]
    return tuple(dict.fromkeys(table.column(name, "target").name for name in names))


def _target_text(targets: Sequence[str]) -> str:
    from harness.tables.errors import toml_list, toml_text

    if not targets:
        return '"none"'
    return toml_text(targets[0]) if len(targets) == 1 else toml_list(targets)


def _kind(targets: Sequence["ColumnSummary"]) -> str | None:
    if not targets:
        return None
    first = targets[0]
    if len(targets) == 1 and first.one_hot:
        return "classes"
    if len(targets) > 1 or first.shape or first.kind == "numbers":
        return "values"
    is_many = first.kind == "whole numbers" and first.distinct > MOST_VALUES
    if is_many:
        return "values"
    return "binary" if first.distinct == 2 else "classes"  # scikit-learn has no softmax of two


def _columns(summaries: Sequence["ColumnSummary"], targets: Sequence["ColumnSummary"]) -> _Columns:
    """Decide about every column, and say what was decided."""
    from harness.tables.errors import what_it_looks_like

    ignore, notes = [], []
    one_hot = []
    for summary in summaries:
        rows = len(summary.missing)
        why = ""
        if summary.counts_rows and len(summaries) > 1:
            why = "it numbers the rows"
        elif summary.missing_rows * 2 > rows:
            why = f"{summary.missing_rows:,} of {rows:,} values are missing"
        elif summary.kind == "text" and summary.distinct > MOST_VALUES:
            example = next(iter(summary.counts), "")
            why = (
                f"it is text of {summary.distinct:,} different values, such as {example[:30]!r}"
                f"{what_it_looks_like(example)}"
            )
        elif summary.kind == "text":
            one_hot.append(summary.name)
            notes.append(f"{summary.name!r}: {summary.distinct} columns of 0 and 1 (one_hot)")
        if why:
            ignore.append(summary.name)
            notes.append(f"{summary.name!r} is left out (ignore): {why}")
    used = [summary for summary in summaries if summary.name not in ignore]
    dropped = sum(map(any, zip(*(s.missing.tolist() for s in (*used, *targets)), strict=True)))
    if dropped:
        notes.append(f"{dropped:,} rows with a missing value are left out (missing = drop_rows)")
    return _Columns(tuple(ignore), tuple(one_hot), dropped > 0, tuple(notes))


def _scale(summaries: Sequence["ColumnSummary"], targets: Sequence[str]) -> dict[str, str]:
    inputs = [summary for summary in summaries if summary.name not in targets]
    pictures = [s for s in inputs if s.shape and s.kind == "whole numbers"]
    is_bytes = pictures and all(s.low is not None and s.low >= 0 and s.high == 255 for s in inputs)
    if is_bytes:
        return {"scale": "divide_by_255", "scale_comment": ""}
    comment = "  # mean 0 and deviation 1, by the training rows"
    return {"scale": "standardize", "scale_comment": comment}


def _sized(
    table: "Table",
    values: dict[str, object],
    kind: str | None,
    targets: Sequence["ColumnSummary"],
) -> str:
    """Fill in what depends on how many rows and columns are really used."""
    from harness.tables import TableError
    from harness.tables.selection import Choices, select

    stated = tomllib.loads("\n".join(["", str(values["columns_lines"])]))
    names = tuple(summary.name for summary in targets)
    choices = Choices(
        target=names,
        kind=kind,  # type: ignore[arg-type]
        ignore=tuple(stated.get("ignore", ())),
        one_hot=tuple(stated.get("one_hot", ())),
        drop_rows="missing" in stated,
    )
    selected = select(table, choices)
    rows = len(selected.inputs)
    if kind == "classes" and len(selected.classes) * 2 > rows:
        raise TableError(
            f"{table.name}: the target {names[0]!r} has {len(selected.classes):,} classes in "
            f"{rows:,} rows; it names rows rather than classes. Choose another target"
        )
    split, test_rows = _split(kind, rows, selected.test_rows)
    train = rows - test_rows
    size = min(train, next(size for most, size in BATCH_SIZES if train <= most))
    epochs = min(MOST_EPOCHS, max(LEAST_EPOCHS, STEPS // -(-train // size)))
    loss = '{ name = "mean_squared_error", half = false, batch = "mean", outputs = "mean" }'
    comment = ""
    if kind == "binary":
        loss = '{ name = "binary_cross_entropy", batch = "mean", outputs = "mean" }'
        comment = "  # one for the second class: " + ", ".join(selected.classes)
    elif kind == "classes":
        loss = '{ name = "softmax_cross_entropy", batch = "mean" }'
        comment = "  # one for each class: " + ", ".join(selected.classes[:8])
        comment += ", ..." if len(selected.classes) > 8 else ""
    comment = "".join(c for c in comment if c.isprintable())
    return TEMPLATE.format(
        **values,
        split=split,
        inputs=len(selected.names),
        hidden=HIDDEN_UNITS,
        outputs=max(selected.outputs, 1),
        output_comment=comment,
        loss=loss,
        size=size,
        epochs=epochs,
        rate="0.01" if epochs * -(-train // size) < FEW_STEPS else "0.001",
    )


def _split(kind: str | None, rows: int, test_rows: int) -> tuple[str, int]:
    """Return the split, and how many rows test that do not train.

    Args:
        kind: of the targets.
        rows: how many there are.
        test_rows: how many of them are the test rows of the files.
    """
    if test_rows:
        return '{ name = "given" }', test_rows
    if rows < LEAST_ROWS_TO_SPLIT:
        return '{ name = "all" }  # too few rows to keep some for a test', 0
    name = "random" if kind in ("values", None) else "stratified"
    return f'{{ name = "{name}", test = 0.2, seed = 0 }}', -(-rows // 5)


def _target_notes(experiment: Experiment, targets: Sequence["ColumnSummary"]) -> list[str]:
    data = experiment.data
    if not data.targets:
        return ["no target: the network only predicts"]
    names = ", ".join(map(repr, data.targets))
    if data.facts.kind == "values":
        return [f"{names}: numbers to predict (kind = values)"]
    shown = ", ".join(data.found.classes[:8]) + (", ..." if len(data.found.classes) > 8 else "")
    notes = [f"{names}: {len(data.found.classes)} classes, counted from 0: {shown}"]
    if targets[0].kind == "whole numbers" and targets[0].distinct > 2:
        notes.append(f"{names} holds whole numbers; for regression write kind = values")
    return notes
