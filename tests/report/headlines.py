"""What a headline claims, read from its text, and held against the table that it stands over.

Nothing here asks `rank`: names and times are parsed, and every claim is worked out again from the
cells of the table and from the samples behind them.
"""

import re
from typing import NamedTuple

from harness.analysis.intervals import estimate
from harness.report.section_table import cells, headings

PROVEN = {"same", "same to float32", "same while comparable"}
LINE = re.compile(r"(\S+ \S+) \(((?:at most )?[^()]*)\)")
NUMBER = r"(?:about|at least|at most)? ?[\d.,]+(?: \([\d.,]+ to [\d.,]+\))?"
PLACED = (
    r"fastest(?: of those that can be placed)?: (?P<first>.*\)), (?P<ratio>.*) times as fast as "
    r"(?P<rival>.*)"
)
CLOSE = (
    r"(?:fastest: (?P<close>.*\)), too close (?:to tell|for one run|for two runs)"
    r"|tied for fastest: (?P<tied>.*))"
)
MANY = r"(?:one of )?(?P<count>\d+) loops, from (?P<ends>.*)"
BEHIND = r"(?P<rival>.*\)) takes (?P<ratio>.*) times as long as (?P<first>.*)"
ALONE = r"(?P<name>\S+ \S+) took (?P<time>.*)"
UNPLACED = r"not placed, because too few trials were undisturbed: (?P<lines>.*)"


class Claims(NamedTuple):
    """What a headline says: lines by name to their times as text."""

    leaders: dict
    leader_count: int
    is_close: bool
    slower: dict
    ratio: str
    unplaced: dict
    orders: bool


def lines_in(text):
    """`jax fused (5.3 ms) or ...` as a dictionary of names and times."""
    return dict(LINE.findall(text.replace(" or ", ", ")))


def read(text):
    """Return what a headline claims. Every part of it must have a known form."""
    leaders, slower, unplaced, ratio, is_close, orders = {}, {}, {}, "", False, True
    count = None
    for part in text.split("; "):
        if found := re.fullmatch(PLACED, part):
            leaders, ratio = lines_in(found["first"]), found["ratio"]
            slower = lines_in(found["rival"])
        elif found := re.fullmatch(CLOSE, part):
            leading, is_close = found["close"] or found["tied"], True
            leaders = lines_in(leading)
            if many := re.fullmatch(MANY, leading):
                count, leaders = int(many["count"]), lines_in(many["ends"].replace(" to ", ", "))
        elif found := re.fullmatch(BEHIND, part):
            slower, ratio = lines_in(found["rival"]), found["ratio"]
            assert found["first"] == next(iter(leaders))
        elif found := re.fullmatch(UNPLACED, part):
            unplaced = lines_in(found["lines"])
        elif found := re.fullmatch(ALONE, part):
            leaders, orders = {found["name"]: found["time"]}, False
        else:
            raise AssertionError(f"a headline of unknown form: {part!r}")
    assert not ratio or re.fullmatch(NUMBER, ratio), ratio
    return Claims(leaders, count or len(leaders), is_close, slower, ratio, unplaced, orders)


def seconds_of(text):
    """`2 min 5 s`, `at most 46.9 ms`, `≤ 1.09 s ± 3 %` in seconds."""
    text = re.sub(r"^(at most|≤) ", "", text).partition(" ±")[0]
    if found := re.fullmatch(r"(\d+) min (\d+) s", text):
        return 60 * int(found[1]) + int(found[2])
    number, unit = text.split(" ")
    return float(number.replace(",", "")) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def table_of(section):
    """The proven lines with a time: name to the text of their time."""
    times = {}
    for line in section.lines:
        row = dict(zip(headings(section), cells(section, line), strict=True))
        if row["parity"] in PROVEN and row["train time"] != "-":
            times[f"{row['framework']} {row['loop']}"] = row["train time"]
    return times


def is_shown_slower(line, first):
    """Whether the samples of two lines show that one is slower; worked out anew."""
    undisturbed, disturbed_too = (
        [line.calm[key] / times[key] for key in sorted(line.calm.keys() & times.keys())]
        for times in (first.calm, first.samples)
    )
    for ratios in (undisturbed, disturbed_too):
        if len(ratios) >= 3 and (estimate(ratios).low > 1 or min(ratios) >= 3):
            return True
    return len(undisturbed) < 3 and line.train.value >= 3 * first.train.value


def check(section, text):
    """Hold a headline against its table."""
    table, claims = table_of(section), read(text)
    lines = {line.name: line for line in section.lines if line.identical}
    stated = claims.leaders | claims.slower | claims.unplaced
    for name, time in stated.items():
        assert name in table, f"{name} is not proven"
        assert time.startswith("at most") == table[name].startswith("≤")
        assert seconds_of(time) == seconds_of(table[name])
    first = next(iter(claims.leaders))
    fastest_s = min(map(seconds_of, table.values()))
    assert seconds_of(claims.leaders[first]) == fastest_s, "not the fastest of the table"
    leading = leading_of(section, claims)
    assert len(leading) == claims.leader_count
    said_slower = set(table) - leading - set(claims.unplaced)
    for name in said_slower:
        assert not table[name].startswith("≤"), f"{name} may not lose"
        assert is_shown_slower(lines[name], lines[first]), name
    assert set(claims.slower) <= said_slower
    for name in leading - {first}:
        assert claims.is_close
        assert not is_shown_slower(lines[name], lines[first]), name
    if not claims.is_close:
        assert bool(claims.slower) == claims.orders
    if claims.slower:
        check_ratio(claims.ratio, lines[next(iter(claims.slower))], lines[first])


def leading_of(section, claims):
    """The names of the lines that lead: the stated ones, or from the first to the last of them."""
    if claims.leader_count == len(claims.leaders):
        return set(claims.leaders)
    table, lines = table_of(section), {line.name: line for line in section.lines}
    last = max(map(seconds_of, claims.leaders.values()))
    first = lines[next(iter(claims.leaders))]
    between = {name for name, time in table.items() if seconds_of(time) <= last}
    return {x for x in between - set(claims.unplaced) if not is_shown_slower(lines[x], first)}


def check_ratio(text, slower, first):
    """The factor is that of the two times of the table, or with an interval that of the pairs."""
    number = float(re.search(r"[\d.,]+", text)[0].replace(",", ""))
    common = slower.calm.keys() & first.calm.keys()
    if "(" in text:
        expected = estimate([slower.calm[key] / first.calm[key] for key in common]).value
        assert len(common) >= 3
    else:
        expected = slower.train.value / first.train.value
        signs = {(False, True): "at least", (True, False): "at most"}
        assert text.startswith(signs.get((slower.is_bound, first.is_bound), "about"))
    assert abs(number / expected - 1) < 0.051, (number, expected)


# ---------------------------------------------------------------- the other sentences


def rows_of(section):
    """The rows of a table that are proven: name to heading to text."""
    rows = [
        dict(zip(headings(section), cells(section, line), strict=True)) for line in section.lines
    ]
    return {f"{row['framework']} {row['loop']}": row for row in rows if row["parity"] in PROVEN}


def check_idiomatic(section, text):
    """Hold what an idiomatic loop costs against the table; False for another sentence."""
    pattern = r"(\S+): its idiomatic loop takes (.*) times as long as .* in its (\S+) loop"
    if not (found := re.fullmatch(pattern, text)):
        return False
    framework, factor, loop = found.groups()
    table, lines = rows_of(section), {line.name: line for line in section.lines}
    names = f"{framework} idiomatic", f"{framework} {loop}"
    assert set(names) <= set(table)
    check_ratio(factor, *(lines[name] for name in names))
    assert factor.startswith("at most") or not table[names[0]]["train time"].startswith("≤")
    return True


def check_gap(section, text):
    """Hold a gap against the table: proven, undisturbed, large; False for another sentence."""
    pattern = r".*the (\S+ \S+) a step between (\S+ \S+) and (\S+ [^\s,:]+)[,:] .*"
    if not (found := re.fullmatch(pattern, text)):
        return False
    gap, slow, fast = found.groups()
    table = rows_of(section)
    slow_s, fast_s = (seconds_of(table[name]["step time"]) for name in (slow, fast))
    assert not any(table[name]["step time"].startswith("≤") for name in (slow, fast))
    assert abs(seconds_of(gap) - (slow_s - fast_s)) <= 0.01 * slow_s
    assert slow_s > 1.49 * fast_s
    products = [line.products_s for line in section.lines if line.name in (slow, fast)]
    assert None not in products
    longer = next(x.products_s for x in section.lines if x.name == slow) - next(
        x.products_s for x in section.lines if x.name == fast
    )
    if shares := re.findall(r"(\d+) %", text):
        first, second = map(int, shares)
        assert first + second == 100
        assert abs(first / 100 - longer / (slow_s - fast_s)) < 0.05
    else:
        assert ("explain more" in text) == (longer > 0)
        assert ("explain nothing" in text) == (longer < 0)
    return True
