"""Plant faults that keep every number: a sentence or a word dropped, a bound turned, two quantities exchanged."""

import random
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from benchmarks.paraphrase_pairs import Sample
from benchmarks.paraphrase_planting import Plant, asked_otherwise, changed_number
from reward_service.domain.paraphrases.reading import TextReading, read_text
from reward_service.domain.paraphrases.tokens import TextToken, commands_of, sentences_of

_LEAST_WORDS = 5
_CONDITIONS = ("positive", "distinct", "different", "consecutive", "odd", "even", "prime", "increasing", "nonzero")
_BOUNDS: Mapping[str, str] = MappingProxyType({
    "at least": "at most", "at most": "at least", "less than": "more than", "more than": "less than",
    "greater than": "less than", "fewer than": "more than",
})  # fmt: skip
_OFF_BY_ONE: Mapping[str, str] = MappingProxyType({
    "at least": "more than", "at most": "less than", "less than or equal to": "less than",
    "greater than or equal to": "greater than",
})  # fmt: skip
_QUANTIFIERS: Mapping[str, str] = MappingProxyType({"every": "some", "exactly": "at least"})


def dropped_sentence(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Leave out a sentence that neither begins the paraphrase nor asks."""
    text = pair.paraphrase
    sentences = [each for each in sentences_of(read_text(text).tokens) if len(each) > 3]
    places = [each for each in sentences[1:] if _tells(each)]
    if len(sentences) < 3 or not places:
        return None
    sentence = rng.choice(places)
    before = max((each[-1].end for each in sentences if each[-1].end <= sentence[0].start), default=0)
    return f"{text[:before].rstrip()} {_behind(text, sentence[-1].end).lstrip()}".strip()


def _tells(sentence: Sequence[TextToken]) -> bool:
    words = sum(token.kind == "word" for token in sentence)
    asks = any(token.text == "?" for token in sentence) or any(True for _ in commands_of(sentence))
    return words >= _LEAST_WORDS and not asks


def _behind(text: str, place: int) -> str:
    """Return the text behind a sentence, whose closing sign may follow its end."""
    return re.sub(r"^[\s$).\]\\]{1,3}(?=\s)", "", text[place:])


def dropped_condition(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Leave out a word that makes a condition: positive, distinct."""
    return _replaced(rng, pair.paraphrase, dict.fromkeys(_CONDITIONS, ""))


def turned_bound(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Turn a bound around: "at least" becomes "at most"."""
    return _replaced(rng, pair.paraphrase, _BOUNDS)


def off_by_one(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Make a bound strict: "at most" becomes "less than"."""
    return _replaced(rng, pair.paraphrase, _OFF_BY_ONE)


def other_quantifier(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Say "some" for "every", or "at least" for "exactly"."""
    return _replaced(rng, pair.paraphrase, _QUANTIFIERS)


def swapped_quantities(rng: random.Random, pair: Sample, _: Sequence[Sample]) -> str | None:
    """Exchange two numbers of the paraphrase that each text has once."""
    there, here = (_once(read_text(text)) for text in (pair.question, pair.paraphrase))
    places = [token for token in here if token.text in {other.text for other in there}]
    if len(places) < 2:
        return None
    one, other = sorted(rng.sample(places, 2), key=lambda token: token.start)
    text = pair.paraphrase
    return text[: one.start] + other.text + text[one.end : other.start] + one.text + text[other.end :]


def _once(reading: TextReading) -> list[TextToken]:
    numbers = [token for token in reading.tokens if token.kind == "number" and token.text.isdecimal()]
    texts = [token.text for token in numbers]
    return [token for token in numbers if texts.count(token.text) == 1]


def _replaced(rng: random.Random, text: str, words: Mapping[str, str]) -> str | None:
    """Replace one of some words in a text, where one stands."""
    places = [found for word in words for found in re.finditer(rf"\b{word}\b(?! or equal)", text)]
    if not places:
        return None
    place = rng.choice(places)
    return (text[: place.start()] + words[place.group()] + text[place.end() :]).replace("  ", " ")


FAULTS: Mapping[str, Plant] = MappingProxyType({
    "number": changed_number, "target": asked_otherwise, "sentence": dropped_sentence, "condition": dropped_condition,
    "bound": turned_bound, "off by one": off_by_one, "quantifier": other_quantifier, "swapped": swapped_quantities,
})  # fmt: skip
