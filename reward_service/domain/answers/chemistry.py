r"""Read chemical formulas and reactions: H2O, H_2O and \ce{H2O} are one."""

import re

_ELEMENTS = (
    "He Li Be Ne Na Mg Al Si Cl Ar Ca Sc Ti Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Zr Nb Mo Tc Ru Rh Pd Ag Cd In"
    " Sn Sb Te Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac"
    " Th Pa Np Pu Am Cm H B C N O F P S K V Y I W U"
).replace(" ", "|")
_ATOM = rf"(?:{_ELEMENTS})\d*"
_GROUP = rf"(?:{_ATOM}|\((?:{_ATOM})+\)\d*)"
_CHARGE = r"(?:\^\d*[+-])?"
_STATE = r"(?:\((?:s|l|g|aq)\))?"
_FORMULA = re.compile(rf"(?:{_GROUP})+{_CHARGE}")
_TERM = re.compile(rf"(\d*)((?:{_GROUP})+{_CHARGE}|e\^-){_STATE}")
_MIXED = re.compile(rf"(?:{_ELEMENTS}){{2,}}")
_LETTER = re.compile(r"[A-Z]")
_COUNTED = re.compile(r"[A-Z][a-z]?\d|\)\d")
_CE = re.compile(r"\\ce\s*\{(.*)\}")
_ION = re.compile(r"(?<=[A-Za-z)\d])(?<!\^\d)([+-])$")
_STYLE = re.compile(r"\\(?:text|mathrm|rm|mathbf|mathsf)\s*\{\s*([A-Za-z0-9()+]*)\s*\}")
_INDEX = re.compile(r"_\s*(?:\{\s*(\d+)\s*\}|(\d))")
_RAISED = re.compile(r"\^\s*\{\s*(\d*)\s*([+-])\s*\}|\^\s*(\d*)\s*([+-])")
_ARROW = re.compile(r"\\(?:long)?rightarrow(?![A-Za-z])|\\to(?![A-Za-z])|-+>")
_BOTH_WAYS = re.compile(r"\\rightleftharpoons(?![A-Za-z])|<=>|\\leftrightarrow(?![A-Za-z])")


def formula(text: str) -> tuple[str | None, bool]:
    """Return the key of a formula or reaction, and whether it cannot be anything else; None for other texts.

    H2O is a formula, H_2O may be a product of two names as well.
    """
    marked = _CE.fullmatch(text)
    plain = _ION.sub(r"^\1", marked[1]) if marked is not None else text
    indexed = "_" in plain
    if "\\" in plain:
        plain = _STYLE.sub(r"\1", plain)
    plain = _RAISED.sub(lambda found: f"^{found[1] or found[3] or ''}{found[2] or found[4]}", plain)
    plain = _INDEX.sub(lambda found: found[1] or found[2], plain)
    sides = _BOTH_WAYS.split(plain)
    arrow = "<=>" if len(sides) == 2 else "->"
    if len(sides) == 1:
        sides = _ARROW.split(plain)
    if len(sides) == 2:
        terms = [_terms(side) for side in sides]
        if all(terms) and any(_COUNTED.search(side) or _MIXED.search(side) for side in sides):
            return f"reaction: {terms[0]}{arrow}{terms[1]}", True
        return None, False
    found = _TERM.fullmatch("".join(plain.split()))
    if len(sides) > 2 or found is None or (marked is None and not _COUNTED.search(plain) and "^" not in plain):
        return None, False
    certain = marked is not None or (not indexed and _COUNTED.search(text) is not None and "^" not in plain)
    return f"formula: {found[0]}", certain


def _terms(side: str) -> str | None:
    """Return the terms of one side of a reaction in order; None where one is no formula."""
    terms = sorted("".join(term.split()) for term in re.split(r"(?<!\^)(?<!\^\d)\+", side))
    return "+".join(terms) if all(map(_TERM.fullmatch, terms)) else None


def keeps_its_case(word: str) -> bool:
    """Return whether capitals within a word may tell substances apart: CO and Co, NaCl."""
    return _MIXED.fullmatch(word) is not None and len(_LETTER.findall(word)) > 1
