"""Check that nothing is left out: no stretch of the original without counterpart and without room in the paraphrase."""

from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances

_SHOWN = 80


def nothing_dropped(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Object to a stretch of the original that finds no counterpart, the more the less the paraphrase says in all."""
    coverage = pair.coverage
    start, end = coverage.stretch
    if start == end or coverage.score < tolerances.most_lacking:
        return None
    said = " ".join(pair.original.text[start:end].split())
    return Evidence(f"nothing stands for: {said[:_SHOWN]}", (coverage.stretch,), ())
