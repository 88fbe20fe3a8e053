"""A protocol as the text of a TOML file that `samestep report` reads."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.experiment.model import Experiment


def to_toml(experiment: "Experiment") -> str:
    """Return a protocol as TOML, a table for each of its parts.

    What was found in files of the user's is left out: whoever reads the protocol reads the files.
    """
    values = experiment.model_dump(mode="json", exclude_none=True, exclude={"data": {"contents"}})
    for part in values["initializers"].values():
        for initializer in part if isinstance(part, list) else [part]:
            initializer.pop("found", None)
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = _lines(plain)
    for name, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_inline(value)}" for key, value in table.items()]


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
