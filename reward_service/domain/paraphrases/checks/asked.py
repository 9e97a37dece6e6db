"""What is asked for is kept: the paraphrase asks, and for the same thing."""

from collections import Counter
from collections.abc import Iterable, Sequence

from reward_service.domain.paraphrases.pair import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.sentences import asks, question_of
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import RIVALS, ROUNDED_TO, ROUNDING, Concept


def asked_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """It asks where the original asks; for the area where that asks for the area; and rounds what is to be rounded."""
    if asks(pair.original.tokens) and not asks(pair.paraphrase.tokens):
        return Evidence("asks nothing")
    return _other_thing(pair) or _not_rounded(pair)


def _other_thing(pair: Pair) -> Evidence | None:
    original, paraphrase = _Asked.of(pair.original.tokens), _Asked.of(pair.paraphrase.tokens)
    for row in RIVALS:
        for name, concept in row.items():
            gone = original.asked_for(concept.named)
            if not gone or paraphrase.asked_for(concept.said):
                continue
            for other, rival in row.items():
                come = paraphrase.asked_for(rival.named)
                if other != name and come and _took_its_place(original, paraphrase, concept, rival):
                    return Evidence(f"asks for {come[0].text} instead of {gone[0].text}", _spans(gone), _spans(come))
    return None


class _Asked:
    """The words of a text, and those of the sentences in it that ask."""

    def __init__(self, question: Sequence[TextToken], words: Counter[str]) -> None:
        self.question = question
        self.words = words

    @classmethod
    def of(cls, tokens: Sequence[TextToken]) -> "_Asked":
        return cls(question_of(tokens), Counter(token.text for token in tokens))

    def asked_for(self, words: frozenset[str]) -> list[TextToken]:
        return [token for token in self.question if token.text in words]

    def count(self, words: Iterable[str]) -> int:
        return sum(self.words[word] for word in words)


def _took_its_place(original: _Asked, paraphrase: _Asked, gone: Concept, come: Concept) -> bool:
    """One is nowhere in the paraphrase and the other nowhere in the original; or each changed its number so."""
    if not paraphrase.count(gone.named) and not original.count(come.named):
        return True
    fewer = paraphrase.count(gone.named) < original.count(gone.named)
    more = paraphrase.count(come.named) > original.count(come.named)
    return fewer and more and not original.asked_for(come.said)


def _not_rounded(pair: Pair) -> Evidence | None:
    tokens = pair.original.tokens
    wanted = [
        token for at, token in enumerate(tokens) if _rounds(token, [each.text for each in tokens[at + 1 : at + 5]])
    ]
    if not wanted or ROUNDING.intersection(pair.paraphrase.words):
        return None
    return Evidence("does not ask to round", _spans(wanted))


def _rounds(token: TextToken, following: Sequence[str]) -> bool:
    """A round table and one's nearest friends ask for nothing."""
    if token.text in ("round", "rounded"):
        return "to" in following
    return token.text == "nearest" and not ROUNDED_TO.isdisjoint(following)


def _spans(tokens: Iterable[TextToken]) -> tuple[Span, ...]:
    return tuple(Span(token.start, token.end) for token in tokens)
