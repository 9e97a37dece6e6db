"""Check figures: a figure is kept, or at least the numbers in it."""

import re

from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import Span

_DRAWING = r"(?:figure|diagram|graph|chart|histogram|picture|illustration|drawing)s?"
_SHOWN_OR_DRAWN = r"(?:shown|illustrated|displayed|depicted|pictured)"
_POINTING = re.compile(
    rf"\b(?:as|is|are|partially|{_DRAWING}|pattern|tessellation)\s(?:{_SHOWN_OR_DRAWN}|provided)\b"
    rf"|\b{_SHOWN_OR_DRAWN}\s(?:in|here|below|above|to the)\b"
    rf"|\b{_DRAWING}\s(?:below|above|shows?|displays?)\b"
    rf"|\b(?:in|from|using|the provided)\s(?:the\s)?(?:provided\s)?{_DRAWING}\b"
    r"|\bgraphed below\b",
    re.IGNORECASE,
)


def figure_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a figure that is left out with a number in it, or while the text still points at the figure.

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
