"""The rules that judge one number of a claim, by their names in `Number.rule`."""

from collections.abc import Mapping

from harness.claims.count_rules import rate
from harness.claims.digit_rules import every, exact
from harness.claims.level_rules import between, level
from harness.claims.ruling import Rule

RULES: Mapping[str, Rule] = {
    "exact": exact,
    "every": every,
    "rate": rate,
    "range": between,
    "level": level,
}
