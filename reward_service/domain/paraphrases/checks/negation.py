"""Check that what is denied is still denied."""

from collections.abc import Sequence

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import (
    ALSO_DENYING,
    BOUNDING,
    DENYING,
    FUNCTION_WORDS,
    IDLE_DENIALS,
    UNITS,
    stem,
)

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
        return Evidence(f"{lost[0].text} is lost, and nothing denies", spans_of(lost))
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
    return Evidence(words, spans_of([denied[word]]), spans_of([now_said[word]]))


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
