"""Whether two runs may be compared at all. Pure functions of plans and rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from harness.analysis.cells import distinct, ok_trials
from harness.plan import Plan
from harness.results import Row

CONDITIONS: dict[str, Callable[[Row], object]] = {
    "machine": lambda row: row.machine,
    "protocol version": lambda row: row.protocol,
    "device": lambda row: row.device,
    "precision": lambda row: row.dtype,
    "threads": lambda row: row.threads,
    "allocator settings": lambda row: row.allocator,
}
"""What two runs must have in common: its name in messages, and its column."""


class NotComparableError(ValueError):
    """Two runs cannot be compared; the message says why."""


def check_comparable(a: Plan, b: Plan, rows_a: Sequence[Row], rows_b: Sequence[Row]) -> None:
    """Check that two runs were made on the same machine, with the same protocols and settings.

    Raises:
        NotComparableError: with everything that differs.
    """
    problems = [*_different_conditions(rows_a, rows_b), *_different_experiments(a, b)]
    changed = _changed_protocols(rows_a, rows_b)
    if changed:
        names = ", ".join(changed)
        problems.append(f"another protocol under the same name or another length: {names}")
    if not problems and not ok_trials(rows_a) & ok_trials(rows_b):
        problems.append("no trial that ended well in both")
    if problems:
        raise NotComparableError("\n".join(problems))


def _different_conditions(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> Iterator[str]:
    for name, column in CONDITIONS.items():
        a, b = distinct(rows_a, column), distinct(rows_b, column)
        if a and b and not a & b:
            yield f"{name}: {_versus(a, b)}"


def _different_experiments(a: Plan, b: Plan) -> Iterator[str]:
    if not a.experiments.keys() & b.experiments.keys():
        yield f"no experiment in common: {_versus(a.experiments, b.experiments)}"


def _changed_protocols(rows_a: Sequence[Row], rows_b: Sequence[Row]) -> list[str]:
    """Return experiments of both runs whose protocols differ."""
    a, b = _digests(rows_a), _digests(rows_b)
    return sorted(name for name in a.keys() & b.keys() if a[name] != b[name])


def _digests(rows: Sequence[Row]) -> dict[str, set[str]]:
    digests: dict[str, set[str]] = {}
    for row in rows:
        digests.setdefault(row.experiment, set()).add(row.experiment_digest)
    return digests


def _versus(a: Iterable[str], b: Iterable[str]) -> str:
    return f"{', '.join(sorted(a))} against {', '.join(sorted(b))}"
