"""Read answers that are written with digits and are no arithmetic: dates, times of day, ranges, scores, versions."""

import re

from reward_service.domain.answers.units import are_units, is_thing, says_what, unit_key

_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_MONTH_FIRST = re.compile(rf"{_MONTH}\s+{_DAY}(?:\s*,?\s+(\d{{4}}))?", re.IGNORECASE)
_DAY_FIRST = re.compile(rf"(?:the\s+)?{_DAY}[\s-]+(?:of\s+)?{_MONTH}(?:\s*,?[\s-]+(\d{{4}}))?", re.IGNORECASE)
_MONTH_ALONE = re.compile(rf"{_MONTH}\s*,?\s+(\d{{4}})", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_ENDS_IN_YEAR = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|(?<!\.)\d{2})")
_TIME = re.compile(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?\s*([ap])\.?\s*m\b\.?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?(?:\s*(?:hrs?|hours?|h))?")
_AMOUNT = (
    r"(?:\\?\$\s*+)?+(?:\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?+|\.\d++)"
    r"(?:\s*+(?:\\?%|\^\s*\{\s*\\circ\s*\}|\^\s*\\circ|\\degree\s?))?"
)
_ITEM = rf"{_AMOUNT}(?:\s*+(?:--?|\\text\{{\s*--?\s*\}})\s*+{_AMOUNT})*+"
_RANGES = re.compile(rf"({_ITEM}(?:\s*+[,;]\s*+{_ITEM})*+)\s*+(?:\\text\{{([^{{}}]*)\}}|([A-Za-z][A-Za-z ]+))?")
_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+){2,})")
_QUOTIENTS = re.compile(r"\d+(?:\s*/\s*\d+){2,}")
_TELEPHONE = re.compile(r"(?:\+?\d{1,3}[ -]?)?(?:\(\d{3}\)|\d{3})[ -]?\d{3}-\d{4}")
_TEXT = re.compile(r"\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}|\\[ ,;!]|~")
_HAS_MONTH = re.compile(r"[jfmasondJFMASOND](?:an|eb|ar|pr|ay|un|ul|ug|ep|ct|ov|ec)", re.IGNORECASE)


def written(text: str) -> str | None:
    """Return the key of an answer that is no arithmetic, though it is made of digits and signs; None for others."""
    if "-" in text and (ranges := _ranges(text)) is not None:
        return _date(text) or ranges
    if "\\" in text:
        if not ("\\text" in text or "\\mathrm" in text or "\\," in text or "\\ " in text):
            return None
        text = _TEXT.sub(lambda found: found[1] or " ", text).strip()
        if "\\" in text:
            return None
    return _date(text) or _time(text) or _numbered(text)


def clock(text: str) -> str | None:
    """Return the time of day that 15:30 may be, beside a ratio; None for what is none, or may be in the evening too."""
    found = _CLOCK.fullmatch(text)
    if found is None or not (int(found[1]) > 12 or found[1][0] == "0") or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return _time_key(int(found[1]), found[2], found[3])


def _date(text: str) -> str | None:
    if found := _ISO.fullmatch(text):
        return _day_key(found[1], int(found[3]), int(found[4])) or f"date: {text}"
    if found := _ENDS_IN_YEAR.fullmatch(text):
        first, other = int(found[1]), int(found[3])
        if len(found[4]) == 4 and (first > 12) != (other > 12):
            key = _day_key(found[4], *((other, first) if first > 12 else (first, other)))
            if key is not None:
                return key
        return f"date: {first} {other} {found[4]}"
    if not _HAS_MONTH.search(text):
        return None
    if found := _MONTH_FIRST.fullmatch(text):
        return _day_key(found[3] or "", _month(found[1]), int(found[2]))
    if found := _DAY_FIRST.fullmatch(text):
        return _day_key(found[3] or "", _month(found[2]), int(found[1]))
    if found := _MONTH_ALONE.fullmatch(text):
        return f"date: {found[2]}-{_month(found[1])}"
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) // 3 + 1


def _day_key(year: str, month: int, day: int) -> str | None:
    return f"date: {year}-{month}-{day}" if 1 <= month <= 12 and 1 <= day <= 31 else None


def _time(text: str) -> str | None:
    if text.lower() in ("noon", "midnight"):
        return _time_key(12 if text.lower() == "noon" else 0, "00", None)
    found = _TIME.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 12 or int(found[2] or 0) > 59:
        return None
    hour = int(found[1]) % 12 + 12 * (found[4].lower() == "p")
    return _time_key(hour, found[2] or "00", found[3])


def _time_key(hour: int, minutes: str, seconds: str | None) -> str:
    return f"time: {hour}:{minutes}" + (f":{seconds}" if seconds and seconds != "00" else "")


def _ranges(text: str) -> str | None:
    """Return the key of 3-2, and of 5-10 minutes: a score or a range, or a difference that nobody computed."""
    found = _RANGES.fullmatch(text)
    if found is None or "-" not in found[1]:
        return None
    unit = (found[2] or found[3] or "").strip()
    if unit and not (says_what(unit) and (found[2] or are_units(unit) or all(map(is_thing, unit.split())))):
        return None
    amounts = _TEXT.sub(r"\1", found[1]).replace("\\", "").replace("--", "-")
    return f"range: {''.join(amounts.split())} {unit_key(unit)}".rstrip()


def _numbered(text: str) -> str | None:
    if found := _VERSION.fullmatch(text):
        return f"version: {found[1]}"
    if _QUOTIENTS.fullmatch(text):
        return "written: " + "".join(text.split())
    return "telephone: " + "".join(filter(str.isdigit, text)) if _TELEPHONE.fullmatch(text) else None
