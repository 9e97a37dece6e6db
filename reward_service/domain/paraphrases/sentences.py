"""Sentences, and which of them ask."""

from collections.abc import Iterator, Sequence

from reward_service.domain.paraphrases.tokens import Token
from reward_service.domain.paraphrases.vocabulary import ASKING

_ENDS = frozenset({".", "?", "!"})


def sentences_of(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The tokens of each sentence or line, with its ending."""
    first = 0
    for at, token in enumerate(tokens):
        if not token.math and (token.text in _ENDS or token.kind == "break"):
            yield tokens[first : at + 1]
            first = at + 1
    if first < len(tokens):
        yield tokens[first:]


def asks(sentence: Sequence[Token]) -> bool:
    """Whether a sentence asks for something."""
    return any(token.text == "?" or (token.kind == "word" and token.text in ASKING) for token in sentence)


def question_of(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of all sentences that ask, or of the last one where none does."""
    sentences = list(sentences_of(tokens))
    asking = [sentence for sentence in sentences if asks(sentence)] or sentences[-1:]
    return [token for sentence in asking for token in sentence]
