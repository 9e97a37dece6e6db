"""Check quantifiers: "every" is kept, "both ... and" does not become "either ... or", nor "exactly" "at least"."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.lexicon import COUNTERPARTS
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import TextReading
from reward_service.domain.paraphrases.tokens import TextToken, sentences_of
from reward_service.domain.paraphrases.vocabulary import ASKING, denies, stem, word_set

_EVERY = word_set("all every each arbitrary always whenever whichever everywhere \\forall")
_SOME = word_set("some exist exists existence certain several there few \\exists somewhere sometimes particular")
_BEFORE_SOME = word_set("for that where satisfying over of in to from by on with")
_IDLE = word_set("order unit base way ways other time times point more number sequence constant constants")
"""What "some" may stand before without a claim: "in some order", "for some number k"."""
_OR = word_set("or either any union nor neither whichever \\cup \\pm \\vee \\lor alternatively versus ≤ ≥ choices")
_OFFERING = word_set("can may could must will with is are in contains be to")
"""Words before an "either" that tells a story's choices: "can either stack or collect"."""
_EXACTLY = word_set("exactly precisely single unique only")
_LIMITS = frozenset({("at", "least"), ("or", "more"), ("or", "greater"), ("no", "less"), ("no", "fewer")})
_NEAR = 4
_REACH = 5
_REACH_OF_OR = 8
"""An "or" behind "either" that is further away, or behind a comma, lists what is possible."""


def quantifiers_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to "some" for "every", to "either ... or" for "both ... and", and to "at least" for "exactly"."""
    return _some_for_every(pair) or _either_for_both(pair) or _about_exactly(pair)


def _some_for_every(pair: Pair) -> Evidence | None:
    """Find a "some" of which the original has fewer, where the paraphrase claims less for every."""
    every, fewer = _of(pair.original, _EVERY), _of(pair.paraphrase, _EVERY)
    if not every or len(_of(pair.paraphrase, _SOME)) <= len(_of(pair.original, _SOME)):
        return None
    nouns = set(_nouns_of_every(pair.original.tokens))
    for at, token in enumerate(pair.paraphrase.tokens):
        asked = _before(pair.paraphrase.tokens, at) in ASKING
        claims = _claims(pair.paraphrase.tokens, at) or _noun(pair.paraphrase.tokens, at) in nouns
        if token.text == "some" and (asked or len(fewer) < len(every)) and claims:
            words = f"some, where the original says {every[0].text}"
            return Evidence(words, spans_of(every[:1]), spans_of([token]))
    return None


def _nouns_of_every(tokens: Sequence[TextToken]) -> Iterator[str]:
    """Yield what every one is said of, and what may stand for it: each truck, a lorry."""
    for at, token in enumerate(tokens):
        if token.text in _EVERY and (noun := _noun(tokens, at)):
            yield noun
            yield from COUNTERPARTS.get(noun, ())


def _noun(tokens: Sequence[TextToken], at: int) -> str:
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return stem(following.text) if following is not None and following.kind == "word" else ""


def _claims(tokens: Sequence[TextToken], at: int) -> bool:
    """Return whether a "some" says for what a claim holds: "for some integer", "find some pair"."""
    following = tokens[at + 1].text if at + 1 < len(tokens) else ""
    before = _before(tokens, at)
    return (before in _BEFORE_SOME or before in ASKING) and following not in _IDLE


def _before(tokens: Sequence[TextToken], at: int) -> str:
    return tokens[at - 1].text if at else ""


def _either_for_both(pair: Pair) -> Evidence | None:
    """Find an "either" where the original leaves no choice, and one that no "or" follows in its sentence."""
    choice = _of(pair.original, _OR)
    for sentence in sentences_of(pair.paraphrase.tokens):
        for at, token in enumerate(sentence):
            if token.text != "either" or token.math or _before(sentence, at) in _OFFERING:
                continue
            following = [each.text for each in sentence[at + 1 :]]
            counted = any(each.kind in ("number", "ordinal") for each in sentence[at + 1 : at + 3])
            if "or" in following[:_REACH_OF_OR] and "," not in following[:_REACH_OF_OR] and not choice and not counted:
                return Evidence("either ... or, where the original leaves no choice", (), spans_of([token]))
            if "or" not in following and "and" in following[:_NEAR] and "of" not in following[:2]:
                return Evidence("either ... and", (), spans_of([token]))
    return None


def _about_exactly(pair: Pair) -> Evidence | None:
    """Find an "at least" more than in the original, if the paraphrase says "exactly" less often."""
    exactly, still = _exactly(pair.original), _exactly(pair.paraphrase)
    old, new = _limits(pair.original), _limits(pair.paraphrase)
    if len(still) < len(exactly) and len(new) > len(old):
        words = f"{exactly[0].text} became {new[0].text} {new[1].text}"
        return Evidence(words, spans_of(exactly[:1]), spans_of(new[:2]))
    return None


def _exactly(reading: TextReading) -> list[TextToken]:
    """Return the words that say "exactly": not the "only" of "cannot be written with only"."""
    return [
        token
        for at, token in enumerate(reading.tokens)
        if token.text in _EXACTLY and not any(denies(each.text) for each in reading.tokens[max(0, at - _REACH) : at])
    ]


def _limits(reading: TextReading) -> list[TextToken]:
    """Return the words of each "at least" and "or more"."""
    found: list[TextToken] = []
    for one, other in pairwise(reading.tokens):
        if (one.text, other.text) in _LIMITS:
            found += one, other
    return found


def _of(reading: TextReading, words: frozenset[str]) -> list[TextToken]:
    return [token for token in reading.tokens if token.text in words]
