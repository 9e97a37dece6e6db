"""Spell sums of money as a number and a unit: €5, US$5, USD 5, 5€."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_NUMBER = r"(?<![\d,.])\d[\d,]*+(?:\.\d+)?(?:\s*(?:hundred|thousand|million|billion|trillion)(?![A-Za-z]))?"
_MONEY: Mapping[str, str] = MappingProxyType(
    {"\\euro": "euro", "\\pounds": "gbp", "\\yen": "yen", "\\rupee": "rupee", "rs": "rupee", "rs.": "rupee"}
)
_DOLLARS: Mapping[str, str] = MappingProxyType(
    {
        "A": "aud", "AU": "aud", "C": "cad", "CA": "cad", "HK": "hkd", "NZ": "nzd", "S": "sgd", "SG": "sgd",
        "NT": "twd",
    }
)  # fmt: skip
_MONEY_BEFORE = re.compile(
    r"(\\(?:euro|pounds|yen|rupee)(?![A-Za-z])|(?<![A-Za-z])(?:USD|EUR|GBP|JPY|CNY|RMB|INR|CAD|AUD|HKD|CHF|Rs\.?))"
    rf"\s*({_NUMBER})"
)
_MONEY_BEHIND = re.compile(rf"({_NUMBER})\s*(\\(?:euro|pounds|yen|rupee))(?![A-Za-z])")
_NATIONAL = re.compile(rf"(?<![A-Za-z])(US|AU|CA|HK|NZ|SG|NT|A|C|S)\s*\\?\$\s*({_NUMBER})")


def with_money(text: str) -> str:
    """Return the text with each sum of money as a number and its currency in words."""
    if "$" in text:
        text = _NATIONAL.sub(_of_a_nation, text)
    signed = "\\euro" in text or "\\pounds" in text or "\\yen" in text or "\\rupee" in text
    if signed or text != text.lower():
        text = _MONEY_BEFORE.sub(lambda found: rf"{found[2]}\text{{ {_currency(found[1])}}}", text)
    if signed:
        text = _MONEY_BEHIND.sub(lambda found: rf"{found[1]}\text{{ {_currency(found[2])}}}", text)
    return text


def _currency(written: str) -> str:
    return _MONEY.get(written.strip().lower(), written.strip().lower())


def _of_a_nation(found: re.Match[str]) -> str:
    return rf"\${found[2]}" if found[1] == "US" else rf"{found[2]}\text{{ {_DOLLARS[found[1]]}}}"
