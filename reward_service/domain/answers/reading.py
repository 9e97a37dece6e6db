"""Read the text of an answer, within limits: the only entry to the grammar."""

import re
from fractions import Fraction
from itertools import pairwise

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.chemistry import formula
from reward_service.domain.answers.chinese import WORDS, in_latin
from reward_service.domain.answers.choices import Choice, choice_of
from reward_service.domain.answers.digits import decimal
from reward_service.domain.answers.grammar import parsed, read_tokens
from reward_service.domain.answers.literals import literal
from reward_service.domain.answers.money import with_money
from reward_service.domain.answers.shapes import (
    Mark,
    Meaning,
    Plain,
    Quantity,
    Reading,
    Shape,
    Understood,
    Unread,
)
from reward_service.domain.answers.spelling import (
    dotless,
    outer_word,
    spelled,
    to_latex,
    unadorned,
    unwrapped,
)
from reward_service.domain.answers.tokens import Token, structure, tokens_of
from reward_service.domain.answers.values import NotReadError, Number, UndefinedError
from reward_service.domain.answers.words import is_prose, is_words, words_key
from reward_service.domain.answers.written import clock, written

MOST_CHARS = 4096
"""As many as an answer may have: a ground truth may come longer."""

_PLAIN = re.compile(
    r"(-?)(?:(\d{0,18}+)(?:\.(\d{1,18}))?([eE][+-]?\d{1,3})?(?<=\d)|\\[dtc]?frac\{(-?\d{1,18})\}\{(\d{1,18})\}"
    r"|(\d{1,18})/(\d{1,18}))"
)
# 2e5 and what programs print; 2e-5 and 7e+1 may as well be Euler's number.
_SCIENTIFIC = re.compile(r"-?(?:\d{1,18}\.\d{1,18}[eE][+-]?\d{1,3}|\d{1,18}(?:[eE]\d{1,3}|E[+-]\d{1,3}|e[+-]\d{2,3}))")
_POINTS = re.compile(r"[A-Z]{2,7}")
_MOST_POINTS = 4
_CHOICES = re.compile(r"[A-J]+")
_COMBINATION = re.compile(
    r"(?<![A-Za-z\\])C(?:_\{?(\d{1,3})\}?\^\{?(\d{1,3})\}?|\^\{?(\d{1,3})\}?_\{?(\d{1,3})\}?)(?!\d)"
)
_LETTERS = re.compile(r"[a-z]{2,3}|[a-z][A-Z]{1,2}")
_BARE_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])")
_ONLY_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_DEGREES = re.compile(r"\\(?:circ|deg)")
_OR = re.compile(r"(?<![A-Za-z])or(?![A-Za-z])")
_BASE = re.compile(
    r"\(?\s*+(-?)\s*+([0-9A-Za-f]++)\)?\s*+"
    r"(?:_\s*\{?\s*(\d{1,2})\s*\}?|(?:\\text\{)?\s*(?:\(?base|in base)[\s-]*\{?(\d{1,2})\}?\)?\}?)"
)
_STYLED_DIGITS = re.compile(r"\\(?:text|mathrm)\{([0-9A-Z]+)\}")
_BASE_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "sixteen": 16,
}  # fmt: skip
_BASE_WORD = re.compile(r"_\s*\{?\s*\\(?:text|mathrm)\s*\{\s*(\w+)\s*\}\s*\}?$")


def read_answer(answer: str, conventions: Conventions = Conventions.LENIENT) -> Reading:
    """Return the reading of an answer.

    Pure and bounded: at most 4096 tokens, 32 levels, 8,000 products of terms, sums of 4,096 bits; what goes beyond
    is kept as it was written, and is equal to itself only. Nothing is evaluated that could grow.
    """
    if len(answer) > MOST_CHARS:
        return Reading(answer, (Meaning.of(Plain(f"long: {answer}")),))
    number = _plain_number(answer)  # most answers are one without more ado
    if number is not None:
        return _rational(answer, number)
    text = _bare(answer)
    number = _plain_number(text) if text != answer else None
    if number is not None:
        return _rational(answer, number)
    shapes, marks = _meant(_spelled(text), conventions)
    if len(shapes) == 1:
        return Reading(answer, (Meaning.of(shapes[0]),), marks)
    meanings: dict[str, Meaning] = {}
    for meaning in map(Meaning.of, shapes):
        meanings.setdefault(meaning.key, meaning)
    return Reading(answer, tuple(meanings.values()), marks)


def mathematics(answer: str) -> list[Token]:
    """Return the tokens of an answer that is nothing but mathematics.

    Raises:
        NotReadError: it is a choice, a date, a text, digits in a base, or empty.
    """
    text = _spelled(_bare(answer))
    if choice_of(text) is not None or literal(text) is not None or written(text) is not None:
        raise NotReadError
    if is_words(text) or _in_base(text) is not None:
        raise NotReadError
    tokens = tokens_of(_without_thousands(text))
    if not tokens:
        raise NotReadError
    return tokens


def _bare(answer: str) -> str:
    return unwrapped(unadorned(dotless(to_latex(answer))))


def _spelled(text: str) -> str:
    if not text.isascii():
        text = in_latin(text)
    return with_money(spelled(text))


def _meant(text: str, conventions: Conventions) -> Understood:
    """Read what is no mathematics by its look: choices, dates, JSON, formulas of chemistry; all else by the grammar."""
    lenient = conventions is Conventions.LENIENT
    choice = choice_of(text)
    if choice is not None:
        return _chosen(choice, text, conventions)
    value = literal(text)
    if value is None:
        value = written(text)
    if value is not None:
        return (Plain(value),), ()
    substance, certain = formula(text) if text != text.lower() and _MAY_BE_FORMULA.search(text) else (None, False)
    if substance is not None and certain and _in_base(text) is None:
        return (Plain(substance),), ()
    shapes, marks = _understood(text, conventions)
    if substance is not None:
        shapes = (Plain(substance),) if isinstance(shapes[0], Unread) else (*shapes, Plain(substance))
    moment = clock(text) if lenient and ":" in text else None
    return ((*shapes, Plain(moment)) if moment is not None else shapes), marks


_MAY_BE_FORMULA = re.compile(r"\\ce(?![A-Za-z])|[A-Z][a-z]?\}?(?:_|\d|\^\s*\{?\d?[+-])|\)_?\d|\\to|->|arrow|harpoons")


def _chosen(choice: Choice, text: str, conventions: Conventions) -> Understood:
    letter = choice.letters[0]
    if not choice.content:
        return (_symbol(letter),), ()
    lenient = conventions is Conventions.LENIENT
    if len(choice.letters) > 1:
        joint = r"\text{ or }" if _OR.search(choice.content) else ","
        several = _understood(joint.join(choice.letters), conventions)[0] if lenient else ()
        return (Plain(f"choices {words_key(text)}"), *several), ()
    rest, marks = _understood(choice.content, conventions)
    said = Plain(f"choice {letter}: {rest[0].key}")
    return ((said, _symbol(letter), *rest), marks) if lenient else ((said,), marks)


def unread_answer(answer: str) -> Reading:
    """Return the reading of an answer for which there was no time: equal to itself, and perhaps to any other."""
    return Reading(answer, (Meaning.of(Unread(f"not read: {answer}")),))


def _understood(text: str, conventions: Conventions) -> Understood:
    if is_words(text) or outer_word(text) is not None or (not text.isascii() and WORDS.fullmatch(text)):
        return (Plain(words_key(text)), *(_other_words(text) if conventions is Conventions.LENIENT else ())), ()
    based = _in_base(text)
    if based is not None:
        return (based,), ()
    tokens: list[Token] = []
    try:
        tokens = tokens_of(_without_thousands(text))
        if not tokens:
            return (Plain(words_key(text)),), ()
        shapes, marks = read_tokens(tokens, conventions)
        if conventions is Conventions.LENIENT:
            shapes += _other_shapes(text, tokens, marks)
    except UndefinedError:
        return (Plain(f"undefined: {structure(tokens)}"),), ()
    except (NotReadError, RecursionError):
        written_so = structure(tokens) or "".join(text.split())
        return (Plain(words_key(text)) if is_prose(text) else Unread(f"unread: {written_so}"),), ()
    return shapes, marks


def _other_words(text: str) -> tuple[Shape, ...]:
    """Return what capitals may be beside a word: a segment or a product, and several choices, as ACD is A, C, D."""
    capitals = outer_word(text) or text
    if not _POINTS.fullmatch(capitals):
        return ()
    shapes: tuple[Shape, ...] = (_symbol(text),) if capitals == text and len(text) <= _MOST_POINTS else ()
    if _CHOICES.fullmatch(capitals) and all(one < other for one, other in pairwise(capitals)):
        shapes += parsed(tokens_of(",".join(capitals)), Conventions.LENIENT)[0]
    return shapes


def _other_shapes(text: str, tokens: list[Token], marks: tuple[Mark, ...]) -> tuple[Shape, ...]:
    """Yield other readings that people let pass: cat as a word, 1,234 as a list, a function without a degree sign."""
    if "C" in text and (chosen := _COMBINATION.sub(_binomial, text)) != text:
        return parsed(tokens_of(chosen), Conventions.LENIENT)[0]
    if _LETTERS.fullmatch(text):
        return (Plain(words_key(text)),)
    if _ONLY_THOUSANDS.fullmatch(text):
        return parsed(tokens_of(text.replace(",", ", ")), Conventions.LENIENT)[0]
    if _DEGREES.search(text) and ("unit", "degree") not in marks:
        return parsed([token for token in tokens if token.kind != "\\degree"], Conventions.LENIENT)[0]
    return ()


def _binomial(found: re.Match[str]) -> str:
    above, below = int(found[1] or found[4]), int(found[2] or found[3])
    return rf"\binom{{{above}}}{{{below}}}" if above >= below else found[0]


def _rational(answer: str, value: Number) -> Reading:
    key = str(value)
    return Reading(answer, (Meaning(key, Quantity(key, True, {(): value} if value else {}), True),))


def _symbol(letter: str) -> Quantity:
    return Quantity(letter, True, {((letter, 1),): 1})


def _plain_number(text: str) -> Number | None:
    """Read integers, fractions and decimals, by far the most answers, without the grammar."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        return None
    sign, whole, places, exponent, above, below, first, second = found.groups()
    if exponent is not None and not _SCIENTIFIC.fullmatch(text):
        return None
    if above is None and first is None:
        if exponent is not None:
            return _whole(Fraction(text))
        number = int(whole) if places is None else decimal(f"{whole}.{places}")
        return -number if sign else number
    denominator = int(below or second)
    if not denominator:
        return None
    value = Fraction(int(above or first), denominator)
    return _whole(-value if sign else value)


def _whole(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else value


def _without_thousands(text: str) -> str:
    """Remove commas that group digits, except in brackets, where they part items: 1,234 but (1,234)."""
    if "," not in text or "(" in text or "[" in text or "{" in text:
        return text
    return _BARE_THOUSANDS.sub(lambda found: found[1].replace(",", ""), text)


def _in_base(text: str) -> Shape | None:
    if "_" not in text and "base" not in text:
        return None
    word = _BASE_WORD.search(text)
    if word is not None and word[1].lower() in _BASE_WORDS:
        text = f"{text[: word.start()]}_{_BASE_WORDS[word[1].lower()]}"
    found = _BASE.fullmatch(_STYLED_DIGITS.sub(r"\1", text))
    if found is None or found[2].isalpha():
        return None
    sign, digits = found[1], found[2].lstrip("0") or "0"
    base = int(found[3] or found[4])
    if not digits.isupper() and not digits.isdigit():
        if base != 16:
            return None
        digits = digits.upper()
    if base == 10 and digits.isdigit():
        value = int(sign + digits)
        return Quantity(str(value), True, {(): value} if value else {})
    return Plain(f"base {base}: {sign}{digits}") if 2 <= base <= 36 else None
