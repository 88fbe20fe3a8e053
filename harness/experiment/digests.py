"""The digest of a protocol: the same for the same computation, in every version of samestep.

Rows of earlier runs are recognised by it. So the canonical form of a protocol never changes: a
field that was added later is left out while it has its default, and a value that was renamed
later has its earlier name.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.experiment.random_generator import EARLIER_ORDERS

if TYPE_CHECKING:
    from harness.experiment.model import Experiment

NOT_COMPUTED = {"name", "title", "source", "quick", "native", "target"}
"""Fields that do not change what is computed."""
ADDED_LATER: tuple[tuple[str, str, Any], ...] = (
    ("", "generator", None),
    ("", "constants", "float32"),
    ("training", "stopping", None),
    *(("training", name, None) for name in ("l1", "clipping", "max_norm", "plateau")),
    ("layers", "kind", "dense"),
    ("network", "image", None),
    ("layers", "alpha", 1.0),
    ("loss", "behind_activation", False),
    ("loss", "label_smoothing", None),
    ("loss", "class_weights", None),
    ("schedule", "first", "unchanged"),
    ("schedule", "warm_up", None),
    *(("data", name, None) for name in ("file", "target", "kind", "classes", "inputs")),
    *(("data", name, None) for name in ("format", "sha256", "contents")),
    *(("data", name, None) for name in ("test_file", "test_target")),
    ("data", "drawn", None),
    ("data", "scale_fitted_on", "training"),
    ("data", "target_values", None),
    ("data", "ignore", []),
    ("data", "one_hot", []),
    ("data", "missing", "refuse"),
)
"""(table, field, default) of the fields that protocols did not have at first."""


FOUND_IN_CONTENTS = (
    *("dataset", "file", "test_file", "test_target", "sha256"),
    *("kind", "classes", "inputs", "ignore", "missing"),
)
"""What `contents` says of a file whatever way the protocol said it; its path changes nothing."""


def canonical_form(experiment: "Experiment") -> dict[str, Any]:
    """Return everything that changes what is computed, as JSON values."""
    values = experiment.model_dump(mode="json", exclude=NOT_COMPUTED)
    training = values["training"] or {}
    tables = {
        "": [values],
        "training": [training],
        "data": [values["data"]],
        "network": [values["network"]],
        "layers": values["network"]["layers"],
        "loss": [training.get("loss") or {}],
        "schedule": [training.get("schedule") or {}],
    }
    for name, field, default in ADDED_LATER:
        for table in tables[name]:
            if table.get(field) == default:
                table.pop(field, None)
    generator = values.get("generator", {})
    for earlier, today in EARLIER_ORDERS.items():
        if generator.get("order") == today:
            generator["order"] = earlier
    for initializer in _initializers(values["initializers"]):
        if initializer["name"] == "file":  # what is in it counts, wherever it is
            del initializer["file"], initializer["found"]["shapes"]
    if values["data"].get("contents"):
        for name in FOUND_IN_CONTENTS:
            values["data"].pop(name, None)
        values["data"]["contents"].pop("form")
        if not values["data"]["contents"]["test_rows"]:
            values["data"]["contents"].pop("test_rows")
    return values


def _initializers(table: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables of all initializers."""
    parts = (table["weights"], table["biases"])
    return [each for part in parts for each in (part if isinstance(part, list) else [part])]


def digest_of(value: Any) -> str:
    """Return 16 hexadecimal digits of SHA-256 over a JSON value; the order of keys is ignored."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
