"""The same language: an English question does not come back in Chinese, nor in Spanish."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from reward_service.domain.paraphrases.pair import Evidence, Pair, Tolerances
from reward_service.domain.paraphrases.reading import TextReading
from reward_service.domain.paraphrases.vocabulary import word_set

_COMMON: Mapping[str, frozenset[str]] = MappingProxyType({
    "English": word_set("the of and that is what how if are which find each with for many when value number to"),
    "Spanish": word_set("el los las una del que es cuál cuántos cuántas con por para de tiene hay formas mismo cuando"),
    "French": word_set("le les des une du que est quel quelle combien avec pour dans de aux il trouver valeur nombre"),
    "German": word_set("der die das und ist ein eine wie viele welche mit für wenn von den wert zahl bestimme sind"),
    "Portuguese": word_set("o os uma do da que é qual quantos quantas com para de em não quando valor número tem há"),
    "Italian": word_set("il gli uno della che è quale quanti quante con di nel quando trova valore numero ci sono"),
})  # fmt: skip
_LEAST_WORDS = 8
_LEAST_SHARE = 0.15
_LEAST_COMMON = 3


def same_language(pair: Pair, tolerances: Tolerances) -> Evidence | None:
    """Letters of the same scripts, and the common words of the same language where there are enough words to tell."""
    before, after = _scripts(pair.original), _scripts(pair.paraphrase)
    letters = after.total()
    for script, count in after.items():
        if before[script] == 0 and count > tolerances.foreign_letters * letters:
            return Evidence(f"{count} of {letters} letters are {script.lower()}")
    old, new = _language(pair.original), _language(pair.paraphrase)
    if old and new and old != new:
        return Evidence(f"{new} instead of {old}")
    return None


def _scripts(reading: TextReading) -> Counter[str]:
    """The letters of the words by their scripts: LATIN, CJK, CYRILLIC."""
    counted: Counter[str] = Counter()
    for word in reading.words:
        if word.isascii():
            counted["LATIN"] += len(word)
        else:
            counted.update(unicodedata.name(letter, "OTHER").partition(" ")[0] for letter in word if letter.isalpha())
    return counted


def _language(reading: TextReading) -> str | None:
    if len(reading.words) < _LEAST_WORDS:
        return None
    counts = {name: sum(word in common for word in reading.words) for name, common in _COMMON.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    clear = counts[best] >= max(_LEAST_SHARE * len(reading.words), 2 * counts[second], _LEAST_COMMON)
    return best if clear else None
