"""The answer in the last sentence that says so: "the answer is 4", "the final answer is 4", "Final Answer: 4"."""

import re

from reward_service.domain.extraction.boxes import last_boxed
from reward_service.domain.extraction.content import MAX_ANSWER_CHARS, answer_in, bare

_WORDS = ("nswer", "NSWER")  # answer, Answer and ANSWER, without a lower-case copy of the response
_LEAD = re.compile(r"(?<![a-z])(?:final|the)\s{1,4}a\Z", re.IGNORECASE)
_LEAD_CHARS = 12
_SAYS = re.compile(r"(?:\*\*)?+\s*+(?:is(?![a-z])|:)\s*+:?+(?:\*\*(?=\s))?+\s*+", re.IGNORECASE)
_MATH = re.compile(
    r"\$\$.*?\$\$|\$(?!\$)(?:[^$\\\n]|\\[^\n])*+\$|\\\([^\n]*?\\\)|\\\[.*?\\\]", re.DOTALL
)  # what is displayed may hold line breaks; a dollar that its line does not close is a price
_FORMULA_ENDS_SENTENCE = re.compile(r"\.\s*+(?:\$\$?|\\[)\]])\Z")
_STOP = re.compile(r"\n|\.(?=(?:\*\*)?(?:\s|\Z))")
_MARKUP_CHARS = 16


def last_said(response: str) -> str | None:
    r"""What the last "(the) final answer is", "the answer is" or "final answer:" says; None where there is no answer.

    It ends with its line or sentence, a formula that it begins with included; its bold marks, closing period and math
    delimiters go, and of a sentence with a \boxed{} the content counts. A phrase that nothing follows is passed over.
    What is longer than MAX_ANSWER_CHARS is no answer. Linear in the response: each phrase looks at a bounded window
    and at the blanks up to its own answer.
    """
    found = [response.rfind(word) for word in _WORDS]
    while (at := max(found)) >= 0:
        if _LEAD.search(response[max(0, at - _LEAD_CHARS) : at]):
            says = _SAYS.match(response, at + len(_WORDS[0]))
            content = "" if says is None else _sentence(response, says.end())
            if len(content) > MAX_ANSWER_CHARS:
                return None
            answer = answer_in(bare(content))
            if answer is not None:
                return last_boxed(content) or answer
        which = found.index(at)
        found[which] = response.rfind(_WORDS[which], 0, at)
    return None


def _sentence(text: str, start: int) -> str:
    """From `start` to the end of the line or sentence; more than MAX_ANSWER_CHARS characters where that is too far."""
    limit = start + MAX_ANSWER_CHARS + _MARKUP_CHARS
    formula = _MATH.match(text, start, limit)
    if formula is not None and _FORMULA_ENDS_SENTENCE.search(formula[0]):
        return formula[0]
    stop = _STOP.search(text, start if formula is None else formula.end(), limit)
    return text[start : limit if stop is None else stop.end()]
