"""Figures kept: a drawing is there, or at least the numbers in it, and nothing points at one that is gone."""

import re

from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances

_DRAWING = r"(?:figure|diagram|graph|chart|histogram|picture|illustration|drawing)s?"
_SHOWN = r"(?:shown|illustrated|displayed|depicted|pictured)"
_POINTING = re.compile(
    rf"\b(?:as|is|are|partially|{_DRAWING}|pattern|tessellation)\s(?:{_SHOWN}|provided)\b"
    rf"|\b{_SHOWN}\s(?:in|here|below|above|to the)\b"
    rf"|\b{_DRAWING}\s(?:below|above|shows?|displays?)\b"
    rf"|\b(?:in|from|using|the provided)\s(?:the\s)?(?:provided\s)?{_DRAWING}\b"
    r"|\bgraphed below\b",
    re.IGNORECASE,
)


def figure_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """A figure that is left out takes no number with it, and the text no longer points at it.

    What is drawn otherwise is not looked at.
    """
    original, paraphrase = pair.original, pair.paraphrase
    if not original.has_figure or paraphrase.has_figure:
        return None
    said = {value for each in paraphrase.mentions for value in (*each.values, *each.parts)} | paraphrase.implied
    gone = sorted(value for value in original.drawn if value not in said)
    if gone:
        return Evidence(f"the figure is left out, and with it {', '.join(str(value)[:12] for value in gone[:4])}")
    pointing = _POINTING.search(paraphrase.text)
    if pointing is None:
        return None
    words = f"the figure is left out, and still pointed at: {' '.join(pointing.group().split())}"
    return Evidence(words, (), (Span(*pointing.span()),))
