"""Read answers in words: which words are equal, and which texts are nothing but words."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from reward_service.domain.answers.chemistry import keeps_its_case

_SIGNS = re.compile(r"(?:[\s;:\"'`$~]|[!?]\s*$|(?<!\d)[.,]|[.,](?!\d))+")
_COMMAND = re.compile(r"\\(?:text[a-z]*|mathrm|mathbf|mbox|emph)(?![A-Za-z])\s*|\\(?=[ ,;:!%$&#])|[{}]")
_LONG_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_SEVERAL_NAMES = re.compile(r"[a-z][A-Z]{1,2}")
_APPLIED = re.compile(r"(?:[A-Za-z] )?(?:log|ln|sin|cos|tan) [A-Za-z]")
_SEVERAL_LETTERS = re.compile(r"[A-Z](?: (?:and|or) [A-Z])+")
_TEXT = re.compile(r"\\(?:text|mbox|textbf|textit|mathrm|textrm)\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}")
_DIFFERENCE = re.compile(r"[a-z]{1,2}-[a-z]{1,2}")
"""x-xy; but not no-go."""
_ARTICLE = re.compile(r"^(?:the|an|a|A) (?=\S{2})")
SHORT_WORDS = frozenset({
    "no", "yes", "odd", "red", "one", "two", "six", "ten", "all", "any", "not", "top", "up", "out", "old", "new",
    "low", "big", "far", "few", "hot", "cut", "day", "sun", "mon", "tue", "wed", "thu", "fri", "sat", "ok",
})  # fmt: skip
"""Words of two or three small letters that are not products."""
_FUNCTION_WORDS = SHORT_WORDS | {
    "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "of", "on", "or", "so", "to",
    "us", "we", "ok", "am",
}  # fmt: skip


_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {"all real numbers": "R", "all reals": "R", "real numbers": "R", "set of all real numbers": "R", "infinity": "oo"}
    | dict.fromkeys(("no solution", "no solutions", "no real solution", "no real solutions", "empty set"), "{[]")
)


def words_key(text: str) -> str:
    """Return the key of a text: its words in small letters, and as they are where capitals say something."""
    plain = _SIGNS.sub(" ", _COMMAND.sub(" ", text)).strip()
    words = plain.split()
    said = _ARTICLE.sub("", " ".join(word if _keeps_its_case(word, len(words) > 1) else word.lower() for word in words))
    return _SYMBOLS.get(said) or "words: " + said


def _keeps_its_case(word: str, among_others: bool) -> bool:
    """Return whether capitals part a word from another: a single letter, a unit, a substance; but not Yes from yes."""
    if len(word) == 2 and word.isalpha():
        return word.lower() not in (_FUNCTION_WORDS if among_others else SHORT_WORDS)
    if len(word) == 3 and word.isalpha() and not (word.islower() or word.isupper() or word.istitle()):
        return True
    return len(word) == 1 or (keeps_its_case(word) and word.lower() not in SHORT_WORDS)


def is_words(text: str) -> bool:
    """Return whether an answer is nothing but words."""
    if "\\" in text:
        return False
    letters = text.replace(" ", "").replace("-", "").replace("'", "").replace(".", "")
    if "," in letters and letters.replace(",", "").isalpha():
        return not SHORT_WORDS.isdisjoint(_WORD.findall(text.lower()))  # yes, it is
    if not letters.isascii() or not letters.isalpha():
        return False
    if _SEVERAL_NAMES.fullmatch(text) or _SEVERAL_LETTERS.fullmatch(text) or _APPLIED.fullmatch(text):
        return False
    if " " in text.strip():
        return bool(_WORD.search(text))
    if "-" in text:
        return bool(_WORD.search(text)) and (
            not _DIFFERENCE.fullmatch(text) or not _FUNCTION_WORDS.isdisjoint(text.split("-"))
        )
    return len(letters) > 3 or (len(letters) > 1 and not letters.islower()) or letters in SHORT_WORDS


def is_prose(text: str) -> bool:
    """Return whether an answer that is not read as mathematics holds sentences rather than formulas."""
    bare = _TEXT.sub(lambda found: f" {found[1]} ", _ENVIRONMENT.sub(" ", text))
    return _LONG_WORD.search(bare) is not None or len(_WORD.findall(bare)) > 1
