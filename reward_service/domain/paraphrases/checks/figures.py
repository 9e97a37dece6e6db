"""Figures kept: a drawing is there, or at least the numbers in it."""

from reward_service.domain.paraphrases.findings import Evidence, Pair, Tolerances


def figure_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """A figure that is left out takes no number with it. What is drawn otherwise is not looked at."""
    original, paraphrase = pair.original, pair.paraphrase
    if not original.has_figure or paraphrase.has_figure:
        return None
    said = {value for each in paraphrase.mentions for value in (*each.values, *each.parts)} | paraphrase.implied
    gone = sorted(value for value in original.drawn if value not in said)
    if not gone:
        return None
    return Evidence(f"the figure is left out, and with it {', '.join(str(value)[:12] for value in gone[:4])}")
