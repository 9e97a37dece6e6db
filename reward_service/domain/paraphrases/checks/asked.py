"""Check that the text asks, and for the same thing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.targets import NEW, OPERATIONS, RIVALS, Concept
from reward_service.domain.paraphrases.tokens import TextToken, asks, commands_of, question_of, sentences_of
from reward_service.domain.paraphrases.vocabulary import ROUNDED_TO, ROUNDING, word_set


def asked_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a paraphrase that asks nothing, asks for another thing (an area, a length), or rounds otherwise."""
    if asks(pair.original.tokens) and not asks(pair.paraphrase.tokens):
        return Evidence("asks nothing")
    return _other_thing(pair) or _other_operation(pair) or _new_thing(pair) or _not_rounded(pair)


class _Asked:
    """The words of a text, and those of its sentences that ask."""

    def __init__(self, question: Sequence[TextToken], words: Counter[str]) -> None:
        self.question = question
        self.words = words

    @classmethod
    def of(cls, tokens: Sequence[TextToken]) -> "_Asked":
        tokens = _without_bounds(tokens)
        return cls(question_of(tokens), Counter(token.text for token in tokens))

    def asked_for(self, words: frozenset[str]) -> list[TextToken]:
        return [token for token in self.question if token.text in words]

    def count(self, words: Iterable[str]) -> int:
        return sum(self.words[word] for word in words)


def _without_bounds(tokens: Sequence[TextToken]) -> list[TextToken]:
    """Return the tokens without the second word of "at least" and "at most", which asks for no extreme."""
    return [
        token for at, token in enumerate(tokens) if token.text not in _BOUNDS or not at or tokens[at - 1].text != "at"
    ]


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
                    words = f"asks for {come[0].text} instead of {gone[0].text}"
                    return Evidence(words, spans_of(gone), spans_of(come))
    return None


def _took_its_place(original: _Asked, paraphrase: _Asked, gone: Concept, come: Concept) -> bool:
    """Return whether one word is only in the original and the other only in the paraphrase, or counts changed so."""
    if not paraphrase.count(gone.named) and not original.count(come.named):
        return True
    fewer = paraphrase.count(gone.named) < original.count(gone.named)
    more = paraphrase.count(come.named) > original.count(come.named)
    return fewer and more and not original.asked_for(come.said)


def _other_operation(pair: Pair) -> Evidence | None:
    """Find a product or a difference that the paraphrase asks for where the original asks for k + m."""
    wanted = [token for target in _targets(pair.original.tokens) for token in _sum_of_letters(target)]
    original, paraphrase = _Asked.of(pair.original.tokens), _Asked.of(pair.paraphrase.tokens)
    if not wanted or paraphrase.asked_for(OPERATIONS["sum"].said | {"+", "plus"}):
        return None
    for name in ("product", "difference"):
        come = paraphrase.asked_for(OPERATIONS[name].named)
        if come and not original.count(OPERATIONS[name].named):
            return Evidence(f"asks for the {come[0].text} instead of a sum", spans_of(wanted), spans_of(come))
    return None


def _sum_of_letters(target: Sequence[TextToken]) -> Sequence[TextToken]:
    """Return the end of a phrase that is a sum of letters: m + n of "the value of m + n"."""
    kinds = [token.text if token.text == "+" else token.kind for token in target]
    return target[-3:] if kinds[-3:] == ["letter", "+", "letter"] and kinds[-4:-3] != ["sign"] else ()


_REACH = 12
_BOUNDS = frozenset({"least", "most"})
_INSIDE = word_set("of in on at between per with within from for by to when if than as")
"""Words behind which a phrase names no longer what is asked for: the sum of the areas."""
_ENDS = word_set(". , ; : ? ! that which if where such so for given without")
_NOT_TERMS = word_set("terms term form degree power common")
_BEHIND_PRODUCTS = word_set("of is and when")
"""Words behind a product of numbers: "the product made" and "the product matrix" are others."""
_PRODUCTS = frozenset({
    ("letter", "letter"), ("number", "letter"), (")", "("), ("number", "("), (")", "letter"), (")", "word"),
    (")", "command"), ("letter", "word"), ("letter", "command"), ("number", "word"), ("number", "command"),
    ("°", "word"), ("\\circ", "word"), ("°", "command"), ("\\circ", "command"), ("}", "("), ("}", "command"),
    ("}", "letter"), ("}", "word"), ("}", "number"),
})  # fmt: skip


def _new_thing(pair: Pair) -> Evidence | None:
    """Find a thing that the paraphrase asks for, and that the original says in no way."""
    there = {*_said(pair.original.tokens)}
    targets = list(_targets(pair.paraphrase.tokens))
    original, paraphrase = _Asked.of(pair.original.tokens), _Asked.of(pair.paraphrase.tokens)
    for concept in NEW:
        if there.isdisjoint(concept.said) and not (concept.rivals and there.isdisjoint(concept.rivals)):
            for target in targets:
                come = _named(target, concept.named)
                if come and (_leads(target, come) or _lost_rival(concept, original, paraphrase)):
                    words = " ".join(token.text for token in come)
                    return Evidence(f"asks for the {words}, which the original does not say", (), spans_of(come))
    return None


def _leads(target: Sequence[TextToken], come: Sequence[TextToken]) -> bool:
    """Return whether words are what is asked for themselves: the square of a length, not the price of a square."""
    return _INSIDE.isdisjoint(token.text for token in target[: target.index(come[0])])


def _lost_rival(concept: Concept, original: _Asked, paraphrase: _Asked) -> bool:
    """Return whether the paraphrase says a rival of a concept less often: the sum of the areas, for perimeters."""
    return any(
        paraphrase.count(rival.named) < original.count(rival.named)
        for row in RIVALS
        if any(concept.named & each.named for each in row.values())
        for rival in row.values()
        if not concept.named & rival.named
    )


def _targets(tokens: Sequence[TextToken]) -> Iterator[Sequence[TextToken]]:
    """Yield what follows each word that asks, up to the end of the phrase: "the sum of the digits"."""
    for sentence in sentences_of(tokens):
        for first in commands_of(sentence):
            last = first + 1
            while last < min(len(sentence), first + _REACH) and sentence[last].text not in _ENDS:
                last += 1
            yield sentence[first + 1 : last]


def _said(tokens: Sequence[TextToken]) -> Iterator[str]:
    """Yield what a text says: each word and sign, "ab" for a product without a sign, "^2" for a square."""
    last = None
    for token in tokens:
        yield token.text
        if last is not None and token.math and last.math:
            small = token.kind != "letter" or token.text.islower()
            if small and (_factor(last), _factor(token)) in _PRODUCTS:
                yield "ab"
        if last is not None and last.text == "^":
            yield f"^{token.text}"
        if token.text != "{" and not (token.text == "-" and last is not None and last.text == "^"):
            last = token


def _factor(token: TextToken) -> str:
    return token.text if token.kind == "sign" or token.text in ("\\circ", "°") else token.kind


def _named(target: Sequence[TextToken], names: frozenset[str]) -> Sequence[TextToken]:
    """Return the first place of a name, which may be two words: "square of"."""
    for at, token in enumerate(target):
        following = target[at + 1].text if at + 1 < len(target) else ""
        side_by_side = [each.kind for each in target[at + 1 : at + 3]] == ["letter", "letter"]
        if token.kind != "word" or following in _NOT_TERMS:
            continue
        if token.text == "product" and (side_by_side or (following.isalpha() and following not in _BEHIND_PRODUCTS)):
            continue
        if token.text in names:
            return target[at : at + 1]
        if f"{token.text}_{following}" in names:
            return target[at : at + 2]
    return ()


def _not_rounded(pair: Pair) -> Evidence | None:
    tokens = pair.original.tokens
    wanted = [
        token for at, token in enumerate(tokens) if _rounds(token, [each.text for each in tokens[at + 1 : at + 5]])
    ]
    if not wanted or ROUNDING.intersection(pair.paraphrase.words):
        return None
    return Evidence("does not ask to round", spans_of(wanted))


def _rounds(token: TextToken, following: Sequence[str]) -> bool:
    """Return whether a word asks to round: a round table and one's nearest friends do not."""
    if token.text in ("round", "rounded"):
        return "to" in following
    return token.text == "nearest" and not ROUNDED_TO.isdisjoint(following)
