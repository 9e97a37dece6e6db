"""Letters and signs of other alphabets, brought to the LaTeX that models write most."""

import re
import unicodedata

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
    """The text with Unicode's mathematics as LaTeX and its digits, letters and spaces as ASCII, where they have it."""
    if text.isascii():
        return text
    text = _RAISED.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _LOWERED.sub(lambda found: "_{" + found[0].translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(_fraction, text)
    return unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)


def _fraction(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"
