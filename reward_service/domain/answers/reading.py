"""Read the text of an answer, within limits: the only entry to the grammar."""

import re
import unicodedata
from fractions import Fraction

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.meanings import Understanding, is_prose, is_words, words_key
from reward_service.domain.answers.parser import parse
from reward_service.domain.answers.shapes import Mark, Meaning, Plain, Quantity, Reading, Shape, Unread
from reward_service.domain.answers.tokens import Token, structure, tokens_of
from reward_service.domain.answers.values import NotReadError, Number, UndefinedError

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ", "0123456789+-()n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+")
_LOWERED = re.compile(r"[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile(r"[¼-¾⅐-⅞]")
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r"\times ", "⋅": r"\cdot ", "·": r"\cdot ", "∙": r"\cdot ",
    "÷": "/", "⁄": "/", "∕": "/", "π": r"\pi ", "√": r"\sqrt ", "∛": r"\sqrt[3]", "∞": r"\infty ", "≤": r"\le ",
    "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ",
    "°": r"\degree ", "º": r"\degree ", "±": r"\pm ", "∓": r"\mp ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ",
    "θ": r"\theta ", "λ": r"\lambda ", "φ": r"\phi ", "ω": r"\omega ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "∠": r"\angle ", "′": "'", "‘": "'", "’": "'", "“": '"', "”": '"', "€": r"\euro ", "£": r"\pounds ",
    "…": r"\ldots ",
}  # fmt: skip
_NO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # digits with one between them stay together
_TABLE = {ord(sign): latex for sign, latex in _SIGNS.items()} | dict.fromkeys(map(ord, _NO_WIDTH))


def to_latex(text: str) -> str:
    """Return the text with Unicode's mathematics as LaTeX and its digits, letters and spaces as ASCII."""
    if text.isascii():
        return text
    text = _RAISED.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _LOWERED.sub(lambda found: "_{" + found[0].translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(_fraction, text)
    return unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)


def _fraction(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


MOST_CHARS = 4096
"""As many as an answer may have: a ground truth may come longer."""

_INTEGER = re.compile(r"-?\d{1,18}")
_RATIO = re.compile(r"(-?)(?:\\[dtc]?frac\{(-?\d{1,18})\}\{(\d{1,18})\}|(\d{1,18})/(\d{1,18}))")
# 2e5 and what programs print; 2e-5 and 7e+1 may as well be Euler's number.
_SCIENTIFIC = re.compile(r"-?(?:\d{1,18}\.\d{1,18}[eE][+-]?\d{1,3}|\d{1,18}(?:[eE]\d{1,3}|E[+-]\d{1,3}|e[+-]\d{2,3}))")
_DECIMAL = re.compile(r"-?\d{0,18}\.\d{1,18}")
_WRAPPED = re.compile(r"\\\((.*)\\\)|\\\[(.*)\\\]|\$\$?([^$]*)\$\$?", re.DOTALL)
_OUTER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|boldsymbol|mbox|boxed|fbox|bm)\s*\{([^{}]*)\}")
_ONE_WORD = re.compile(r"\s*[A-Za-z]{2,}\s*")
_POINTS = re.compile(r"[A-Z]{2,4}")
_LETTERS = re.compile(r"[a-z]{2,3}")
_BRACED = re.compile(r"\{([^{}]*)\}")
_CHOICE = re.compile(r"(?:\(([A-J])\)|([A-J])[).:]|\\text(?:bf)?\{\(?([A-J])\)?[.:]?\}\\?)(?:\s+(?=\S)|\s*(?=[\d\\$]))")
_BARE_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])")
_ONLY_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
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
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d(?::\d\d)?)(?:\s|\\[ ,;]|\\text\{|\{)*([aApP])\.?\s*[mM]\b[.}\s]*")
_SAID = re.compile(
    r"^(?:=|\\approx(?![A-Za-z])|(?:(?:so|thus|hence|therefore|and),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?answer"
    r"\s*(?:is|:|=)(?=[\s$\\:]):?)\s*",
    re.IGNORECASE,
)
_TRAILING = " \t\n.;,"


def read_answer(answer: str, conventions: Conventions = Conventions.LENIENT) -> Reading:
    """Return the reading of an answer.

    Pure and bounded: at most 4096 tokens, 48 levels, 8,000 products of terms, sums of 4,096 bits; what goes beyond
    is kept as it was written, and is equal to itself only. Nothing is evaluated that could grow.
    """
    if len(answer) > MOST_CHARS:
        return Reading(answer, (Meaning.of(Plain(f"long: {answer}")),))
    number = _plain_number(answer)  # most answers are one without more ado
    if number is not None:
        return _rational(answer, number)
    text = _unwrapped(to_latex(answer))
    number = _plain_number(text)
    if number is not None:
        return _rational(answer, number)
    shapes, marks = _understood(text, conventions)
    choice = _CHOICE.match(text)
    if choice is not None and conventions is Conventions.LENIENT:
        letter = choice[1] or choice[2] or choice[3]
        rest, marks = _understood(text[choice.end() :], conventions)
        shapes = (Plain(f"choice {letter}: {rest[0].key}"), _symbol(letter), *rest)
    return Reading(answer, tuple(map(Meaning.of, shapes)), marks)


def unread_answer(answer: str) -> Reading:
    """Return the reading of an answer for which there was no time: equal to itself, and perhaps to any other."""
    return Reading(answer, (Meaning.of(Unread(f"not read: {answer}")),))


def _understood(text: str, conventions: Conventions) -> tuple[tuple[Shape, ...], tuple[Mark, ...]]:
    word = _OUTER.fullmatch(text)
    if is_words(text) or (word is not None and _ONE_WORD.fullmatch(word[1])):
        said: tuple[Shape, ...] = (Plain(words_key(text)),)
        return (*said, _symbol(text)) if _POINTS.fullmatch(text) and conventions is Conventions.LENIENT else said, ()
    time = _TIME_OF_DAY.fullmatch(text.replace("\\!", "")) if ":" in text else None
    if time is not None:
        return (Plain(f"time: {int(time[1])}:{time[2]} {time[3].lower()}"),), ()
    based = _in_base(text)
    if based is not None:
        return (based,), ()
    tokens: list[Token] = []
    try:
        tokens = tokens_of(_without_thousands(text))
        if not tokens:
            return (Plain(words_key(text)),), ()
        shapes, marks = _parsed(tokens, conventions)
        if conventions is Conventions.LENIENT:
            shapes += _other_shapes(text, tokens, marks)
    except UndefinedError:
        return (Plain(f"undefined: {structure(tokens)}"),), ()
    except (NotReadError, RecursionError):
        written = structure(tokens) or "".join(text.split())
        return (Plain(words_key(text)) if is_prose(text) else Unread(f"unread: {written}"),), ()
    return shapes, marks


def _parsed(tokens: list[Token], conventions: Conventions) -> tuple[tuple[Shape, ...], tuple[Mark, ...]]:
    algebra = Algebra()
    return Understanding(algebra, conventions).answer(parse(tokens, algebra))


def _other_shapes(text: str, tokens: list[Token], marks: tuple[Mark, ...]) -> tuple[Shape, ...]:
    """Yield other readings that people let pass: cat as a word, 1,234 as a list, a function without a degree sign."""
    if _LETTERS.fullmatch(text):
        return (Plain(words_key(text)),)
    if _ONLY_THOUSANDS.fullmatch(text):
        return _parsed(tokens_of(text.replace(",", ", ")), Conventions.LENIENT)[0]
    if any(token.kind == "\\degree" for token in tokens) and ("unit", "degree") not in marks:
        return _parsed([token for token in tokens if token.kind != "\\degree"], Conventions.LENIENT)[0]
    return ()


def _rational(answer: str, value: Number) -> Reading:
    key = str(value)
    return Reading(answer, (Meaning(key, Quantity(key, True, {(): value} if value else {}), True),))


def _symbol(letter: str) -> Quantity:
    return Quantity(letter, True, {((letter, 1),): 1})


def _plain_number(text: str) -> Number | None:
    """Read integers, fractions and decimals, by far the most answers, without the grammar."""
    if _INTEGER.fullmatch(text):
        return int(text)
    ratio = _RATIO.fullmatch(text)
    if ratio is not None:
        sign, above, below, plain_above, plain_below = ratio.groups()
        denominator = int(below or plain_below)
        if not denominator:
            return None
        value = Fraction(int(above or plain_above), denominator)
        return _whole(-value if sign else value)
    return _whole(Fraction(text)) if _DECIMAL.fullmatch(text) or _SCIENTIFIC.fullmatch(text) else None


def _whole(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else value


def _unwrapped(text: str) -> str:
    r"""Return the text without wrapping around all of it: dollar signs, \( \), \text{}, a full stop."""
    while True:
        text = text[:-2] if text.endswith("\\,") else text.strip()
        if not text.endswith(".."):  # dots that go on are part of what is said
            text = text.rstrip(_TRAILING)
        if text.endswith("\\"):
            text += " "
        wrapped = _WRAPPED.fullmatch(text)
        if wrapped is not None:
            text = next(group for group in wrapped.groups() if group is not None)
            continue
        outer = _OUTER.fullmatch(text) or _BRACED.fullmatch(text)
        if outer is None or (text.startswith("\\text") and _ONE_WORD.fullmatch(outer[1])):
            said = _SAID.sub("", text)
            if said == text:
                return _dollars(text)
            text = said
        else:
            text = outer[1]


def _dollars(text: str) -> str:
    """Read a leading dollar sign that opens no formula as money."""
    return "\\" + text if text.startswith("$") and text.count("$") == 1 else text


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
