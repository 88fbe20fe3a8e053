"""What a check leaves out, in words."""

from collections.abc import Iterable, Mapping, Sequence

from harness.experiment.model import Experiment
from harness.parity.covering import Covering
from harness.parity.kinds import Kind, all_kinds, kinds_in

LEAST = (
    "The least that a check needs is one protocol that trains: a dense layer, one of the three "
    "losses, sgd, full batches. --protocol FILE.toml names one that this adapter follows"
)
NAMES_AT_MOST = 4
REASONS_AT_MOST = 6


def not_looked_at(covering: Covering, full: bool) -> str:
    """Return what `supports` accepts and no protocol of this check has; empty where nothing.

    Args:
        covering: the protocols of the check.
        full: whether they are all that there are.
    """
    parts = [in_words(covering.not_looked_at)] if covering.not_looked_at else []
    pairs = _pairs(covering.supported.values()) - _pairs(covering.chosen.values())
    by_loss: dict[str, list[str]] = {}
    for loss, rule in sorted(pairs):
        by_loss.setdefault(loss.replace("_", " "), []).append(rule)
    together = [f"{loss} by {', '.join(rules)}" for loss, rules in by_loss.items()]
    if together:
        parts.append(f"together: {'; '.join(together)}")
    if not parts:
        return ""
    remedy = "no protocol has them" if full else "no protocol of this check has them; --full has"
    return f"not looked at: {'. And '.join(parts)}: {remedy}"


def refused_kinds(covering: Covering) -> str:
    """Return what `supports` refuses wherever it stands, and its reasons; empty where nothing.

    A rule that is refused in every form is named once: `adam` for both of Adam's forms.
    """
    accepted = kinds_in(covering.supported.values())
    refused = [
        kind
        for kind in all_kinds()
        if kind not in accepted and kind.group != "numbers" and "decay of" not in kind.name
    ]
    if not refused or not accepted:
        return ""
    taken = {_rule(kind) for kind in accepted}
    whole = dict.fromkeys(kind if _rule(kind) in taken else _rule(kind) for kind in refused)
    reasons = list(dict.fromkeys(map(str, covering.refused.values())))
    more = len(reasons) - REASONS_AT_MOST
    shown = "; ".join(reasons[:REASONS_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
    return f"refused by supports: {in_words(list(whole))}. Its reasons: {shown}"


def _rule(kind: Kind) -> Kind:
    """Return the loss, update rule or penalty that a kind is about, whatever its form."""
    if kind.group == "L2 penalties":
        return Kind(kind.group, "any")
    name = kind.name.partition(":")[0].partition(" behind ")[0].partition(" (")[0]
    return Kind(kind.group, name)


def refusals(refused: Mapping[str, str]) -> str:
    """Return reasons of refusal, each once with the protocols that it refuses."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in refused.items():
        by_reason.setdefault(str(reason), []).append(name)
    groups = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return "; ".join(f"{reason} ({_some(names)})" for reason, names in groups)


def in_words(kinds: Sequence[Kind]) -> str:
    """Return kinds by group, such as `L2 penalties (halved, per row); schedules (step decay)`."""
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, []).append(kind.name.replace("_", " "))
    return "; ".join(f"{group} ({', '.join(names)})" for group, names in groups.items())


def _pairs(experiments: Iterable[Experiment]) -> set[tuple[str, str]]:
    """Losses and update rules that some protocol has together."""
    trainings = [each.training for each in experiments if each.training]
    return {(each.loss.name, each.optimizer.name) for each in trainings}


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_AT_MOST])
    more = len(names) - NAMES_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown
