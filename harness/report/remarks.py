"""What the lines of a section say, in sentences under its table."""

from harness.analysis.intervals import ENOUGH_FOR_AN_INTERVAL, paired_ratio
from harness.experiment.vocabulary import Loop
from harness.report.model import Line, NoRanking, Ranking, Section
from harness.report.text import ratio_text

REASONS = {
    NoRanking.TOO_FEW_RUNS: (
        f"no interval with fewer than {ENOUGH_FOR_AN_INTERVAL} runs "
        f"(--seeds {ENOUGH_FOR_AN_INTERVAL})"
    ),
    NoRanking.ALL_NOISY: "all were measured on a disturbed machine",
}
"""Why nothing is called fastest, in words."""


def remarks(section: Section) -> list[str]:
    """Return what the times say, then why a line has no numbers. Each reason is said once."""
    ranking = [ranking_text(section.ranking)] if section.ranking else []
    return [*ranking, *_idiomatic(section), *_limits(section), *_reasons(section)]


def ranking_text(ranking: Ranking) -> str:
    if ranking.reason is not None:
        return f"nothing is called fastest: {REASONS[ranking.reason]}"
    left_out = " (noisy loops are left out)" if ranking.without_noisy else ""
    if ranking.winner is not None:
        return f"fastest: {ranking.winner.name}; every paired interval excludes 1{left_out}"
    return f"tied for fastest: {', '.join(line.name for line in ranking.tied)}{left_out}"


def _idiomatic(section: Section) -> list[str]:
    """Say what the loop of the tutorials costs, framework by framework."""
    sentences = []
    for line in section.lines:
        best = next((b for b in section.lines if b.best and b.framework == line.framework), None)
        if line.loop != Loop.IDIOMATIC or not line.ranked or best is None or not best.ranked:
            continue
        ratio = paired_ratio(line.samples, best.samples)
        if ratio is not None and best is not line:
            sentences.append(
                f"{line.framework}: its idiomatic loop takes {ratio_text(ratio)} times as long "
                f"as the same model in its {best.loop} loop{_if_noisy(line, best)}"
            )
    return sentences


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
        name = f"{line.framework} ({line.loop})" if line.identical else line.loop
        if line.detail:
            short = line.framework if line.identical else line.loop
            labels.setdefault(line.detail, []).append(short)
        if line.judgement.reason and line.identical and not line.absent:
            text = f"{line.judgement.verdict}: {line.judgement.reason}"
            labels.setdefault(text, []).append(name)
        if line.noisy:
            text = "measured on a disturbed machine (noisy), so not ranked by time"
            labels.setdefault(text, []).append(name)
    return [f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in labels.items()]


def _if_noisy(*lines: Line) -> str:
    return " (noisy: measured on a disturbed machine)" if any(x.noisy for x in lines) else ""
