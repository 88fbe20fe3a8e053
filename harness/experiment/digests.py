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
ADDED_LATER = (
    ("", "generator", None),
    ("", "constants", "float32"),
    ("training", "stopping", None),
)
"""(table, field, default) of the fields that protocols did not have at first."""


def canonical_form(experiment: "Experiment") -> dict[str, Any]:
    """Return everything that changes what is computed, as JSON values."""
    values = experiment.model_dump(mode="json", exclude=NOT_COMPUTED)
    tables = {"": values, "training": values["training"] or {}}
    for table, field, default in ADDED_LATER:
        if tables[table].get(field) == default:
            tables[table].pop(field, None)
    generator = values.get("generator", {})
    for earlier, today in EARLIER_ORDERS.items():
        if generator.get("order") == today:
            generator["order"] = earlier
    return values


def digest_of(value: Any) -> str:
    """Return 16 hexadecimal digits of SHA-256 over a JSON value; the order of keys is ignored."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
