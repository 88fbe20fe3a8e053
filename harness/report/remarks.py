"""What the lines of a section say, in sentences under its table."""

from collections.abc import Sequence

from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL, Estimate
from harness.experiment.stopping import NoImprovement
from harness.experiment.vocabulary import Loop
from harness.report.model import Line, Ranking, Section, time_ratio
from harness.report.product_gaps import ProductGap, product_gaps
from harness.report.protocol_text import data_text
from harness.report.text import count_text, ratio_text, seconds, two_digits

LIBRARIES = {"openblas": "OpenBLAS", "mkl": "MKL", "eigen": "Eigen", "onednn": "oneDNN"}
"""Names of libraries, as they are written."""
TOO_CLOSE_FOR = ("too close to tell", "too close for one run", "too close for two runs")
"""By the number of undisturbed pairs of runs, which are too few for an interval."""
MOST_CLASSES = 10
MOST_LEADERS = 5
"""As many lines that are too close to each other are named; of more, the first and the last."""
NOT_PLACED = "not placed, because too few trials were undisturbed"


def remarks(section: Section) -> list[str]:
    """Return what the times say, then why a line has no numbers. Each reason is said once."""
    ranking = [ranking_text(section.ranking)] if section.ranking else []
    return [
        *ranking,
        *_left_out(section),
        *(gap_text(gap) for gap in product_gaps(section.lines)),
        *_idiomatic(section),
        *_recompiled(section),
        *_commands(section),
        *_limits(section),
        *_reasons(section),
        *filter(None, [data_text(section.experiment), *_without_test(section)]),
        *_unusual_numbers(section),
        *_stopped_early(section),
        *_native(section),
        *_restored(section),
        *_absent_classes(section),
    ]


# ---------------------------------------------------------------- who is fastest


def ranking_text(ranking: Ranking) -> str:
    """Return who is fastest, by how much, and what could not be placed."""
    return "; ".join(filter(None, [_lead(ranking), _unplaced(ranking)]))


def _lead(ranking: Ranking) -> str:
    first = ranking.first
    if ranking.tied:
        lines = [named_with_time(line) for line in ranking.tied]
        many = len(lines) > MOST_LEADERS
        span = f"{len(lines)} loops, from {lines[0]} to {lines[-1]}"
        if ranking.pairs < ENOUGH_FOR_AN_INTERVAL:
            one = f"one of {span}" if many else either(lines)
            lead = f"fastest: {one}, {TOO_CLOSE_FOR[ranking.pairs]}"
        else:
            lead = f"tied for fastest: {span if many else ', '.join(lines)}"
        rival = ranking.rival
        return f"{lead}; {_behind(rival, first)}" if rival else lead
    if ranking.winner is None or ranking.rival is None:
        return f"{first.name} took {known_time(first)}"
    of_placed = " of those that can be placed" if ranking.unplaced else ""
    return f"fastest{of_placed}: {named_with_time(first)}, {_ahead(first, ranking.rival)}"


def _unplaced(ranking: Ranking) -> str:
    if not ranking.unplaced:
        return ""
    lines = ", ".join(named_with_time(line) for line in ranking.unplaced)
    return f"{NOT_PLACED}: {lines}"


def _ahead(first: Line, rival: Line) -> str:
    return f"{times_text(rival, first)} times as fast as {named_with_time(rival)}"


def _behind(rival: Line, first: Line) -> str:
    return (
        f"{named_with_time(rival)} takes {times_text(rival, first)} times as long as {first.name}"
    )


def times_text(line: Line, other: Line) -> str:
    """Return how many times as long a line takes: `4.3 (4.1 to 4.5)`, `about 18`, `at least 18`."""
    ratio = time_ratio(line, other)
    if ratio is not None and ratio.low is not None:
        return ratio_text(ratio)
    about = {(False, True): "at least", (True, False): "at most"}
    word = about.get((line.is_bound, other.is_bound), "about")
    return f"{word} {_about(ratio)}"


def _about(ratio: Estimate | None) -> str:
    return two_digits(ratio.value) if ratio else "-"


def named_with_time(line: Line) -> str:
    """`jax fused (5.34 ms)`, or `(at most 46.9 ms)` where every trial was disturbed."""
    return f"{line.name} ({known_time(line)})"


def known_time(line: Line) -> str:
    """`5.34 ms`, or `at most 46.9 ms` where every trial was disturbed."""
    text = seconds(line.train.value) if line.train else "-"
    return f"at most {text}" if line.is_bound else text


def either(texts: Sequence[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def _left_out(section: Section) -> list[str]:
    """Say which trials have no part in the times, and what a bound is. Each line is named once."""
    ranking = section.ranking
    named = (ranking.first, *ranking.unplaced) if ranking else ()
    bounds = [line for line in section.lines if line.is_bound]
    partly = [line for line in section.lines if line.disturbed and line.calm]
    sentences = []
    if partly:
        trials = "; ".join(f"{_place(line)} {_seeds(line)}" for line in partly)
        sentences.append(f"left out of the times, because they were disturbed: {trials}")
    if bounds:
        others = ", ".join(_place(line) for line in bounds if line not in named)
        sentences.append(
            "≤: every trial was disturbed, so the time is an upper bound and never called slower"
            + (f" ({others})" if others else "")
        )
    return sentences


def _seeds(line: Line) -> str:
    """`seed 1`, `seeds 0, 2`; with repeats, how many of the trials."""
    if any(repeat for _, repeat in line.samples):
        return f"{len(line.disturbed)} of {count_text(line.ok_count, 'trial')}"
    seeds = [str(seed) for seed, _ in sorted(line.disturbed)]
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"


def _place(line: Line) -> str:
    return f"{line.framework} ({line.loop})" if line.identical else line.loop


# ---------------------------------------------------------------- where the time goes


def gap_text(gap: ProductGap) -> str:
    """Return how much of the gap between two steps is in the library of matrix products."""
    between = f"the {seconds(gap.gap_s)} a step between {gap.slow.name} and {gap.fast.name}"
    libraries = _libraries(gap)
    if gap.is_split:
        return (
            f"of {between}, {gap.percent} % is in the products themselves ({libraries}), "
            f"{100 - gap.percent} % in everything else"
        )
    apart = f"{seconds(abs(gap.products_s))} a step"
    if gap.share > 1:
        return (
            f"the products explain more than {between}: alone they take {apart} longer "
            f"({libraries}), and everything else takes less"
        )
    return (
        f"the products explain nothing of {between}: alone they take {apart} less ({libraries}), "
        "and everything else takes longer"
    )


def _libraries(gap: ProductGap) -> str:
    slow, fast = library_name(gap.slow.blas), library_name(gap.fast.blas)
    return f"{slow} in both" if slow == fast else f"{slow} against {fast}"


def library_name(blas: str | None) -> str:
    """`MKL`, `OpenBLAS`, `Eigen and oneDNN`: names without versions, kernels and owners."""
    if not blas:
        return "an unknown library"
    parts = blas.partition("(")[0].replace(";", ",").split(",")
    words = [part.split()[0] for part in parts if part.split()]
    return " and ".join(dict.fromkeys(LIBRARIES.get(word.lower(), word) for word in words)) or blas


def _idiomatic(section: Section) -> list[str]:
    """Say what the loop of the tutorials costs, framework by framework."""
    sentences = []
    for line in section.lines:
        best = next((b for b in section.lines if b.best and b.framework == line.framework), None)
        if line.loop != Loop.IDIOMATIC or not line.ranked or best is None or not best.ranked:
            continue
        if best is line or (line.is_bound and best.is_bound):
            continue
        sentences.append(
            f"{line.framework}: its idiomatic loop takes {times_text(line, best)} times as long "
            f"as the same model in its {best.loop} loop"
        )
    return sentences


def _recompiled(section: Section) -> list[str]:
    """Say which times seem to contain a compiler, and how much of it."""
    return [
        f"{line.name} seems to compile again for segments of a new length: "
        f"{seconds(line.recompile_s)} of its {seconds(line.train.value)} of training"
        for line in section.lines
        if line.recompile_s and line.train
    ]


def _commands(section: Section) -> list[str]:
    """Say which lines are commands, of which nothing is timed here."""
    names = [line.framework for line in section.lines if line.command and line.has_result]
    if not names or not section.timed:
        return []
    has_stated = any(line.stated_s is not None for line in section.lines)
    stated = "; its stated time is its own word" if has_stated else ""
    if has_stated and len(names) > 1:
        stated = "; a stated time is the program's own word"
    verb = "is a command" if len(names) == 1 else "are commands"
    return [f"{', '.join(names)} {verb}: not timed here, and not ranked{stated}"]


def _limits(section: Section) -> list[str]:
    """Say how much of the time is arithmetic that cannot be avoided."""
    sentences = []
    for line in section.lines:
        own, machine = line.fractions.of_own, line.fractions.of_machine
        if line.best and own and machine:
            sentences.append(
                f"{line.name} reaches {own * 100:.0f} % of what its own matrix products allow "
                f"here; they reach {machine / own * 100:.0f} % of the machine's best"
                f"{_if_noisy(line)}"
            )
    return sentences


def _reasons(section: Section) -> list[str]:
    """Say why lines have no result, no proof or no rank. Lines with the same reason share it."""
    labels: dict[str, list[str]] = {}
    for line in section.lines:
        if line.detail:
            short = line.framework if line.identical else line.loop
            labels.setdefault(line.detail, []).append(short)
        if line.judgement.reason and line.identical and not line.absent:
            text = f"{line.judgement.verdict}: {line.judgement.reason}"
            labels.setdefault(text, []).append(_place(line))
    return [f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in labels.items()]


def _without_test(section: Section) -> list[str]:
    """Say where no rows were kept for a test. A truth table is whole: it has no others."""
    if not section.experiment.data.lacks_a_test:
        return []
    return [
        "no rows are kept for a test (split all): the result is of the training rows, and says "
        "nothing of other rows; a split such as 'random' keeps some"
    ]


def _unusual_numbers(section: Section) -> list[str]:
    """Say what is unlike most protocols in the numbers that the network gets."""
    data = section.experiment.data
    sentences = []
    if data.scale_fitted_on == "all":
        sentences.append(
            f"{data.scale} is fitted on all rows, test rows among them, so these are not new to it"
        )
    if data.scale_fitted_on == "each_part":
        sentences.append(
            f"{data.scale} is fitted on each part alone, so training and test rows are on "
            "different scales"
        )
    if data.target_values is not None:
        no, yes = data.target_values
        single = f"; a class is predicted above {(no + yes) / 2:g}"
        is_single = section.experiment.network.outputs == 1
        sentences.append(f"targets are {no:g} and {yes:g}{single if is_single else ''}")
    return sentences


def _restored(section: Section) -> list[str]:
    """Say that scores are not those of the last step."""
    training = section.experiment.training
    rule = training.stopping if training else None
    if not isinstance(rule, NoImprovement) or rule.restore == "never":
        return []
    where = " where training stopped before its length" if rule.restore == "if_stopped" else ""
    return [
        f"scores are those of the best validation {rule.watched}, whose parameters are "
        f"restored{where}; the column restored_step has its step"
    ]


def _stopped_early(section: Section) -> list[str]:
    """Say after how many steps training stopped, where that was before its length."""
    full = section.experiment.steps
    places: dict[str, list[str]] = {}
    for line in section.lines:
        if line.identical and line.steps is not None and line.steps[0] < full:
            places.setdefault(steps_text(line.steps), []).append(_place(line))
    return [
        f"training stopped early, after {steps} of at most {count_text(full, 'step')}: "
        f"{', '.join(names)}"
        for steps, names in places.items()
    ]


def steps_text(steps: tuple[int, int]) -> str:
    """`109`; `80 to 109` where trials made different numbers of steps."""
    fewest, most = steps
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"


def _native(section: Section) -> list[str]:
    """Say what a library's own solver was given, and how many iterations it made."""
    sentences = []
    for solver in section.experiment.native:
        of_solver = [x for x in section.lines if not x.identical and x.loop == solver.label]
        for line in (line for line in of_solver if line.framework == solver.framework):
            given = ", ".join(f"{name}={value!r}" for name, value in solver.parameters.items())
            iterations = ""
            if line.steps is not None:
                noun = "iteration" if line.steps == (1, 1) else "iterations"
                iterations = f"; {steps_text(line.steps)} {noun}"
            sentences.append(
                f"{line.loop} is {line.framework}'s own solver with "
                f"{given or 'no parameter stated'}, its defaults otherwise{iterations}"
            )
    return sentences


def _absent_classes(section: Section) -> list[str]:
    """Say which classes are in no row of a part: the trap of a split of sorted rows."""
    said = {
        "training": "{them} cannot be learnt, and rows of {them} elsewhere count as wrong",
        "validation": "nothing of {them} is validated",
        "test": "the result says nothing of {them}",
    }
    sentences = []
    for part, names in section.absent_classes.items():
        shown = ", ".join(names[:MOST_CLASSES]) + (", ..." if len(names) > MOST_CLASSES else "")
        which, them = ("class", "it") if len(names) == 1 else ("classes", "them")
        sentences.append(f"no {part} row is of {which} {shown}: {said[part].format(them=them)}")
    return sentences


def _if_noisy(*lines: Line) -> str:
    return (
        " (noisy: measured on a disturbed machine)" if any(line.is_bound for line in lines) else ""
    )
