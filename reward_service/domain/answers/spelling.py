"""Spell what people write in other ways as the grammar's LaTeX: Unicode, wrapping, colours, doubled backslashes."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from reward_service.domain.answers.units import are_units, unit_of
from reward_service.domain.lexemes import SIGNS

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ", "0123456789+-()n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ]+")
_LOWERED = re.compile(r"[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile(r"[¼-¾⅐-⅞]")
_CIRCLED = re.compile(r"[①-⑳](?:[、,，\s]*[①-⑳])+")
_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
_NO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # digits with one between them stay together


def _named_in_latex(letter: str) -> str:
    _, size, _, name = unicodedata.name(letter).replace("LAMDA", "LAMBDA").split()
    return f"\\{name.lower() if size == 'SMALL' else name.title()} "


_TABLE: Mapping[int, str | None] = MappingProxyType(
    {ord(sign): f"{latex} " if latex[-1].isalpha() else latex for sign, latex in SIGNS.items()}
    | {ord(letter): _named_in_latex(letter) for letter in _GREEK}
    | dict.fromkeys(map(ord, _NO_WIDTH))
)


def to_latex(text: str) -> str:
    """Return the text with Unicode's mathematics as LaTeX and its digits, letters and spaces as ASCII."""
    if text.isascii():
        return text
    text = _RAISED.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _LOWERED.sub(lambda found: "_{" + found[0].translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(_fraction, text)
    text = _CIRCLED.sub(
        lambda found: ", ".join(each for each in found[0] if "①" <= each <= "⑳"), text
    )  # ①③ is a list, and not 13
    return unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)


def _fraction(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


_DOUBLED = re.compile(r"(?<!\\)\\\\(?=[A-Za-z{}%$,!;])")
_ALL_DOUBLED = re.compile(r"(?<!\\)\\\\begin(?![A-Za-z])")
_TYPESETTING = re.compile(
    r"\\(?:text)?color(?:box)?\s*(?:\[[A-Za-z]*\])?\s*\{[^{}]*\}|\\(?:tag\*?|label)\s*\{[^{}]*\}"
    r"|\\(?:underline|nonumber|notag|hfill)(?![A-Za-z])"
)
_BARE_ACCENT = re.compile(r"\\(vec|hat|bar|overline|widehat|overrightarrow)\s+([A-Za-z])(?![A-Za-z])")
_PRIMES = re.compile(r"\^\s*(?:\{\s*((?:(?:\\prime(?![A-Za-z])|')\s*)+)\}|\\prime(?![A-Za-z]))")
_DOTTED = re.compile(r"(?<!\d)(\d*+\.\d*+)\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?")
_BARE_BLACKBOARD = re.compile(r"\\mathbb\s+([A-Z])(?![A-Za-z])")
_HALF_LINES: Mapping[str, str] = MappingProxyType(
    {
        "^+": r"(0,\infty)", ">0": r"(0,\infty)", "^-": r"(-\infty,0)", "<0": r"(-\infty,0)",
        "\\ge0": r"[0,\infty)", "\\geq0": r"[0,\infty)", "\\geqslant0": r"[0,\infty)",
        "\\le0": r"(-\infty,0]", "\\leq0": r"(-\infty,0]", "\\leqslant0": r"(-\infty,0]",
    }
)  # fmt: skip
_HALF_LINE = re.compile(
    r"\\mathbb\s*(?:\{\s*R\s*\}|R(?![A-Za-z]))\s*(?:(\^)\s*\{?\s*([+-])\s*\}?|_\s*\{\s*((?:[<>]|\\(?:[gl]eq?(?:slant)?))\s*0)\s*\})"
)
_LINE_WITHOUT = re.compile(r"(\\mathbb\s*(?:\{\s*R\s*\}|R))\s*[-\\]\s*(?=\\\{)")


def unadorned(text: str) -> str:
    """Return the text without colours, tags and underlines, and with each doubled backslash as one."""
    if "\\\\" in text:
        if _ALL_DOUBLED.search(text):
            text = text.replace("\\\\", "\\")
        elif "\\begin" not in text:  # there two backslashes end a row
            text = _DOUBLED.sub(r"\\", text)
    if "color" in text or "\\tag" in text or "\\under" in text or "\\no" in text or "\\label" in text:
        text = _TYPESETTING.sub("", text)
    return text


_WRAPPED = re.compile(r"\\\((.*)\\\)|\\\[(.*)\\\]|\$\$?([^$]*)\$\$?", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]+)\"|``([^`']+)''|`([^`]+)`|'([^']+)'|\*+([^*]+)\*+|_+([^_]+)_+", re.DOTALL)
_OUTER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|boldsymbol|mbox|boxed|fbox|bm)\s*\{([^{}]*)\}")
ONE_WORD = re.compile(r"\s*[A-Za-z]{2,}\s*")
_BRACED = re.compile(r"\{([^{}]*)\}")
_BUILDER = re.compile(r"\{\s*[A-Za-z]\s*(?:[:|]|\\mid|\\in(?![A-Za-z]))")
_SAID = re.compile(
    r"^(?:=|\\approx(?![A-Za-z])|(?:(?:so|thus|hence|therefore|and),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|option|choice)"
    r"\s*(?:is|:|=)(?=[\s$\\:]):?"
    r"|(?:故|所以|因此)?(?:本题)?(?:应?选|选项|选择|(?:正确)?答案)(?:是|为)?:?\s*(?=\(?[A-J]+(?![A-Za-z]))|(?:正确)?答案(?:是|为|:))\s*",
    re.IGNORECASE,
)
_TRAILING = " \t\n.;,"


def outer_word(text: str) -> str | None:
    r"""Return the one word that a \text{} around all of an answer holds; None where there is none."""
    word = _OUTER.fullmatch(text)
    return word[1] if word is not None and ONE_WORD.fullmatch(word[1]) else None


def unwrapped(text: str) -> str:
    r"""Return the text without wrapping around all of it: dollar signs, \( \), \text{}, quotes, bold, a full stop."""
    while True:
        text = text[:-2] if text.endswith("\\,") else text.strip()
        if not text.endswith(".."):  # dots that go on are part of what is said
            text = text.rstrip(_TRAILING)
        if text.endswith("\\"):
            text += " "
        if text[:1] in _OPENING_QUOTES and (quoted := _QUOTED.fullmatch(text)) is not None:
            text = next(group for group in quoted.groups() if group is not None)
            continue
        wrapped = _WRAPPED.fullmatch(text)
        if wrapped is not None:
            text = next(group for group in wrapped.groups() if group is not None)
            continue
        outer = _OUTER.fullmatch(text) or _BRACED.fullmatch(text)
        if outer is not None and text[0] == "{" and ('"' in text or "'" in text):
            return text  # JSON
        if outer is not None and text[0] == "{" and _BUILDER.match(text):
            return f"\\{text[:-1]}\\}}"  # a set in plain braces
        if outer is None or (text.startswith("\\text") and ONE_WORD.fullmatch(outer[1])):
            said = _SAID.sub("", text)
            if said == text:
                return _dollars(text)
            text = said
        else:
            text = outer[1]


_OPENING_QUOTES = frozenset("\"'`*_")


def _dollars(text: str) -> str:
    """Read a leading dollar sign that opens no formula as money."""
    return "\\" + text if text.startswith("$") and text.count("$") == 1 else text


_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
_SPACED = re.compile(
    r"((?:[A-Za-z]\s*=\s*)?[-+]?\s*(?:\\?\$\s*)?)([1-9]\d{0,2}(?: \d{3})+)"
    r"(?=(?:\.\d+)?\s*(?:$|\\text|\\?%|[A-Za-z]))"
)
_PER_CENT = re.compile(r"(?<![A-Za-z])(?:per\s+cent|pct\.?)(?![A-Za-z])")
_REPEATED = re.compile(r"(-?\d+\.\d*)\((\d+)\)")
_SQUARED = re.compile(r"(?<![A-Za-z\\])(sq|cu)(?:\.\\?\s?|\\?\s)\s*([A-Za-z]+)")
_CHOOSE = re.compile(r"\{\s*(\w+)\s*\\choose\s*(\w+)\s*\}|^(\w+)\s*\\choose\s*(\w+)$")
_GOES_ON = r"(?!\s*(?:[\d^_*/+-]|[A-Za-z](?![A-Za-z])|\\(?!text|mbox|q?quad|[^A-Za-z])))"
"""Behind a modulus: the name or number is not all of it. A word, a space or a text may come behind a whole one."""
_MODULO = re.compile(
    rf"\\(?:pmod|mod|bmod)\s*(?:\{{([^{{}}]*)\}}|(\w++){_GOES_ON})|"
    r"\(\s*(?:\\(?:text|mathrm|operatorname)\s*\{\s*mod\s*\}|\\?mod)\s*(\w+)\s*\)"
)
_MINUTES = re.compile(r"(?<=\d)\s*min(?![A-Za-z(_\\])")
_UNIT_GROUP = re.compile(r"\\(?:mathrm|text)\s*\{([^{}\\]*(?:\\|\{[^{}]*\})(?:[^{}]|\{[^{}]*\})*)\}")
_IN_UNITS = (
    ("{", ""), ("}", ""), ("\\mu ", "u"), ("\\mu", "u"), ("\\cdot", "*"), ("\\times", "*"), ("\\Omega", "ohm"),
    ("\\,", " "), ("\\ ", " "), ("~", " "),
)  # fmt: skip
_RUN_TOGETHER = re.compile(r"(?<![A-Za-z\\])([a-z]?)(log|ln|sin|cos|tan)([nxN])(?![A-Za-z])")
_RUN_ON = re.compile(r"(?<![A-Za-z\\])([a-z])(log|ln)\s+(?=[A-Za-z(])")
_SETTING = re.compile(r"(?<![A-Za-z\\{])(?<!\{ )(for (?:all|every|any|each)|where)(?![A-Za-z])")
_ONLY_SUMS = re.compile(r"(?:[\d.,+*/()=\s$-]|\\(?:times|cdot|div|\$)(?![A-Za-z]))+")
_GROUPING = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ACRONYM = re.compile(r"(?<![A-Za-z.\\])(?:[A-Z]\.){2,}(?![A-Za-z\d])")


def spelled(text: str) -> str:
    """Return the text with notations that mean what another notation means in that other one."""
    if "\\" in text:
        text = _spelled_commands(text)
    if "10" in text and "x" in text.lower():
        text = _TIMES.sub(r"\\times ", text)
    if " " in text:
        spaced = _SPACED.match(text)
        if spaced is not None:
            text = spaced[1] + spaced[2].replace(" ", "") + text[spaced.end() :]
        if "for " in text or "where" in text:
            text = _SETTING.sub(r"\\text{ \1 }", text)
    if "sq" in text or "cu" in text:
        text = _SQUARED.sub(_in_full, text)
    if "mod" in text and "\\equiv" in text:
        text = _MODULO.sub(lambda found: rf"\pmod{{{found[1] or found[2] or found[3]}}}", text)
    if "min" in text:
        text = _MINUTES.sub(" minutes", text)
    if "{" in text and ("\\mathrm" in text or "\\text" in text):
        text = _UNIT_GROUP.sub(_plain_unit, text)
    if "per" in text or "pct" in text:
        text = _PER_CENT.sub("percent", text)
    if ".(" in text or (text[-1:] == ")" and "." in text):
        repeated = _REPEATED.fullmatch(text)
        if repeated is not None:
            text = rf"{repeated[1]}\overline{{{repeated[2]}}}"
    if "=" in text and "," in text and _ONLY_SUMS.fullmatch(text):
        text = _GROUPING.sub("", text)  # all sides of such a chain must agree, so nothing is guessed
    if "log " in text or "ln " in text:
        text = _RUN_ON.sub(r"\1 \2 ", text)
    if "ln" in text or "log" in text or "sin" in text or "cos" in text or "tan" in text:
        text = _RUN_TOGETHER.sub(r"\1\\\2 \3", text)
    return text


def _in_full(found: re.Match[str]) -> str:
    return f"{'square' if found[1] == 'sq' else 'cubic'} {found[2]}" if unit_of(found[2]) is not None else found[0]


def _plain_unit(found: re.Match[str]) -> str:
    inside = found[1]
    for written, plain in _IN_UNITS:
        inside = inside.replace(written, plain)
    return rf"\text{{ {inside}}}" if "\\" not in inside and are_units(inside) else found[0]


def _spelled_commands(text: str) -> str:
    if "prime" in text or "'" in text:
        text = _PRIMES.sub(lambda found: "'" * (1 if found[1] is None else len(_PRIME.findall(found[1]))), text)
    if "\\choose" in text:
        text = _CHOOSE.sub(lambda found: rf"{{\binom{{{found[1] or found[3]}}}{{{found[2] or found[4]}}}}}", text)
    if "\\dot" in text:
        text = _DOTTED.sub(_dotted, text)
    if "\\mathbb" in text:
        text = _BARE_BLACKBOARD.sub(r"\\mathbb{\1}", text)
        text = _HALF_LINE.sub(_half_line, text)
        text = _LINE_WITHOUT.sub(r"\1\\setminus ", text)
    if "\\vec" in text or "\\hat" in text or "\\bar" in text or "\\over" in text or "\\wide" in text:
        text = _BARE_ACCENT.sub(r"\\\1{\2}", text)
    return text


_PRIME = re.compile(r"\\prime|'")


def _dotted(found: re.Match[str]) -> str:
    digits = found[2] + (found[3] + found[4] if found[4] else "")
    return rf"{found[1]}\overline{{{digits}}}"


def _half_line(found: re.Match[str]) -> str:
    return _HALF_LINES["^" + found[2] if found[1] else "".join(found[3].split())]


def dotless(text: str) -> str:
    """Return the text with U.S.A. as USA."""
    return _ACRONYM.sub(lambda found: found[0].replace(".", ""), text) if "." in text else text
