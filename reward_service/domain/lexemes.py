r"""Cut texts into lexemes, formulas by TeX's rules and prose by its own, and list notations that mean the same.

Linear, whatever a text holds: something matches at every place, spaces at the end as a lexeme without a kind, and no
character is looked at more than a few times.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

TEXT_STYLES = frozenset({
    "text", "textrm", "textbf", "textit", "texttt", "textsf", "textnormal", "textup", "textsl", "mbox", "mathrm", "rm",
    "emph", "hbox", "operatorname",
})  # fmt: skip
"""Commands whose braces hold words."""
ACCENTS: Mapping[str, str] = MappingProxyType(
    {"overline": "bar", "bar": "bar", "vec": "vec", "overrightarrow": "vec", "hat": "hat", "widehat": "hat"}
)
_STYLES = "|".join(
    sorted(
        {*TEXT_STYLES, *ACCENTS, "mathbf", "mathit", "mathsf", "boldsymbol", "bm", "mathbb", "mathcal", "underline"},
        reverse=True,
    )
)
_LAYOUT = (
    r"(?P<layout>\\(?:renewcommand|hspace|vspace|cline|multicolumn|setlength|includegraphics)\*?(?:\{[^{}]{0,80}\}){1,2}"
    r"|\\\\\[-?[\d.]{0,8}\s{0,4}(?:pt|ex|em|mm|cm|in|\\baselineskip)\])"
)
_COMMAND = r"(?P<command>\\(?:(?:begin|end)\s{0,4}\{[A-Za-z]{1,24}\*?\}|[A-Za-z]+|.))"
_SIGN = r"(?P<sign>[<>]=|\.\.\.+|[^\s\w]|_)"
_LETTERS = r"[^\W\d_]+"
# 1,234 in all its spellings. In a text it is a number, but {991,992,993} and 70,90,130 are lists.
_GROUPED_IN_TEXT = r"(?<![\d{(\[,])[1-9]\d{0,2}(?:(?:,|\{,\}|,?\\!,?|\\,|\{\\,\})\d{3})+(?!\d)"
_NUMBER_IN_TEXT = rf"(?P<number>(?:{_GROUPED_IN_TEXT}|\d+)(?:\.\d+)?|(?<![\d.])\.\d+|[¼-¾⅐-⅞])"
# In an answer (1,234) is a pair, and a decimal may end in its point: 0.\overline{3}.
_NUMBER = r"(?P<number>[1-9]\d{0,2}(?:(?:\{,\}|,?\\!|\\\s|\\,)\s*\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d*)?|\.\d+)"


def _formula(number: str) -> re.Pattern[str]:
    styled = rf"(?P<styled>\\({_STYLES})\*?\s*\{{((?:[^{{}}\\]|\\.)*)\}})"
    return re.compile(rf"\s*+(?:{styled}|{number}|(?P<word>{_LETTERS})|{_LAYOUT}|{_COMMAND}|{_SIGN}|\Z)", re.DOTALL)


STYLE, CONTENT = 2, 3
"""The groups of a styled lexeme in a formula."""
FORMULA = _formula(_NUMBER)
"""Lexemes of an answer, each with the spaces in front of it."""
FORMULA_IN_TEXT = _formula(_NUMBER_IN_TEXT)
"""The same within a text, where commas group digits."""
PROSE = re.compile(
    rf"\s*+(?:{_LAYOUT}|(?P<ordinal>\d+(?:st|nd|rd|th)\b)|{_NUMBER_IN_TEXT}|(?P<word>{_LETTERS}(?:['’][a-z]{{1,2}}\b)?)"
    rf"|(?P<command>\\(?:[A-Za-z]+|.))|{_SIGN}|\Z)",
    re.DOTALL,
)
"""Lexemes of a sentence, each with the spaces in front of it."""

SAME: Mapping[str, str] = MappingProxyType({
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\dbinom": "\\binom", "\\tbinom": "\\binom",
    "\\cdot": "*", "\\times": "*", "\\ast": "*", "\\div": "/", "\\leq": "≤", "\\le": "≤", "\\leqslant": "≤",
    "<=": "≤", "\\geq": "≥", "\\ge": "≥", "\\geqslant": "≥", ">=": "≥", "\\lt": "<", "\\gt": ">", "\\ne": "≠",
    "\\neq": "≠", "\\simeq": "\\approx", "\\sim": "\\approx", "\\lbrace": "\\{", "\\rbrace": "\\}", "\\lvert": "|",
    "\\rvert": "|", "\\vert": "|", "\\mid": "|", "\\lbrack": "[", "\\rbrack": "]", "\\langle": "(", "\\rangle": ")",
    "\\lparen": "(", "\\rparen": ")", "\\%": "%", "\\varnothing": "\\emptyset", "\\vee": "\\lor", "\\wedge": "\\land",
    "\\ldots": "\\dots", "\\cdots": "\\dots", "\\dotsc": "\\dots", "\\dotsb": "\\dots", "\\dotsm": "\\dots",
    "\\colon": ":", "\\&": "&", "\\newline": "\\\\", "\\cr": "\\\\", "\\backslash": "\\setminus", "\\bigcup": "\\cup",
    "\\bigcap": "\\cap", "\\arcsin": "\\asin", "\\arccos": "\\acos", "\\arctan": "\\atan", "\\varphi": "\\phi",
    "\\mathrm": "\\text", "\\varepsilon": "\\epsilon", "\\infin": "\\infty", "\\prime": "'", "\\sp": "^",
    "\\rightarrow": "\\to", "\\longrightarrow": "\\to", "\\bold": "\\mathbf",
})  # fmt: skip
"""Commands and signs in the one spelling of what they mean."""
SIGNS: Mapping[str, str] = MappingProxyType({
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "\\times", "⋅": "\\cdot", "·": "\\cdot", "∙": "\\cdot",
    "÷": "/", "⁄": "/", "∕": "/", "√": "\\sqrt", "∛": "\\sqrt[3]", "∞": "\\infty", "≤": "\\le", "≥": "\\ge",
    "≦": "\\le", "≧": "\\ge", "≠": "\\ne", "≈": "\\approx", "≡": "\\equiv", "∨": "\\lor", "∧": "\\land", "∪": "\\cup",
    "∩": "\\cap", "∈": "\\in", "∅": "\\emptyset", "°": "\\degree", "º": "\\degree", "±": "\\pm", "∓": "\\mp",
    "⟨": "\\langle", "⟩": "\\rangle", "∠": "\\angle", "△": "\\triangle", "′": "'", "‘": "'", "’": "'", "“": '"',
    "”": '"', "€": "\\euro", "£": "\\pounds", "¥": "\\yen", "₹": "\\rupee", "…": "\\ldots", "→": "\\to",
    "⇌": "\\rightleftharpoons", "ℏ": "\\hbar", "٪": "%", "、": ", ", "。": ".", "ℝ": "\\mathbb{R}",
    "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}", "∀": "\\forall", "∶": ":",
    "∣": "|",
})  # fmt: skip
"""Signs of Unicode as they are written in LaTeX."""
TYPESETTING = frozenset({
    "left", "right", "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "mathstrut", "boldmath",
    *(f"{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")),
})  # fmt: skip
"""Commands that say nothing; spaces apart."""
