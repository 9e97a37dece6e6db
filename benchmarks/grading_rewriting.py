"""Rewrite ground truths: in other words that mean the same, and with one small thing changed.

Each rewrite is certified by its own rule, without a grader: a rule reads a ground truth by a pattern that has one
meaning, and returns None for all others.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from benchmarks.grading_pairs import Pair

Rewrite = Callable[[str, random.Random], str | None]

ITSELF = "itself"
_INTEGER = re.compile(r"-?\d{1,15}")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,9})?")
_DECIMAL = re.compile(r"-?\d{1,9}\.\d{1,9}")
_FRACTION = re.compile(r"(-?)\\frac\{(\d{1,6})\}\{(\d{1,6})\}")
_MULTIPLE = re.compile(r"([1-9]\d{0,5})(\\sqrt\{\d{1,4}\}|\\pi)")
_ROOT = re.compile(r"\\sqrt\{(\d{1,4})\}")
_PAIR = re.compile(r"\((-?\d{1,6}), ?(-?\d{1,6})\)")
_INTERVAL = re.compile(r"([(\[])(-?\d{1,6}|-\\infty), ?(-?\d{1,6}|\\infty)([)\]])")
_SET = re.compile(r"\\\{((?:-?\d{1,6}, ?)+-?\d{1,6})\\\}")
_MEASURED = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\\text\{ ?([A-Za-z/^2]+)\}")
_SCIENTIFIC = re.compile(r"(\d)\.(\d)\\times 10\^\{(\d)\}")
_NAMED = re.compile(r"([A-Za-z](?:_\d)?)=(-?\d{1,9})")
_DEGREES = re.compile(r"(\d{1,4})\^\\circ")
_PERCENT = re.compile(r"(\d{1,4})\\%")
_MONEY = re.compile(r"\\\$(\d{1,6})")
_BASED = re.compile(r"(\d{2,12})_([3-9])")
_POLYNOMIAL = re.compile(
    r"(?:[+-]?(?:\d{1,4}[a-z]\^\d|\d{1,4}[a-z]|\d{1,4}|[a-z]\^\d|[a-z]|\d{0,4}\\sqrt\{\d{1,4}\}))+"
)
_WORD = re.compile(r"\\text\{([A-Za-z]{3,})\}")
_SIGNED_TERM = re.compile(r"[+-]?[^+-]+")


def rewritten(truths: Mapping[str, Sequence[str]], per_kind: int, seed: int) -> dict[str, list[Pair]]:
    """For each set of ground truths, up to so many pairs of each kind; the same for the same seed."""
    return {name: _of_set(those, per_kind, random.Random(f"{seed} {name}")) for name, those in truths.items()}


def _of_set(truths: Sequence[str], per_kind: int, rng: random.Random) -> list[Pair]:
    pairs = [Pair(truth, truth, True, ITSELF) for truth in rng.sample(list(truths), min(per_kind, len(truths)))]
    for rules, equal, convention in ((EQUAL, True, False), (CONVENTIONS, True, True), (NEAR_MISSES, False, False)):
        for kind, rewrite in rules.items():
            shuffled = rng.sample(list(truths), len(truths))
            found = ((truth, rewrite(truth, rng)) for truth in shuffled)
            fitting = [(truth, other) for truth, other in found if other is not None and other != truth]
            pairs += [Pair(truth, other, equal, kind, convention) for truth, other in fitting[:per_kind]]
    return pairs


def _sub(pattern: re.Pattern[str], by: Callable[[re.Match[str]], str | None]) -> Rewrite:
    """A rule for ground truths that a pattern matches as a whole."""

    def rewrite(truth: str, _: random.Random) -> str | None:
        found = pattern.fullmatch(truth)
        return None if found is None else by(found)

    return rewrite


def _everywhere(before: str, *after: str) -> Rewrite:
    """A rule that writes a part otherwise wherever it stands."""
    return lambda truth, rng: truth.replace(before, rng.choice(after)) if before in truth else None


def _plain(truth: str) -> bool:
    return "\\text" not in truth and "$" not in truth and "\\begin" not in truth


def _spaced(truth: str, rng: random.Random) -> str | None:
    if not _plain(truth):
        return None
    space = rng.choice((" ", r"\,", r"\ ", "~"))
    return re.sub(r"(?<=[0-9a-z}])[+=](?=[0-9a-z\\])", lambda found: f"{space}{found[0]}{space}", truth)


def _wrapped(truth: str, rng: random.Random) -> str | None:
    if not _plain(truth) or truth.endswith("."):
        return None
    return rng.choice(("${}$", "$${}$$", "\\({}\\)", "\\[{}\\]", " {} ", "{}.")).replace("{}", truth)


def _decimal_of(found: re.Match[str]) -> str | None:
    value = Decimal(found[2]) / Decimal(found[3])
    return f"{found[1]}{value}" if value * Decimal(found[3]) == Decimal(found[2]) and len(str(value)) < 12 else None


def _grouped(truth: str, rng: random.Random) -> str | None:
    if _INTEGER.fullmatch(truth) is None or abs(int(truth)) < 1000:
        return None
    return f"{int(truth):,}".replace(",", rng.choice((",", "{,}", r"\,", r",\!")))


def _terms(truth: str) -> list[str]:
    """The signed terms of a sum that is read in one way only; none of other ground truths."""
    if _POLYNOMIAL.fullmatch(truth) is None:
        return []
    terms = _SIGNED_TERM.findall(truth)
    certain = len(terms) > 1 and "".join(terms) == truth and not re.search(r"(?<!\d)0", truth)
    return terms if certain else []


def _turned(truth: str, _: random.Random) -> str | None:
    terms = _terms(truth)
    signed = [term if term[0] in "+-" else f"+{term}" for term in reversed(terms)]
    return "".join(signed).removeprefix("+") or None


def _without_last(truth: str, _: random.Random) -> str | None:
    return "".join(_terms(truth)[:-1]) or None


def _last_sign_turned(truth: str, _: random.Random) -> str | None:
    terms = _terms(truth)
    if not terms or terms[-1][0] not in "+-":
        return None
    return "".join(terms[:-1]) + {"+": "-", "-": "+"}[terms[-1][0]] + terms[-1][1:]


def _negated(truth: str, _: random.Random) -> str | None:
    number = _NUMBER.fullmatch(truth) is not None and Decimal(truth) != 0
    if number or _FRACTION.fullmatch(truth) or _MULTIPLE.fullmatch(truth):
        return truth[1:] if truth.startswith("-") else f"-{truth}"
    return None


def _digits_swapped(truth: str, rng: random.Random) -> str | None:
    if _NUMBER.fullmatch(truth) is None:
        return None
    places = [at for at in range(len(truth) - 1) if truth[at : at + 2].isdigit() and truth[at] != truth[at + 1]]
    if not places:
        return None
    at = rng.choice(places)
    return truth[:at] + truth[at + 1] + truth[at] + truth[at + 2 :]


def _rounded(found: re.Match[str]) -> str | None:
    exact, near = Fraction(int(found[2]), int(found[3])), f"{int(found[2]) / int(found[3]):.6f}"
    return None if Fraction(near) == exact else f"{found[1]}{near}"


def _inverted(found: re.Match[str]) -> str | None:
    sign, above, below = found.groups()
    return None if int(above) in (0, int(below)) else rf"{sign}\frac{{{below}}}{{{above}}}"


def _power_raised(truth: str, _: random.Random) -> str | None:
    if not _terms(truth):
        return None
    return re.sub(r"x\^(\d)", lambda found: f"x^{int(found[1]) + 1}", truth, count=1)


def _radicand_raised(found: re.Match[str]) -> str | None:
    return None if found[2] == r"\pi" else rf"{found[1]}\sqrt{{{int(found[2][6:-1]) + 1}}}"


def _in_unicode(truth: str, _: random.Random) -> str | None:
    if _MULTIPLE.fullmatch(truth) is None and _INTEGER.fullmatch(truth) is None:
        return None
    return truth.replace(r"\pi", "π").replace("-", "−")


def _set_changed(found: re.Match[str]) -> str | None:
    members = [int(member) for member in found[1].split(",")]
    changed = [*members[:-1], max(members) + 1]
    return r"\{" + ",".join(map(str, changed)) + r"\}"


def _end_turned(found: re.Match[str]) -> str | None:
    left, low, high, right = found.groups()
    if left == "(" and right == ")":
        return None  # it may be a pair
    if low != r"-\infty":
        return f"{'[' if left == '(' else '('}{low},{high}{right}"
    return f"{left}{low},{high}{')' if right == ']' else ']'}"


def _other_unit(found: re.Match[str]) -> str | None:
    others = {
        "cm": "m",
        "m": "cm",
        "kg": "g",
        "s": "min",
        "m/s": "m/s^2",
        "m/s^2": "m/s",
        "N": "J",
        "J": "W",
        "km": "m",
    }
    return rf"{found[1]}\text{{ {others[found[2]]}}}" if found[2] in others else None


def _other_letter(truth: str, _: random.Random) -> str | None:
    return truth.replace("x", "y") if _terms(truth) and "x" in truth and "y" not in truth else None


def _other_choice(truth: str, rng: random.Random) -> str | None:
    return rng.choice([letter for letter in "ABCDE" if letter != truth]) if re.fullmatch("[A-E]", truth) else None


EQUAL: Mapping[str, Rewrite] = {
    "spaces": _spaced,
    "wrapping": _wrapped,
    "dfrac, tfrac": _everywhere(r"\frac", r"\dfrac", r"\tfrac"),
    "frac of digits": lambda truth, _: re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", truth),
    "slash": _sub(_FRACTION, lambda found: f"{found[1]}{found[2]}/{found[3]}"),
    "not reduced": _sub(_FRACTION, lambda found: rf"{found[1]}\frac{{{3 * int(found[2])}}}{{{3 * int(found[3])}}}"),
    "sign below": _sub(_FRACTION, lambda found: rf"\frac{{{found[2]}}}{{-{found[3]}}}" if found[1] else None),
    "fraction as decimal": _sub(_FRACTION, _decimal_of),
    "zeros behind": _sub(_NUMBER, lambda found: f"{found[0]}0" if "." in found[0] else f"{found[0]}.00"),
    "thousands": _grouped,
    "sum in another order": _turned,
    "product in another order": _sub(_MULTIPLE, lambda found: rf"{found[2]}\cdot {found[1]}"),
    "product with a sign": _sub(_MULTIPLE, lambda found: rf"{found[1]}\times{found[2]}"),
    "root as power": _sub(_ROOT, lambda found: rf"{found[1]}^{{1/2}}"),
    "exponent in braces": lambda truth, _: re.sub(r"([a-z])\^(\d)(?!\d)", r"\1^{\2}", truth) if _plain(truth) else None,
    "sized brackets": lambda truth, _: (
        rf"\left{truth[:-1]}\right{truth[-1]}" if _PAIR.fullmatch(truth) or _INTERVAL.fullmatch(truth) else None
    ),
    "set in another order": _sub(_SET, lambda found: r"\{" + ", ".join(reversed(found[1].split(","))) + r"\}"),
    "other brackets of a matrix": _everywhere("pmatrix", "bmatrix"),
    "unit in another font": _sub(_MEASURED, lambda found: rf"{found[1]}\,\mathrm{{{found[2]}}}"),
    "unit without a font": _sub(_MEASURED, lambda found: f"{found[1]} {found[2]}"),
    "scientific, with a dot": _sub(_SCIENTIFIC, lambda found: rf"{found[1]}.{found[2]}\cdot10^{found[3]}"),
    "scientific, with e": _sub(_SCIENTIFIC, lambda found: f"{found[1]}.{found[2]}e{found[3]}"),
    "scientific, written out": _sub(_SCIENTIFIC, lambda found: found[1] + found[2] + "0" * (int(found[3]) - 1)),
    "named": _sub(_INTEGER, lambda found: f"x={found[0]}"),
    "named with an index": _sub(_INTEGER, lambda found: f"x_{{1}}={found[0]}"),
    "index in braces": lambda truth, _: re.sub(r"([A-Za-z])_(\d)", r"\1_{\2}", truth),
    "name left out": _sub(_NAMED, lambda found: found[2]),
    "sides exchanged": _sub(_NAMED, lambda found: f"{found[2]}={found[1]}"),
    "degree sign": _sub(_DEGREES, lambda found: f"{found[1]}°"),
    "percent sign": _sub(_PERCENT, lambda found: f"{found[1]}%"),
    "base in braces": _sub(_BASED, lambda found: f"{found[1]}_{{{found[2]}}}"),
    "choice in brackets": lambda truth, _: f"({truth})" if re.fullmatch("[A-E]", truth) else None,
    "word in small letters": _sub(_WORD, lambda found: found[1].lower()),
    "Unicode": _in_unicode,
}  # fmt: skip
"""Kinds that are equal in mathematics, in either mode."""

CONVENTIONS: Mapping[str, Rewrite] = {
    "unit left out": _sub(_MEASURED, lambda found: found[1]),
    "degrees left out": _sub(_DEGREES, lambda found: found[1]),
    "percent left out": _sub(_PERCENT, lambda found: found[1]),
    "dollar left out": _sub(_MONEY, lambda found: found[1]),
    "set without braces": _sub(_SET, lambda found: found[1]),
}
"""Kinds that lenient lets pass and strict does not."""

NEAR_MISSES: Mapping[str, Rewrite] = {
    "off by one": _sub(_INTEGER, lambda found: str(int(found[0]) + 1)),
    "a zero more": _sub(_INTEGER, lambda found: f"{found[0]}0" if int(found[0]) else None),
    "negated": _negated,
    "digits swapped": _digits_swapped,
    "point moved": _sub(_DECIMAL, lambda found: str(Decimal(found[0]) / 10) if Decimal(found[0]) else None),
    "inverted": _sub(_FRACTION, _inverted),
    "rounded": _sub(_FRACTION, _rounded),
    "last sign turned": _last_sign_turned,
    "last term left out": _without_last,
    "exponent + 1": _power_raised,
    "radicand + 1": _sub(_MULTIPLE, _radicand_raised),
    "without pi": _sub(_MULTIPLE, lambda found: found[1] if found[2] == r"\pi" else None),
    "pair swapped": _sub(_PAIR, lambda found: f"({found[2]},{found[1]})" if int(found[1]) != int(found[2]) else None),
    "interval's end": _sub(_INTERVAL, _end_turned),
    "set's member": _sub(_SET, _set_changed),
    "other unit": _sub(_MEASURED, _other_unit),
    "power of ten": _sub(_SCIENTIFIC, lambda found: rf"{found[1]}.{found[2]}\times 10^{{{int(found[3]) + 1}}}"),
    "other name": _sub(_NAMED, lambda found: f"q={found[2]}"),
    "other base": _sub(_BASED, lambda found: f"{found[1]}_{int(found[2]) + 1}"),
    "base left out": _sub(_BASED, lambda found: found[1]),
    "other letter": _other_letter,
    "other choice": _other_choice,
}  # fmt: skip
"""Kinds that are different in either mode."""
