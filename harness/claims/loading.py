"""TOML to claims: the ledger that comes with samestep, and a user's own files."""

import copy
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.claims.model import ID, Claim, Variant
from harness.data import fetching
from harness.experiment.loading import (
    ProtocolError,
    check_whole,
    names_a_file,
    parse,
    sentences,
    toml_of,
)
from harness.experiment.model import Experiment
from harness.experiment.names import unknown
from harness.experiment.text_files import place_of

LEDGER = Path(__file__).parent / "ledger"
EXPLANATIONS = Path(__file__).parent / "explanations.toml"
ADDENDA = Path(__file__).parent / "addenda.toml"
PATTERNS = {
    "id": "must be letters, digits and hyphens, at most 41, beginning with a letter",
    "group": "must be lower-case letters",
    "year": 'must be a year or two, such as "2017" or "2008-2018"',
    "name": "must be lower-case letters and digits, with single hyphens between",
    "share": 'must be successes of runs, such as "2 of 9"',
}
"""Fields to the rule that their pattern says."""


@cache
def ledger() -> dict[str, Claim]:
    """Return every registered claim by id, the claims of the study posts first."""
    claims = [_registered(file) for file in sorted(LEDGER.glob("*.toml"))]
    claims.sort(key=lambda claim: (claim.group != "posts", claim.id))
    return {claim.id: claim for claim in claims}


@cache
def _tables(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def explanation(claim: str, verdict: str) -> str:
    """Return why a verdict differs from the registered one; "" where no explanation is known.

    Explanations are written after the run, in a file of their own: registrations are not edited.
    """
    entry = _tables(EXPLANATIONS).get(claim, {})
    return str(entry["why"]) if entry.get("verdict") == verdict else ""


def load(name_or_file: str) -> Claim:
    """Return a claim of the ledger, by its id in any case, or the claim of a user's own file."""
    files = {file.stem.upper(): file for file in sorted(LEDGER.glob("*.toml"))}
    if name_or_file.upper() not in files and names_a_file(name_or_file):
        path = place_of(name_or_file)
        claim = read(path)
        if claim.id.upper() in files and path.resolve().parent != LEDGER.resolve():
            raise ProtocolError(
                f"{path}: id: {claim.id!r} is a claim of the ledger, whose rows it would be judged "
                f'by; write another, such as "my-{claim.id}"'
            )
        return claim
    if name_or_file.upper() not in files:
        names = [file.stem for file in files.values()]
        raise ProtocolError(f"claim: {unknown(name_or_file, names)}")
    return _registered(files[name_or_file.upper()])


def _registered(file: Path) -> Claim:
    """Return a claim of the ledger, with what was found in its source after the first run."""
    claim = read(file)
    addendum = _tables(ADDENDA).get(claim.id)
    if addendum is None:
        return claim
    numbers = tuple(
        number.model_copy(update={"also_printed": tuple(addendum["also_printed"])})
        if number.name == addendum["number"]
        else number
        for number in claim.numbers
    )
    note = f"{claim.note} Found after the first run: {addendum['found_in']}.".strip()
    return claim.model_copy(update={"numbers": numbers, "note": note})


def read(path: Path) -> Claim:
    """Read and validate one file.

    Raises:
        ProtocolError: the file cannot be read or is not a claim; the message names the field.
    """
    return from_values(toml_of(path), str(path))


def from_values(values: dict[str, Any], origin: str) -> Claim:
    """Validate a claim and its protocol.

    Args:
        values: as read from TOML.
        origin: where they come from; messages begin with it.

    Raises:
        ProtocolError: they are not a claim; the message names the field.
    """
    values = dict(values)
    has_id = re.fullmatch(ID, str(values.get("id", "")))
    if has_id and isinstance(values.get("protocol"), dict):
        named = {"name": str(values.get("id", "claim")).lower(), "title": values.get("title", "")}
        values["protocol"] = parse(named | values["protocol"], f"{origin}: [protocol]")
        check_whole(values["protocol"], f"{origin}: [protocol]")
    try:
        claim = Claim.model_validate(values)
    except ValidationError as error:
        lines = [f"  {_in_words(sentence)}" for sentence in sentences(error, Claim)]
        raise ProtocolError("\n".join([f"{origin}: not a valid claim", *lines])) from error
    for variant in claim.variants:
        changed_protocol(claim, variant)
    return claim


def _in_words(sentence: str) -> str:
    """Return the sentence with a rule in words instead of a pattern."""
    place = sentence.partition(":")[0].rpartition(".")[2]
    rule = PATTERNS.get(place)
    return re.sub(r"must match pattern '.*?'\. Got", f"{rule}. Got", sentence) if rule else sentence


def changed_protocol(claim: Claim, variant: Variant) -> Experiment:
    """Return the claim's protocol with the variant's fields changed.

    Raises:
        ProtocolError: there is no such field, or the result is not a valid protocol.
    """
    assert claim.protocol is not None
    values = copy.deepcopy(claim.protocol.model_dump(mode="json"))
    for field, value in variant.changes.items():
        *parents, last = field.split(".")
        place = values
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                raise ProtocolError(
                    f"{claim.id}, variant {variant.name}: {field!r} is no field of the protocol"
                )
            place = inner
        place[last] = value
    values["name"] = f"{claim.id.lower()}-{variant.name}"
    return parse(values, f"{claim.id}, variant {variant.name}")


def protocol_of(claim: Claim, variant: str) -> Experiment:
    """Return the protocol that the samples of a variant follow; "" is the claim's own."""
    assert claim.protocol is not None
    changed = next((one for one in claim.variants if one.name == variant), None)
    return claim.protocol if changed is None else changed_protocol(claim, changed)


def with_source_data(claim: Claim) -> Claim:
    """Return the claim on the source's data, if the files are there and correct."""
    if claim.own_data is None:
        return claim
    try:
        fetching.files(claim.own_data, fetching.folder(claim.own_data))
    except (fetching.DataMissingError, KeyError):
        return claim
    return on_source_data(claim)


def on_source_data(claim: Claim) -> Claim:
    """Return the claim on the source's data, so on the same rows; unchanged if it has none."""
    if claim.own_data is None or claim.protocol is None:
        return claim
    data = claim.protocol.data.model_copy(update={"dataset": claim.own_data})
    protocol = claim.protocol.model_copy(update={"data": data})
    return claim.model_copy(update={"protocol": protocol, "same_test": True})
