"""Turn tokens into the places of evidence."""

from collections.abc import Iterable

from reward_service.domain.paraphrases.reading import Span
from reward_service.domain.paraphrases.tokens import TextToken


def spans_of(tokens: Iterable[TextToken]) -> tuple[Span, ...]:
    """Return the place of each token."""
    return tuple(Span(token.start, token.end) for token in tokens)
