"""Experiments that differ in one part of the protocol, such as the learning rate, in one chart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.report.model import Section
from harness.report.page.curve_chart import HEIGHT
from harness.report.page.figures import COLOURS, SHAPES, Figure, Record, Spec, five_digits, new_spec
from harness.report.page.learning_curves import Curves, curves_of
from harness.report.protocol_differences import Difference, differences
from harness.run import Run

NOT_COMPARED = ("data", "rows", "split", "scale", "length", "rounding", "stopping")
"""Parts in which experiments may differ without a chart of it: other rows, or another end."""
MOST_VALUES = len(SHAPES)


@dataclass(frozen=True)
class Overlay:
    """Experiments that are alike but for one part, each with its value of that part."""

    part: str
    members: tuple[tuple[str, Section], ...]


def overlays(sections: Sequence[Section]) -> list[Overlay]:
    """Return groups of at least two experiments that differ pairwise in the same part alone."""
    once = list({section.experiment.name: section for section in reversed(sections)}.values())[::-1]
    groups: list[Overlay] = []
    for place, first in enumerate(once):
        by_part: dict[str, list[tuple[str, Section]]] = {}
        for other in once[place + 1 :]:
            found = _one_difference(differences(other.experiment, first.experiment))
            if found is not None and found.part not in NOT_COMPARED:
                members = by_part.setdefault(found.part, [(found.there or "none", first)])
                members.append((found.here or "none", other))
        for part, members in by_part.items():
            names = {section.experiment.name for _, section in members}
            known = ({s.experiment.name for _, s in g.members} for g in groups if g.part == part)
            if not any(names <= earlier for earlier in known):
                groups.append(Overlay(part, tuple(members[:MOST_VALUES])))
    return groups


def _one_difference(found: Sequence[Difference]) -> Difference | None:
    """Return the only difference; layers more have other activations too, which is one."""
    if {difference.part for difference in found} == {"network", "activations"}:
        here, there = (
            ", ".join(filter(None, (getattr(difference, side) for difference in found)))
            for side in ("here", "there")
        )
        return Difference("network", here, there)
    return found[0] if len(found) == 1 else None


def overlay_figure(overlay: Overlay, run: Run) -> Figure | None:
    """Return the curves of a group's experiments by step; None where fewer than two have any."""
    curves = [
        (value, section, proven[0])
        for value, section in overlay.members
        if (proven := [each for each in curves_of(section, run) if each.proven])
    ]
    if len(curves) < 2:
        return None
    records = tuple(r for value, _, each in curves for r in _records(value, each))
    values = [value for value, _, _ in curves]
    names = {section.result_name for _, section, _ in curves}
    axes = [] if overlay.part == "loss" else [("loss", "training loss")]
    if len(names) == 1 and not (overlay.part == "loss" and "loss" in min(names)):
        axes.append(("score", min(names)))
    if not axes:
        return None
    said = "; ".join(
        f"{section.experiment.name}: {value}, by {each.framework} {each.loop}"
        for value, section, each in curves
    )
    return Figure(
        name=f"overlay-{overlay.part.replace(' ', '-')}-{curves[0][1].experiment.name}",
        title=f"The same but for the {overlay.part}",
        caption=f"Each curve is of one experiment, in the first framework that is proven. {said}.",
        specs={f"{title} by step": _spec(field, title, values) for field, title in axes},
        records=records,
        headings=("experiment", overlay.part, "last step", *(title for _, title in axes)),
        rows=tuple(_row(value, section, each, axes) for value, section, each in curves),
    )


def _records(value: str, curves: Curves) -> list[Record]:
    loss, score = curves.values.values()
    return [
        {"v": value, "step": int(step), "loss": five_digits(at), "score": five_digits(scored)}
        for step, at, scored in zip(curves.steps, loss, score, strict=True)
    ]


def _row(
    value: str, section: Section, curves: Curves, axes: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    last = dict(zip(("loss", "score"), (v[-1] for v in curves.values.values()), strict=True))
    numbers = (f"{last[field]:.5g}" if np.isfinite(last[field]) else "-" for field, _ in axes)
    return (section.experiment.name, value, f"{int(curves.steps[-1]):,}", *numbers)


def _spec(field: str, title: str, values: Sequence[str]) -> Spec:
    named = {"field": "v", "title": None}
    scale = {"domain": list(values), "range": list(COLOURS[: len(values)])}
    return new_spec(f"{title} by step", HEIGHT) | {
        "transform": [{"filter": f"isValid(datum.{field})"}],
        "encoding": {
            "x": {
                "field": "step",
                "type": "quantitative",
                "title": "step",
                "axis": {"tickCount": 5, "format": "~s"},
            },
            "y": {
                "field": field,
                "type": "quantitative",
                "title": title,
                "scale": {"zero": False},
                "axis": {"tickCount": 5},
            },
            "color": named | {"scale": scale, "legend": {"columns": 1, "labelLimit": 400}},
            "tooltip": [
                {"field": "v", "title": "value"},
                {"field": "step", "format": ","},
                {"field": field, "title": title, "format": ".5g"},
            ],
        },
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2}},
            {
                "mark": {"type": "point", "filled": True, "size": 30, "opacity": 1},
                "encoding": {
                    "shape": named
                    | {"scale": {"domain": list(values), "range": list(SHAPES[: len(values)])}}
                    | {"legend": {"columns": 1, "labelLimit": 400}}
                },
            },
        ],
    }
