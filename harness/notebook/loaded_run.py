"""A run to look into: its table, curves, predictions, parameters, verdicts and charts."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.experiment.model import Experiment
from harness.experiment.names import unknown
from harness.experiment.network import WeightedLayer
from harness.experiment.vocabulary import Status, Track
from harness.parameters import map_arrays
from harness.parity.judgement import IN_FLOAT32, Judgement
from harness.report import read_exports
from harness.report.answer import answer, statements
from harness.report.model import Report
from harness.report.page import drawing
from harness.report.section_table import cells, headings
from harness.report.sections import make_report
from harness.results import WHOLE_PARAMETERS_BELOW, Row, RunFolder, write_atomically
from harness.run import Run, load_run
from harness.trainer import Array, DenseParameters, LayerParameters, NoParameters, Parameters

CURVES = (
    "step",
    "train_s",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_accuracy",
)
TRIAL = ("experiment", "framework", "loop", "seed", "repeat")
"""Columns that say which trial a point of a curve is of."""


class LoadedRun:
    """What a run left in its folder. `harness.run` and `harness.load_run` return it.

    A notebook shows it as the sentences and tables of the report.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def stored(self) -> Run:
        """The run as the rest of samestep reads it: plan, rows, verdicts."""
        return self._run

    @property
    def folder(self) -> Path:
        """The folder that the rows lie in."""
        return self._run.path

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """The experiments by name, at the length they were run."""
        return dict(self._run.plan.experiments)

    @property
    def frameworks(self) -> tuple[str, ...]:
        """The names of the frameworks, in the order of the plan."""
        return tuple(dict.fromkeys(trial.framework for trial in self._run.plan.trials))

    @property
    def finished(self) -> bool:
        """Whether every trial of the plan has a row."""
        return len(self._run.rows) == len(self._run.plan.trials)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rows, one per trial, with the public columns; see `harness.load_results`."""
        return read_exports.table_of(self._run)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """What the proofs say, one line per experiment, framework and loop.

        Columns: `experiment, framework, loop, verdict` (as the column `parity`), `proven`
        (bool), `difference` (the worst of all rungs in float64, relative) and `reason`.
        """
        lines = [
            {
                **key._asdict(),
                "verdict": str(judgement.verdict),
                "proven": judgement.proven,
                "difference": _worst_difference(judgement),
                "reason": judgement.reason,
            }
            for key, judgement in self._run.verdicts.items()
        ]
        columns = [*TRIAL[:3], "verdict", "proven", "difference", "reason"]
        return pd.DataFrame(lines, columns=columns)

    def curves(
        self,
        experiment: str | None = None,
        framework: str | None = None,
        loop: str | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return what was scored on the way, one line per trial and evaluation point.

        Args:
            experiment: only of this one; by default of all.
            framework: likewise.
            loop: likewise.
            seed: likewise.

        Returns:
            The columns `experiment, framework, loop, seed, repeat, step` (updates so far),
            `train_s` (seconds of training so far), and losses and accuracies of the training,
            validation and test set, as far as the experiment has them.

        Raises:
            ValueError: no trial of that name has a result.
        """
        rows = self._rows(experiment, framework, loop, seed)
        parts = []
        for row in rows:
            arrays = self._run.arrays(row.trial)
            curves = {name: arrays[name] for name in CURVES if name in arrays}
            points = len(curves.get("step", ()))
            whole = {name: values for name, values in curves.items() if len(values) == points}
            of_trial = pd.DataFrame({**{name: getattr(row, name) for name in TRIAL}, **whole})
            parts.append(of_trial.dropna(axis="columns", how="all"))
        table = pd.concat(parts, ignore_index=True)
        return table[[name for name in (*TRIAL, *CURVES) if name in table]]

    def predictions(
        self,
        experiment: str | None = None,
        framework: str | None = None,
        loop: str | None = None,
        seed: int = 0,
    ) -> Array:
        """Return the raw outputs for the test set after training, (rows, outputs).

        Args:
            experiment: its name; may be left out where the run has one.
            framework: likewise.
            loop: by default the framework's most compiled loop that ran.
            seed: of the trial.

        Raises:
            ValueError: there is no such trial, or it has no result.
        """
        row = self._row(experiment, framework, loop, seed)
        return np.array(self._stored(row, "test_outputs"))

    def parameters(
        self,
        experiment: str | None = None,
        framework: str | None = None,
        loop: str | None = None,
        seed: int = 0,
    ) -> dict[int, Parameters]:
        """Return the parameters after every evaluation point: updates so far to parameters.

        Args:
            experiment: as in `predictions`.
            framework: likewise.
            loop: likewise.
            seed: likewise.

        Returns:
            Per layer (W, b), W of shape (inputs, units) and b (units,), or None without bias.

        Raises:
            ValueError: there is no such trial, it has no result, or the network is so large that
                histograms of its parameters were kept in place of the parameters.
        """
        row = self._row(experiment, framework, loop, seed)
        network = self._run.plan.experiments[row.experiment].network
        if network.parameter_count >= WHOLE_PARAMETERS_BELOW:
            raise ValueError(
                f"parameters: of networks below {WHOLE_PARAMETERS_BELOW:,} parameters only. "
                f"{row.experiment} has {network.parameter_count:,}; a run keeps histograms of them"
            )
        steps = self._stored(row, "step")
        arrays = self._run.arrays(row.trial)
        layers: list[LayerParameters] = [
            DenseParameters(arrays[f"W{number}"], arrays.get(f"b{number}"))
            if isinstance(layer, WeightedLayer)
            else NoParameters()
            for number, layer in enumerate(network.layers, start=1)
        ]
        return {
            int(step): map_arrays(lambda v, point=point: v[point], layers)
            for point, step in enumerate(steps)
        }

    @cached_property
    def charts(self) -> tuple[str, ...]:
        """The names of the charts that can be drawn of this run."""
        return tuple(drawing.of_report(self._report))

    def chart(self, name: str = "") -> "Chart":
        """Return a chart of the report, such as "xor-mlp/training-loss-by-step".

        Args:
            name: one of `charts`, by default the first. Of a run with one experiment, the name
                of the experiment may be left out.

        Raises:
            harness.report.chart_names.NoChartError: a ValueError: there is no such chart.
            harness.report.chart_names.NoChartLibraryError: vl-convert is not installed.
        """
        names = list(self._run.plan.experiments)
        if name not in self.charts and len(names) == 1 and f"{names[0]}/{name}" in self.charts:
            name = f"{names[0]}/{name}"
        return drawn(name or next(iter(self.charts), ""), drawing.of_report(self._report))

    # ------------------------------------------------------------ shown

    @cached_property
    def _report(self) -> Report:
        return make_report(self._run)

    @property
    def answer(self) -> str:
        """The answer of the report in a few sentences."""
        sections = self._report.sections
        return "\n".join([answer(self._run, sections), *statements(sections)])

    def __repr__(self) -> str:
        return f"<run of {', '.join(self.experiments)} in {self.folder}: {self.answer}>"

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(sentence)}</p>" for sentence in self.answer.splitlines()]
        for section in self._report.sections:
            heads = headings(section)
            lines = [cells(section, line) for line in section.lines]
            title = f"{section.experiment.name}: {section.experiment.title}"
            parts.append(table_html(title, heads, lines))
        return "\n".join(parts)

    # ------------------------------------------------------------ which trial

    def _stored(self, row: Row, name: str) -> Array:
        arrays = self._run.arrays(row.trial)
        if name not in arrays:
            raise ValueError(f"{row.experiment} {row.framework} {row.loop}: its arrays are missing")
        return arrays[name]

    def _rows(
        self, experiment: str | None, framework: str | None, loop: str | None, seed: int | None
    ) -> list[Row]:
        """The rows with a result of the identical track that are asked for; at least one."""
        rows = [row for row in self._run.rows if row.track == Track.IDENTICAL]
        asked = {"experiment": experiment, "framework": framework, "loop": loop, "seed": seed}
        for name, value in asked.items():
            if value is None:
                continue
            known = list(dict.fromkeys(getattr(row, name) for row in rows))
            if value not in known:
                raise ValueError(f"{name}: {unknown(str(value), map(str, known))}")
            rows = [row for row in rows if getattr(row, name) == value]
        with_result = [row for row in rows if row.status == Status.OK]
        if not with_result:
            why = ", ".join(dict.fromkeys(_outcome(row) for row in rows)) or "no trial has a row"
            raise ValueError(f"no such trial has a result: {why}")
        return with_result

    def _row(
        self, experiment: str | None, framework: str | None, loop: str | None, seed: int
    ) -> Row:
        rows = self._rows(experiment, framework, loop, seed)
        for name in ("experiment", "framework"):
            several = list(dict.fromkeys(getattr(row, name) for row in rows))
            if len(several) > 1:
                raise ValueError(f"{name}: must be named, one of {', '.join(several)}")
        best = {line.loop for s in self._report.sections for line in s.lines if line.best}
        preferred = [row for row in rows if row.loop in best] if loop is None else rows
        return (preferred or rows)[0]


def _worst_difference(judgement: Judgement) -> float:
    """The largest difference of the rungs in float64; infinite where shapes differ."""
    rungs = [rung.difference for rung in judgement.rungs if rung.name != IN_FLOAT32]
    return max(rungs, default=float("nan"))


def _outcome(row: Row) -> str:
    detail = f" ({row.status_detail})" if row.status_detail else ""
    return f"{row.framework} {row.status}{detail}"


def table_html(title: str, heads: Iterable[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table as HTML. Every text is escaped."""

    def row(tag: str, texts: Iterable[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(t))}</{tag}>" for t in texts) + "</tr>"

    body = "\n".join(row("td", line) for line in lines)
    return (
        f"<table><caption>{html.escape(title)}</caption>\n"
        f"<thead>{row('th', heads)}</thead>\n<tbody>{body}</tbody></table>"
    )


@dataclass(frozen=True)
class Chart:
    """A chart, which a notebook shows.

    Args:
        name: of the chart.
        svg: the picture.
        drawings: of the run, to be drawn in another format.
    """

    name: str
    svg: str
    drawings: drawing.Drawings

    def save(self, file: str | PathLike[str]) -> None:
        """Write the chart to a file.

        Args:
            file: its path; it ends in .svg or .png.

        Raises:
            ValueError: it ends otherwise.
        """
        path = Path(file)
        if path.suffix not in (".svg", ".png"):
            raise ValueError(f"file: suffix must be .svg or .png. Got {path.suffix!r}")
        write_atomically(path, drawing.image(self.drawings, self.name, path.suffix))

    def __repr__(self) -> str:
        return f"<chart {self.name}>"

    def _repr_svg_(self) -> str:
        return self.svg


def drawn(name: str, drawings: drawing.Drawings) -> Chart:
    """Return a chart of that name.

    Raises:
        harness.report.chart_names.NoChartError: there is no such chart.
        harness.report.chart_names.NoChartLibraryError: charts cannot be drawn here.
    """
    return Chart(name, drawing.image(drawings, name, ".svg").decode(), drawings)


def loaded(folder: Path) -> LoadedRun:
    """Return the run that a folder holds.

    Raises:
        FileNotFoundError: it holds none.
        ValueError: its plan cannot be read by this version.
    """
    if not RunFolder(folder).plan_file.is_file():
        raise FileNotFoundError(
            f"folder: must be the folder of a run, which holds plan.json. Got {str(folder)!r}. "
            "Give the folder that `harness.run` or `samestep report` wrote rows to, such as "
            "results/runs/<plan>"
        )
    return LoadedRun(load_run(folder))
