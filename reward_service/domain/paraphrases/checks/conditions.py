"""Check the words that make a condition: positive, odd, prime, distinct and the like are kept."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from reward_service.domain.paraphrases.checks.places import spans_of
from reward_service.domain.paraphrases.pairs import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import Span, TextReading
from reward_service.domain.paraphrases.tokens import TextToken
from reward_service.domain.paraphrases.vocabulary import word_set


class _Condition(NamedTuple):
    """The words that say a condition, and what else may say the same."""

    named: frozenset[str]
    said: frozenset[str]


def _conditions(**lines: str) -> Mapping[str, _Condition]:
    found: dict[str, _Condition] = {}
    for name, line in lines.items():
        named, _, said = line.partition("|")
        found[name] = _Condition(word_set(named), word_set(named + said))
    return MappingProxyType(found)


_CONDITIONS = _conditions(
    odd="odd | odds even parity divisible \\pmod \\equiv multiple multiples remainder symmetric symmetry 2 alternate "
    "\\nmid origin",
    even="even evens | odd parity divisible \\pmod \\equiv multiple multiples double twice half pairs 2 symmetric "
    "symmetry two equally",
    prime="prime primes | coprime square-free squarefree square factor factors divisor divisors divides common "
    "composite lowest simplified simplest reduced irreducible free",
    distinct="distinct | different unique uniquely unequal separate various dissimilar another repeated repeat repeats "
    "repeating repetition no not none except excluding excluded other ≠ < individual other once replacement "
    "identical counted same respectively",
    consecutive="consecutive | successive row following follow follows next adjacent neighboring neighbor sequence "
    "sequential back straight order directly immediately differ differs one + week day days trailing through",
    convex="convex | inward regular",
    nonnegative="nonnegative | non negative ≥ positive whole zero natural 0 least",
    nonzero="nonzero | zero 0 ≠ vanish vanishing positive different least empty from",
    increasing="increasing | increase increases ascending < ≤ larger grow grows growing rising greater order ordered "
    "bigger more smallest add adding raising extending non exceeds higher",
    decreasing="decreasing | decrease decreases descending > ≥ smaller shrink falling order highest less largest lower "
    "reducing reduced greatest declines drops falls",
    nonempty="nonempty | non least empty element contains",
    replacement="replacement | replacing replaced return returned returns returning put putting back without twice two "
    "distinct different another together repeats repeat unique",
)
"""Conditions that are lost if the paraphrase says neither the word nor anything of the like."""

_POSITIVE = word_set("positive natural whole counting nonnegative")
_UNSIGNED = word_set("whole counting nonnegative")
"""Words for which "integers" may stand where nothing negative is meant."""
_SETS = frozenset({"N", "Z"})
_RANGING = word_set(
    "from between through to ranging greater larger more least exceeding above over side sides length lengths ≥ > < ≤ "
    "\\in \\geqslant digit digits divides positive"
)
_NUMBERS = word_set("integer integers")
_REALS = word_set("number numbers value values")
_BEFORE, _BEHIND = 4, 8
_NOT_BARE = word_set(
    "positive natural whole negative nonnegative digit prime odd even consecutive rational nearest "
    "largest greatest biggest maximum"
)
_NOT_NAMED = word_set(
    "points sections not after if though when relatively necessarily mutually land factorization factorizations"
)
_VERBS = word_set("increasing decreasing")
"""What makes no condition in front of "by": exponents increasing by 1."""
_SUPERLATIVE = r"\b(?:smallest|least|lowest|minimum)(?: possible)?"
_LEAST_POSITIVE = re.compile(rf"{_SUPERLATIVE} positive\b")
_LEAST = re.compile(rf"{_SUPERLATIVE} (?:real )?(?:integer|number|value)\b(?! of)(?!.{{0,12}}[>≥])")
_POSITIVE_THINGS = word_set(
    "integer integers number numbers real reals divisor divisors factor factors value values root roots solution "
    "solutions prime primes odd even rational"
)
_PREDICATES = word_set("is to be as into gives equals are of")
_ADJECTIVE_OF = word_set("base coordinate coordinates distance entries exponent length lengths side sides")
"""What may be an integer without a sign: an integer length."""
_RANGE_BEFORE = word_set("through from between")
_FAR_BEFORE = 10
_WORD = re.compile(r"[a-z]{2,}")


def conditions_kept(pair: Pair, _: Tolerances) -> Evidence | None:
    """Object to a condition that the paraphrase says in no way, and to integers that are no longer positive."""
    there, here = _said(pair.original), _said(pair.paraphrase)
    for name, condition in _CONDITIONS.items():
        if any(there[word] for word in condition.named) and not any(here[word] for word in condition.named):
            lost = _named(pair.original.tokens, condition.named)
            if lost and not any(here[word] > there[word] for word in condition.said):
                return Evidence(f"{name} is lost", spans_of(lost[:1]))
    return _no_longer_positive(pair)


def _said(reading: TextReading) -> Counter[str]:
    """Count the words and signs of a text, those of tables in formulas as well."""
    found = Counter(token.text for token in reading.tokens if token.kind != "word")
    return found + Counter(_WORD.findall(reading.text.lower()))


def _no_longer_positive(pair: Pair) -> Evidence | None:
    """Find integers without a sign or a range, more than in the original, where fewer are said to be positive."""
    before, after = _positive(pair.original), _positive(pair.paraphrase)
    before = [token for token in before if token.text not in _UNSIGNED]
    if len(after) >= len(before):
        return None
    least = _LEAST.search(pair.paraphrase.text)
    if least and not after and _LEAST_POSITIVE.search(pair.original.text):
        return Evidence("positive is lost", spans_of(before), (Span(*least.span()),))
    bare = list(_bare(pair.paraphrase.tokens))
    if len(bare) <= sum(1 for _ in _bare(pair.original.tokens)):
        return None
    return Evidence("positive is lost", spans_of(before), spans_of(bare))


def _named(tokens: Sequence[TextToken], names: frozenset[str]) -> list[TextToken]:
    """Return the words that make a condition: not those of "not necessarily distinct" or "relatively prime"."""
    return [
        token
        for at, token in enumerate(tokens)
        if token.text in names
        and token.kind == "word"
        and (token.text not in _VERBS or tokens[min(at + 1, len(tokens) - 1)].text != "by")
        and _NOT_NAMED.isdisjoint(each.text for each in (*tokens[max(0, at - 1) : at], *tokens[at + 1 : at + 2]))
    ]


def _positive(reading: TextReading) -> list[TextToken]:
    """Return what says that numbers are positive: the words, and the sets N and Z, with or without a sign."""
    tokens = reading.tokens
    return [
        token
        for at, token in enumerate(tokens)
        if (token.text in _POSITIVE and token.kind == "word" and _of_numbers(tokens, at))
        or (token.text == "\\mathbb" and not _SETS.isdisjoint(each.text for each in tokens[at + 1 : at + 3]))
    ]


def _of_numbers(tokens: Sequence[TextToken], at: int) -> bool:
    """Return whether a word speaks of numbers: "positive odd integers", not "the positive difference"."""
    return not _POSITIVE_THINGS.isdisjoint(each.text for each in tokens[at + 1 : at + 4])


def _bare(tokens: Sequence[TextToken]) -> Iterator[TextToken]:
    """Yield "integers" and "real numbers" that nothing near bounds, and that are no predicate: "is an integer"."""
    for at, token in enumerate(tokens):
        if token.text not in _NUMBERS and not (token.text in _REALS and at and tokens[at - 1].text == "real"):
            continue
        before = [each.text for each in tokens[max(0, at - _BEFORE) : at]]
        behind = [each.text for each in tokens[at + 1 : at + _BEHIND]]
        if before[-2:] == ["relatively", "prime"]:
            before = before[:-2]
        far = {each.text for each in tokens[max(0, at - _FAR_BEFORE) : at]}
        if (behind[:1] and behind[0] in _ADJECTIVE_OF) or not _RANGE_BEFORE.isdisjoint(far):
            continue
        predicate = len(before) > 1 and before[-1] in ("an", "a", "real") and before[-2] in _PREDICATES
        if not predicate and behind[:1] != ["-"] and _NOT_BARE.isdisjoint(before) and _RANGING.isdisjoint(behind):
            yield token
