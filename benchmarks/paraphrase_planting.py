"""Plant faults into paraphrases by seed: each fault is a function of a pair, to the paraphrase with the fault."""

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from benchmarks.paraphrase_pairs import Sample
from reward_service.domain.paraphrases.checks.negation import denials
from reward_service.domain.paraphrases.checks.units import UNITS, measured
from reward_service.domain.paraphrases.reading import TextReading, read_text
from reward_service.domain.paraphrases.targets import RIVALS
from reward_service.domain.paraphrases.tokens import TextToken, question_of

Plant = Callable[[random.Random, Sample, Sequence[Sample]], str | None]
"""The paraphrase with a fault; None where there is no place for it."""

_LEAKS = ("{text} The answer is ${answer}$.", "{text} (Answer: ${answer}$)", "{text}\n\nHint: the result is {answer}.")
_COPIES = ("{text}", " {text} ", "{text}\n")


def changed_number(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """A numeral that stands in both texts becomes another one."""
    original, paraphrase = read_text(pair.question), read_text(pair.paraphrase)
    there = {token.text for token in original.tokens if token.kind == "number"}
    places = [token for token in _numerals(paraphrase) if token.text in there]
    if not places:
        return None
    place = rng.choice(places)
    value = int(place.text)
    others = {value + 1, value - 1, value * 10, value + rng.randrange(2, 10)} - {value, -1}
    return _replaced(pair.paraphrase, place, str(rng.choice(sorted(others))))


def changed_unit(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """A unit of measure behind a number becomes another of the same kind, if the original measures in it too."""
    original, paraphrase = read_text(pair.question), read_text(pair.paraphrase)
    there = {each.unit for each in measured(original.tokens, original.mentions)}
    words = {token.start: token for token in paraphrase.tokens}
    found = [each for each in measured(paraphrase.tokens, paraphrase.mentions) if each.value is not None]
    places = [each for each in found if each.unit in there and words[each.start].text in UNITS]
    if not places:
        return None
    place = rng.choice(places)
    others = sorted({unit.name for unit in UNITS.values() if unit.measures == place.unit.measures} - {place.unit.name})
    return _replaced(pair.paraphrase, words[place.start], rng.choice(others)) if others else None


def asked_otherwise(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """What is asked for in both texts becomes its rival: the area the perimeter, the largest the smallest."""
    question = {token.text for token in question_of(read_text(pair.question).tokens)}
    swaps = [
        (token, min(rival.named))
        for token in question_of(read_text(pair.paraphrase).tokens)
        if token.kind == "word"
        for row in RIVALS
        for name, concept in row.items()
        if token.text in concept.named and question & concept.named
        for other, rival in row.items()
        if other != name
    ]
    if not swaps:
        return None
    place, word = rng.choice(swaps)
    return _replaced(pair.paraphrase, place, word)


def lost_negation(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """A "not", "no", "never", "without" or "except" of a paraphrase is left out, where the original denies as well."""
    if not denials(read_text(pair.question).tokens):
        return None
    words = ("not", "no", "never", "without", "except")
    places = [token for token in denials(read_text(pair.paraphrase).tokens) if token.text in words]
    if not places:
        return None
    place = rng.choice(places)
    return (pair.paraphrase[: place.start] + pair.paraphrase[place.end :]).replace("  ", " ")


def leaked_answer(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """The paraphrase says the answer at its end."""
    if not pair.answer.strip():
        return None
    return rng.choice(_LEAKS).format(text=pair.paraphrase, answer=pair.answer.strip().strip("$"))


def copied(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """The original again, with other spaces around it."""
    return rng.choice(_COPIES).format(text=pair.question)


def truncated(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """The paraphrase breaks off after 30 to 90 % of its characters."""
    return pair.paraphrase[: int(len(pair.paraphrase) * rng.uniform(0.3, 0.9))]


def foreign(rng: random.Random, pair: Sample, pairs: Sequence[Sample]) -> str | None:
    """The paraphrase of another question, of the same kind if there is one."""
    others = [other for other in pairs if other.kind == pair.kind and other.question != pair.question]
    return rng.choice(others).paraphrase if others else None


FAULTS: Mapping[str, Plant] = MappingProxyType({
    "number": changed_number, "leak": leaked_answer, "copy": copied, "truncated": truncated, "foreign": foreign,
    "unit": changed_unit, "asked": asked_otherwise, "negation": lost_negation,
})  # fmt: skip


def _numerals(reading: TextReading) -> list[TextToken]:
    return [token for token in reading.tokens if token.kind == "number" and token.text.isdecimal()]


def _replaced(text: str, place: TextToken, word: str) -> str:
    return text[: place.start] + word + text[place.end :]
