r"""Extract answers that a sentence or a line announces: "the answer is", `Answer:`, 答案是.

Every announcement looks at a window that ends where the one behind it begins, and no pattern gives back what it has
taken, so the time is linear in the response.
"""

import re
from collections.abc import Iterator

from co_rewarding_schema.limits import MAX_ANSWER_CHARS

from reward_service.domain.extraction.boxes import answer_in, bare, last_boxed

_WORDS = ("nswer", "NSWER")  # answer, Answer and ANSWER, without a lower-case copy of the response
_CHINESE = "答案"

_LEAD = re.compile(r"(?<![a-z])(?:final|the|correct)\s{1,4}a\Z", re.IGNORECASE)
_LEAD_CHARS = 16
_SUPPOSED = re.compile(
    r"(?:\b(?:if|whether|unless|suppose|supposing|assume|assuming|imagine|not)(?:\s{1,4}that)?\s{1,4}(?:the\s{1,4})?"
    r"|如果|假设|假如|若)(?:(?:正确|最终)的?)?\Z",
    re.IGNORECASE,
)
_SUPPOSED_CHARS = 32
_LINE_BEGINS = re.compile(r"[ \t>#*_-]{0,16}+(?:(?:the|my|final|correct)[ \t]{1,4}+){0,2}+a", re.IGNORECASE)
_LINE_CHARS = 48

_SAYS = re.compile(r"(?:\*\*)?+\s*+(?:is(?![a-z])|[:：])\s*+[:：]?+(?:\*\*(?=\s))?+\s*+", re.IGNORECASE)
_COLON = re.compile(r"(?:\*\*)?+[ \t]*+[:：](?:\*\*(?=\s))?+\s*+")
_CHINESE_SAYS = re.compile(r"\s*+(?:应该|应当|应|就)?+(?:[是为](?![否不])\s*+[:：]?+|[:：])\s*+")
_ABOUT = re.compile(r",?\s++(?:to|for|of|in|as|when|after|rounded|expressed|given|written)\s", re.IGNORECASE)
_ABOUT_CHARS = 100
_ABOUT_ENDS = re.compile(r"[.\n:?=$\\]")
_ABOUT_SAYS = re.compile(r"\s(?:is|are)\b", re.IGNORECASE)
_COLON_AND_BLANKS = re.compile(r"\s*+[:：]?+(?:\*\*(?=\s))?+\s*+")
_ASKS = re.compile(r"\b(?:what|how|why|where|which|whether|who|when)\b", re.IGNORECASE)

_NO_ANSWER = re.compile(
    r"(?:\*\*|\s)*+(?:(?:not|neither|unclear|unknown|undetermined|wrong|incorrect|let'?s|let us|we|because|since|if)\b"
    r"|不|未知|什么|多少|哪|错)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"(?:(?<=\S)\s(?=because|since)|[,;]\s{1,4}+)(?:because|since|as|so|which|hence|thus|therefore|and\s(?:we|this|so))\b"
    r"|\s?\((?:because|since|as)\s|，\s?(?:因为|由于|所以|因此|故|即)",
    re.IGNORECASE,
)

_MATH = re.compile(
    r"\$\$.*?\$\$|\$(?!\$)(?:[^$\\\n]|\\[^\n])*+\$|\\\([^\n]*?\\\)|\\\[.*?\\\]", re.DOTALL
)  # what is displayed may hold line breaks; a dollar that its line does not close is a price
_FORMULA_ENDS_SENTENCE = re.compile(r"\.\s*+(?:\$\$?|\\[)\]])\Z")
_STOP = re.compile(r"\n|\.(?=(?:\*\*)?(?:\s|\Z))|[。；！]")
_MARKUP_CHARS = 16

MOST_PLACES = 4_096
"""Places of the word "answer" that are looked at, from the end: more stand in no response that means to answer."""


def last_said(response: str) -> str | None:
    r"""Return what the last "the answer is", "final answer:" or 答案是 says; None where nothing.

    The announcement may tell what is answered ("the final answer to the problem is"). The answer ends with its line or
    sentence, a formula that it begins with included, or at a clause that gives a reason (", since"). Its bold marks,
    closing period and math delimiters go, and of a sentence with a \boxed{} the content counts. An announcement that
    nothing follows, that is denied ("is not 5"), asked ("is 5?") or supposed ("if the answer is 5") is passed over.
    What is longer than MAX_ANSWER_CHARS is no answer. Linear in the response.
    """
    behind = len(response)
    for at, word in _backwards(response, (*_WORDS, _CHINESE)):
        begins = _said_from(response, at, word, behind)
        if begins is not None:
            found, answer = _announced(response, begins, behind)
            if found:
                return answer
        behind = at
    return None


def last_answer_line(response: str) -> str | None:
    """Return what the last line that begins with `Answer:` says; None where nothing. The rules are `last_said`'s.

    Headings, bold marks, quotation and list marks may stand before it, and `The`, `My`, `Final` or `Correct`.
    """
    behind = len(response)
    for at, word in _backwards(response, _WORDS):
        begins = response.rfind("\n", max(0, at - _LINE_CHARS), at) + 1
        if at - begins <= _LINE_CHARS and _LINE_BEGINS.fullmatch(response, begins, at) is not None:
            says = _COLON.match(response, at + len(word), behind)
            if says is not None:
                found, answer = _announced(response, says.end(), behind)
                if found:
                    return answer
        behind = at
    return None


def _backwards(response: str, words: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield where the words stand, from the end of the response, MOST_PLACES at most."""
    found = [response.rfind(word) for word in words]
    for _ in range(MOST_PLACES):
        at = max(found)
        if at < 0:
            return
        which = found.index(at)
        yield at, words[which]
        found[which] = response.rfind(words[which], 0, at)


def _said_from(response: str, at: int, word: str, behind: int) -> int | None:
    """Return where the answer begins that the word at `at` announces; None where it announces none."""
    chinese = word == _CHINESE
    before = response[max(0, at - _LEAD_CHARS) : at]
    lead = None if chinese else _LEAD.search(before)
    if lead is None and not chinese:
        return None
    starts = at if lead is None else at - len(before) + lead.start()
    if _SUPPOSED.search(response[max(0, starts - _SUPPOSED_CHARS) : starts]) is not None:
        return None
    ends = at + len(word)
    says = (_CHINESE_SAYS if chinese else _SAYS).match(response, ends, behind)
    if says is not None:
        return says.end()
    return None if chinese else _said_of(response, ends, behind)


def _said_of(response: str, ends: int, behind: int) -> int | None:
    """Return where the answer begins in "the final answer to the problem is 5"."""
    if _ABOUT.match(response, ends, behind) is None:
        return None
    limit = min(behind, ends + _ABOUT_CHARS)
    stop = _ABOUT_ENDS.search(response, ends, limit)
    says = _ABOUT_SAYS.search(response, ends, limit if stop is None else stop.start())
    if says is None or _ASKS.search(response, ends, says.start()) is not None:
        return None
    blanks = _COLON_AND_BLANKS.match(response, says.end(), behind)
    return says.end() if blanks is None else blanks.end()


def _announced(response: str, start: int, behind: int) -> tuple[bool, str | None]:
    """Return whether an answer is announced from `start`, and the answer, None where it is too long."""
    if _NO_ANSWER.match(response, start, behind) is not None:
        return False, None
    content = _sentence(response, start, behind)
    if len(content) > MAX_ANSWER_CHARS:
        return True, None
    if "?" in content or "？" in content:
        return False, None
    boxed = last_boxed(content)
    answer = boxed or answer_in(bare(_without_clause(content)))
    return answer is not None, answer


def _without_clause(content: str) -> str:
    """Return the content up to the clause that gives a reason, if something stands before it."""
    formula = _MATH.match(content)
    clause = _CLAUSE.search(content, 0 if formula is None else formula.end())
    kept = content if clause is None else content[: clause.start()]
    return kept if kept.strip() else content


def _sentence(text: str, start: int, behind: int) -> str:
    """Return the text from `start` to the end of its line or sentence; more than MAX_ANSWER_CHARS if it is far."""
    limit = min(start + MAX_ANSWER_CHARS + _MARKUP_CHARS, behind)
    formula = _MATH.match(text, start, limit)
    if formula is not None and _FORMULA_ENDS_SENTENCE.search(formula[0]):
        return formula[0]
    stop = _STOP.search(text, start if formula is None else formula.end(), limit)
    return text[start : limit if stop is None else stop.end()]
