"""Which letters a text gives a number: 2 of "when a = 2"."""

from collections.abc import Mapping, Sequence

from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.tokens import TextToken

_BOUNDARIES = frozenset({".", ",", ";", "?", ":"})


def assignments(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> Mapping[str, list[Mention]]:
    """The numbers that each letter is said to be. Where more stands on a side of the "=", it is an equation."""
    starts = {token.start: at for at, token in enumerate(tokens)}
    ends = {token.end: at for at, token in enumerate(tokens)}
    found: dict[str, list[Mention]] = {}
    for mention in mentions:
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None or first < 2:
            continue
        letter = tokens[first - 2]
        if tokens[first - 1].text == "=" and letter.kind == "letter" and _apart(tokens, first - 3, last + 1):
            found.setdefault(letter.text, []).append(mention)
    return found


def _apart(tokens: Sequence[TextToken], before: int, behind: int) -> bool:
    """Whether a formula neither begins in front of a place nor goes on behind another."""
    sides = [tokens[at] for at in (before, behind) if 0 <= at < len(tokens)]
    return all(not token.math or token.text in _BOUNDARIES or token.kind == "word" for token in sides)
