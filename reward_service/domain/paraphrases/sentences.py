"""Sentences, and which of them ask."""

from collections.abc import Iterator, Sequence

from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import ASKING

_ENDS = frozenset({".", "?", "!"})
_BEFORE_COMMANDS = frozenset({"and", "then", "please", "to", "now", "can", "you", "must", "us", "or", "if", "is"})


def sentences_of(tokens: Sequence[TextToken]) -> Iterator[Sequence[TextToken]]:
    """The tokens of each sentence or line, with its ending, which may be the last sign of a formula."""
    first = 0
    for at, token in enumerate(tokens):
        ends = token.text in _ENDS or token.kind == "break"
        if ends and (not token.math or at + 1 == len(tokens) or not tokens[at + 1].math):
            yield tokens[first : at + 1]
            first = at + 1
    if first < len(tokens):
        yield tokens[first:]


def asks(sentence: Sequence[TextToken]) -> bool:
    """Whether a sentence asks for something."""
    return any(token.text == "?" or (token.kind == "word" and token.text in ASKING) for token in sentence)


def question_of(tokens: Sequence[TextToken]) -> list[TextToken]:
    """The tokens of all sentences that ask, or of the last one where none does."""
    sentences = list(sentences_of(tokens))
    asking = [sentence for sentence in sentences if _asks_clearly(sentence)]
    asking = asking or [sentence for sentence in sentences if asks(sentence)] or sentences[-1:]
    return [token for sentence in asking for token in sentence]


def _asks_clearly(sentence: Sequence[TextToken]) -> bool:
    """Whether it is a question or a command: "find", but not "they decide" or "the order"."""
    for at, token in enumerate(sentence):
        if token.text == "?" or (token.text in ASKING and (at == 0 or _commands(sentence[at - 1]))):
            return True
    return False


def _commands(before: TextToken) -> bool:
    return before.kind in ("sign", "break") or before.text in _BEFORE_COMMANDS
