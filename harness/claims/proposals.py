"""Details that sources often leave open, changed one at a time: variants for a claim without any.

Every proposal changes one field of the protocol. Those that make no valid protocol are left out.
"""

import copy
from collections.abc import Iterator
from typing import Any, Literal

from harness.claims.loading import changed_protocol
from harness.claims.model import Claim, Variant
from harness.experiment.data import FITTED_SCALES
from harness.experiment.loading import ProtocolError
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Track

MOST = 8
SCALES = {
    "divide_by_255": ("none", "pixels as they are, 0 to 255"),
    "divide_by_256": ("divide_by_255", "divided by 255 instead of 256"),
    "divide_by_16": ("none", "pixels as they are, 0 to 16"),
    "min_max": ("none", "columns as they are"),
    "standardize": ("none", "columns as they are"),
    "hundredth_to_one": ("divide_by_255", "scaled to 0 to 1 instead of 0.01 to 1"),
    "minus_one_to_one": ("divide_by_255", "scaled to 0 to 1 instead of -1 to 1"),
    "none": ("standardize", "columns standardised"),
}
FITTED = "scale-fitted-on-"
FITS = {
    "training": "scaled by the training rows alone",
    "all": "scaled by all rows, test rows among them",
    "each_part": "training and test rows each scaled by their own",
}
MISTAKES = (f"{FITTED}all", f"{FITTED}each-part")
UNFITTED = {"data.scale_fitted_on": "training"}
ORDERS = {
    "shuffled": ("sequential", "rows in their order, not shuffled"),
    "sequential": ("shuffled", "rows shuffled in every epoch"),
    "with_replacement": ("shuffled", "every row once an epoch instead of with replacement"),
}
STARTS = {
    "zeros": ({"name": "glorot_uniform"}, "Keras's default start instead of zeros"),
    "glorot_uniform": ({"name": "inverse_root_uniform"}, "PyTorch's default start"),
    "inverse_root_uniform": ({"name": "glorot_uniform"}, "Keras's default start"),
}
OTHER_START = ({"name": "glorot_uniform"}, "Keras's default start")

Proposal = tuple[str, str, dict[str, Any]]
"""(name, why, changes)"""


def proposed_variants(claim: Claim) -> tuple[Variant, ...]:
    """Return up to eight variants, each with one detail of the protocol changed."""
    assert claim.protocol is not None
    digests = {claim.protocol.digest}
    variants: list[Variant] = []
    for name, why, changes in _proposals(claim.protocol, claim.track):
        role: Literal["mistake", "reading"] = "mistake" if name in MISTAKES else "reading"
        variant = Variant(name=name, role=role, why=why, changes=changes)
        try:
            digest = changed_protocol(claim, variant).digest
        except ProtocolError:
            continue
        if digest not in digests:
            digests.add(digest)
            variants.append(variant)
    return tuple(variants[:MOST])


def as_toml(variant: Variant) -> str:
    """Return a variant as it stands in a claim's file."""
    changes = ", ".join(f'"{field}" = {_toml(value)}' for field, value in variant.changes.items())
    return (
        f'[[variants]]\nname = "{variant.name}"\nrole = "{variant.role}"\n'
        f'why = "{variant.why}"\nchanges = {{ {changes} }}\n'
    )


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _proposals(protocol: Experiment, track: Track) -> Iterator[Proposal]:
    """Yield what published numbers most often depend on, the likeliest first.

    A library's own solver follows of the protocol only its data.
    """
    scale, why = SCALES[protocol.data.scale]
    without = {} if protocol.data.scale_fitted_on == "training" else UNFITTED
    yield f"scale-{scale.replace('_', '-')}", why, {"data.scale": scale, **without}
    yield from _fits(protocol)
    if protocol.data.target_values is not None:
        yield "targets-zero-one", "targets 0 and 1", {"data.target_values": [0.0, 1.0]}
    if track == Track.NATIVE:
        return
    yield from _starts(protocol)
    if protocol.training is None:
        return
    values = protocol.training.model_dump(mode="json", exclude_none=True)
    yield from _batches(values["batches"])
    yield from _losses(values["loss"], protocol.network.outputs)
    field, rate = "training.optimizer.learning_rate", values["optimizer"]["learning_rate"]
    yield "rate-tenfold", "ten times the learning rate", {field: float(f"{10 * rate:.12g}")}
    yield "rate-tenth", "a tenth of the learning rate", {field: float(f"{rate / 10:.12g}")}
    if values["optimizer"].get("epsilon"):
        other = 1e-7 if values["optimizer"]["epsilon"] != 1e-7 else 1e-8
        yield (
            "epsilon",
            f"epsilon {other:g}, another library's default",
            {"training.optimizer.epsilon": other},
        )
    if "l2" in values:
        penalty = copy.deepcopy(values["l2"])
        penalty["half"] = not penalty["half"]
        yield "l2-half", "the penalty with and without its half", {"training.l2": penalty}


def _fits(protocol: Experiment) -> Iterator[Proposal]:
    """Yield the other rows that a scale can be fitted to."""
    if protocol.data.scale not in FITTED_SCALES:
        return
    for rows, why in FITS.items():
        if rows != protocol.data.scale_fitted_on:
            name = f"{FITTED}{rows.replace('_', '-')}"
            yield name, why, {"data.scale_fitted_on": rows}


def _starts(protocol: Experiment) -> Iterator[Proposal]:
    weights = protocol.initializers.of("weights", 0).name
    start, why = STARTS.get(weights, OTHER_START)
    yield "other-start", why, {"initializers.weights": start}
    if protocol.initializers.of("biases", 0).name != "zeros":
        yield "zero-biases", "biases start at zero", {"initializers.biases": {"name": "zeros"}}


def _batches(batches: dict[str, Any]) -> Iterator[Proposal]:
    if batches["order"] == "full":
        return
    order, why = ORDERS[batches["order"]]
    yield f"order-{order}", why, {"training.batches": batches | {"order": order}}
    last = "drop" if batches["last"] == "keep" else "keep"
    words = "left out" if last == "drop" else "kept"
    yield (
        f"last-{last}",
        f"the short last batch {words}",
        {"training.batches": batches | {"last": last}},
    )


def _losses(loss: dict[str, Any], outputs: int) -> Iterator[Proposal]:
    other = "sum" if loss["batch"] == "mean" else "mean"
    yield (
        f"loss-{other}",
        f"the loss is the {other} over the batch",
        {"training.loss": loss | {"batch": other}},
    )
    if "outputs" in loss and outputs > 1:
        other = "sum" if loss["outputs"] == "mean" else "mean"
        yield (
            f"outputs-{other}",
            f"the loss is the {other} over the outputs",
            {"training.loss": loss | {"outputs": other}},
        )
    if "half" in loss:
        yield (
            "loss-half",
            "the squared error with and without its half",
            {"training.loss": loss | {"half": not loss["half"]}},
        )
    for part, words in (
        ("label_smoothing", "labels are not smoothed"),
        ("class_weights", "all classes weigh the same"),
    ):
        if loss.get(part):
            plain = {name: value for name, value in loss.items() if name != part}
            yield f"no-{part.replace('_', '-')}", words, {"training.loss": plain}
    if "over_delta" in loss:
        yield (
            "loss-over-delta",
            "Huber's loss divided by delta or not",
            {"training.loss": loss | {"over_delta": not loss["over_delta"]}},
        )
