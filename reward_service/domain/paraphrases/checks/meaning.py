"""Check that the meaning is kept: what is asked for, what is denied, and how numbers bound."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fractions import Fraction

from reward_service.domain.paraphrases.quantities import Mention
from reward_service.domain.paraphrases.reading import Evidence, Pair, Span, Tolerances
from reward_service.domain.paraphrases.tokens import TextToken, asks, question_of
from reward_service.domain.paraphrases.vocabulary import (
    ALSO_DENYING,
    BOUNDING,
    DENYING,
    FUNCTION_WORDS,
    IDLE_DENIALS,
    RIVALS,
    ROUNDED_TO,
    ROUNDING,
    UNITS,
    Concept,
    stem,
)


def asked_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a paraphrase that asks nothing, asks for another thing (an area, a length), or rounds otherwise."""
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
    """The words of a text, and those of its sentences that ask."""

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
    """Return whether one word is only in the original and the other only in the paraphrase, or counts changed so."""
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
    """Return whether a word asks to round: a round table and one's nearest friends do not."""
    if token.text in ("round", "rounded"):
        return "to" in following
    return token.text == "nearest" and not ROUNDED_TO.isdisjoint(following)


def _spans(tokens: Iterable[TextToken]) -> tuple[Span, ...]:
    return tuple(Span(token.start, token.end) for token in tokens)


_SIGNS = frozenset({"≠", "\\notin", "\\nmid", "\\setminus", "\\not"})
_STOPS = frozenset({".", ",", ";", "?", "!", ":", "(", ")"})
_REACH_OF_A_DENIAL = 2
_SAID_OTHERWISE = frozenset({"nonnegative", "nonzero"})
"""Whole numbers are nonnegative, and positive numbers nonzero, without a word that denies."""


def negation_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a lost "not": the only one, or one in front of a word that the paraphrase has without it."""
    lost = denials(pair.original.tokens)
    if not lost:
        return None
    if not any(_may_deny(token) for token in pair.paraphrase.tokens):
        return Evidence(f"{lost[0].text} is lost, and nothing denies", _spans(lost))
    if len(denials(pair.paraphrase.tokens)) >= len(lost):
        return None
    if _carriers(pair.paraphrase.tokens) - _carriers(pair.original.tokens):
        return None
    denied, said = _polarity(pair.original.tokens)
    still_denied, now_said = _polarity(pair.paraphrase.tokens)
    turned = (denied.keys() - said.keys()) & (now_said.keys() - still_denied.keys())
    if not turned:
        return None
    word = min(turned, key=lambda each: denied[each].start)
    words = f"{denied[word].text} is denied in the original, and said here"
    return Evidence(words, _spans([denied[word]]), _spans([now_said[word]]))


def _denies(token: TextToken) -> bool:
    word = token.text
    return token.kind == "word" and (
        word in DENYING
        or word.endswith("n't")
        or (word.startswith("non") and len(word) > 5 and word not in _SAID_OTHERWISE)
    )


def _may_deny(token: TextToken) -> bool:
    if token.kind != "word":
        return token.text in _SIGNS
    return _denies(token) or token.text in ALSO_DENYING or token.text.endswith("less") or token.text.startswith("non")


def _carriers(tokens: Sequence[TextToken]) -> set[str]:
    """Return the words that may deny without being a denial: "distinct", "until"."""
    return {token.text for token in tokens if _may_deny(token) and not _denies(token)}


def denials(tokens: Sequence[TextToken]) -> list[TextToken]:
    """Return the words that deny something that matters."""
    words = [token for token in tokens if token.kind == "word"]
    found: list[TextToken] = []
    for at, token in enumerate(words):
        if _denies(token):
            following = {each.text for each in words[at + 1 : at + 4]}
            if IDLE_DENIALS.isdisjoint(following) and (at + 1 == len(words) or words[at + 1].text not in BOUNDING):
                found.append(token)
    return found


def _polarity(tokens: Sequence[TextToken]) -> tuple[dict[str, TextToken], dict[str, TextToken]]:
    """Return the stems of words behind a denial, and those of other words."""
    denied: dict[str, TextToken] = {}
    said: dict[str, TextToken] = {}
    reach = 0
    for token in tokens:
        if token.text in _STOPS or token.kind == "break":
            reach = 0
        elif token.text == "free":
            denied.setdefault(stem("divisible"), token)
            denied.setdefault(stem("square"), token)
        elif token.text in BOUNDING:
            reach = 0
        elif _denies(token):
            reach = _REACH_OF_A_DENIAL
        elif token.kind == "word" and token.text not in FUNCTION_WORDS and token.text not in UNITS:
            (denied if reach > 0 else said).setdefault(stem(token.text), token)
            reach -= 1
    return denied, said


class Bound(StrEnum):
    """The way in which a number bounds something."""

    BELOW = "less than"
    AT_MOST = "at most"
    ABOVE = "more than"
    AT_LEAST = "at least"


_DENIED = {
    Bound.BELOW: Bound.AT_LEAST,
    Bound.ABOVE: Bound.AT_MOST,
    Bound.AT_MOST: Bound.ABOVE,
    Bound.AT_LEAST: Bound.BELOW,
}
_BEFORE = {
    "<": Bound.BELOW, "≤": Bound.AT_MOST, ">": Bound.ABOVE, "≥": Bound.AT_LEAST, "below": Bound.BELOW,
    "exceeds": Bound.ABOVE, "exceed": Bound.ABOVE, "exceeding": Bound.ABOVE,
}  # fmt: skip
_BEHIND = {"<": Bound.ABOVE, "≤": Bound.AT_LEAST, ">": Bound.BELOW, "≥": Bound.AT_MOST}
_LESS = frozenset({"less", "fewer", "smaller", "lower", "shorter"})
_MORE = frozenset({"more", "greater", "larger", "bigger", "higher", "longer"})
_DENIALS = frozenset({"no", "not", "none", "never", "cannot", "without"})
_SKIPPED = frozenset({"$", "\\$", "{", "(", "-"})
_REACH_OF_A_BOUND = 7
_TRIVIAL = 1


def bounds_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a number that bounds otherwise in the two texts: strictly or not, from above or from below."""
    before = _bounds(pair.original.tokens, pair.original.mentions)
    after = _bounds(pair.paraphrase.tokens, pair.paraphrase.mentions)
    for value, bounds in before.items():
        others = after.get(value)
        if others and bounds.keys().isdisjoint(others):
            (old, there), (new, here) = next(iter(bounds.items())), next(iter(others.items()))
            words = f"{old} {value} became {new} {value}"
            return Evidence(words, (Span(there.start, there.end),), (Span(here.start, here.end),))
    return None


def _bounds(tokens: Sequence[TextToken], mentions: Sequence[Mention]) -> dict[Fraction, dict[Bound, Mention]]:
    """Return the numbers that bound something, with the way they do."""
    starts = {token.start: at for at, token in enumerate(tokens)}
    ends = {token.end: at for at, token in enumerate(tokens)}
    found: dict[Fraction, dict[Bound, Mention]] = {}
    for mention in mentions:
        first, last = starts.get(mention.start), ends.get(mention.end)
        if first is None or last is None or (mention.value <= _TRIVIAL and not mention.digits):
            continue
        bound = _bound(tokens, first, last)
        if bound is not None:
            found.setdefault(mention.value, {}).setdefault(bound, mention)
    return found


def _bound(tokens: Sequence[TextToken], first: int, last: int) -> Bound | None:
    at = first - 1
    while at >= 0 and tokens[at].text in _SKIPPED:
        if tokens[at].text == "-":
            return None
        at -= 1
    before = [token.text for token in reversed(tokens[max(0, at - _REACH_OF_A_BOUND) : at + 1])]
    behind = [token.text for token in tokens[last + 1 : last + 3]]
    bound = _from_words(before)
    if bound is not None:
        return bound
    if behind[:1] == ["or"] and len(behind) > 1:
        return Bound.AT_MOST if behind[1] in _LESS else Bound.AT_LEAST if behind[1] in _MORE else None
    return _BEHIND.get(behind[0]) if behind else None


def _from_words(before: Sequence[str]) -> Bound | None:
    """Return the bound of the words in front of a number, the nearest first; a denial turns the bound around."""
    if not before:
        return None
    bound, rest = _BEFORE.get(before[0]), before[1:]
    if before[0] == "than" and rest:
        bound, rest = Bound.BELOW if rest[0] in _LESS else Bound.ABOVE if rest[0] in _MORE else None, rest[1:]
    elif list(before[:4]) == ["to", "equal", "or", "than"] and len(before) > 4:
        word, rest = before[4], before[5:]
        bound = Bound.AT_MOST if word in _LESS else Bound.AT_LEAST if word in _MORE else None
    elif list(before[:2]) in (["most", "at"], ["to", "up"]):
        bound, rest = Bound.AT_MOST, before[2:]
    elif list(before[:2]) == ["least", "at"]:
        bound, rest = Bound.AT_LEAST, before[2:]
    if bound is None:
        return None
    denied = not _DENIALS.isdisjoint(_same_clause(rest))
    return _DENIED[bound] if denied else bound


def _same_clause(words: Sequence[str]) -> Sequence[str]:
    for at, word in enumerate(words):
        if word in (".", ",", ";", "and", "or", "that", "are", "which"):
            return words[:at]
    return words
