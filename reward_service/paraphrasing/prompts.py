"""Tell a rewriter between which markers to answer, and read the rewritten question from its response."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from reward_service.generation.generator import Message, Prompt, readable
from reward_service.paraphrasing.rewriter import RewritingError

_THINKING = ("<think>", "</think>")
_LAYERS = 4
"""As in a fence around a label before a quotation, once more than that: a bound, so that no text buys more work."""
_FENCE = re.compile(r"(`{3,})[A-Za-z]*[ \t]*\n(.*)\n[ \t]*\1", re.DOTALL)
_LABEL = re.compile(
    r"\*{0,2}#{0,4}[ \t]{0,4}(?:here(?:'s| is) )?(?:(?:the|a|my|your) )?"
    r"(?:(?:rewritten|rephrased|reworded|paraphrased|revised|new)[ \t]{1,4}(?:math[ \t]{1,4})?"
    r"(?:question|problem|version|text)|rewrite|rewritten|paraphrase)\*{0,2}[ \t]{0,4}:\*{0,2}",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "«": "»"}


@dataclass(frozen=True, slots=True)
class Markers:
    """The texts that a rewriter is told to write before and after the rewritten question.

    With `within`, the original is repeated first, and the rewritten question begins after that word.
    """

    begin: str
    end: str
    within: str | None = None


class Found(NamedTuple):
    """The text that was read of a response, and whether a marker tells that the text is the rewritten question."""

    text: str
    marked: bool


def marked_text(response: str, markers: Markers, question: str) -> Found:
    """Return the rewritten question in a response without its markers; "" for a model that is still thinking.

    A label such as "Rewritten question:" at its beginning is as good as a marker. Where the original is to be repeated
    first, only the word that follows it counts: what comes before that may be the original.

    The first begin and the end that follows it count, and either may be missing. A question that holds a marker itself
    is told apart by its text: where it is repeated, markers in it do not count, and where it holds the end marker, its
    paraphrase may, so that the last one ends it.
    """
    text = _said(response, question)
    begins = text.find(markers.begin)
    if begins >= 0:
        text = text[begins + len(markers.begin) :]
    marked = begins >= 0 or markers.end in text
    if markers.within is not None:
        marked = markers.within in text
        text = _second(text, markers.within, question.strip())
    ends = text.rfind(markers.end) if markers.end in question else text.find(markers.end)
    if ends >= 0:
        text = text[:ends]
    return Found(unwrapped(text), marked or _LABEL.match(text.lstrip()) is not None)


def unwrapped(text: str) -> str:
    """Return the text without blanks, a code fence, quotation marks or a label such as Rewrite: around all of it."""
    for _ in range(_LAYERS):
        before = text
        text = _unquoted(_unlabelled(_unfenced(text.strip())))
        if text == before:
            break
    return text


def _said(response: str, question: str) -> str:
    """Return the text behind the thought, which a chat template may have opened; "" for a thought without an end."""
    begin, end = _THINKING
    opened = response.lstrip().startswith(begin)
    _, closed, said = response.partition(end)
    if closed and (opened or end not in question):
        return said
    return "" if opened else response


def _second(text: str, within: str, question: str) -> str:
    """Return the text behind the word, behind the original where that is repeated as it was."""
    repeated = text.find(question) if question else -1
    begins = text.find(within, repeated + len(question) if repeated >= 0 else 0)
    if begins < 0:
        begins = text.find(within)
    return text if begins < 0 else text[begins + len(within) :]


def _unfenced(text: str) -> str:
    fenced = _FENCE.fullmatch(text) if text.startswith("```") else None
    return fenced[2] if fenced and "```" not in fenced[2] else text


def _unlabelled(text: str) -> str:
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def _unquoted(text: str) -> str:
    """Return the text without quotation marks around all of it: `"a" and "b"` stays."""
    closing = _QUOTES.get(text[:1])
    inside = text[1:-1]
    if closing is None or len(text) < 2 or not text.endswith(closing) or text[0] in inside or closing in inside:
        return text
    return inside


_PAPER = """\
You are given a math problem. Please rewrite it using different wording and a different real-world scenario, while \
keeping the underlying mathematical meaning and answer exactly the same.

Guidelines:
1. Do not change the math logic or the final answer.
2. Use different words and a new context to make it look like a different problem.
3. Avoid copying phrases or sentence structures from the original.
4. Make sure the rewritten question is natural, clear, and solvable.
5. Output ONLY between the following markers, and strictly in this format (no extra explanation):

### RESULT_START
ORIGINAL:
<original question>
REWRITE:
<rewritten question>
### RESULT_END
"""
"""Quoted from Co-rewarding, arXiv 2508.00410, appendix C.2."""

_OURS = Markers("<rewritten>", "</rewritten>")
_RULES = """\
Whoever answers your version must come to the same answer as whoever answers the original, so:
- Keep every number, unit and condition, and ask for the same quantity.
- Add no condition and leave none out. A "not" stays a "not", "at least" stays "at least".
- Write formulas in LaTeX as they are in the original.
- Do not solve it, and give no hint and no answer.

Write your version between <rewritten> and </rewritten>, and nothing else.

The question:
"""
_REWORD = f"""\
Say the following question in other words. Keep its setting; change how its sentences are built and the words that \
they are made of.

{_RULES}"""
_SCENARIO = f"""\
Tell the following question as a story about something else: other people, places and things, of which the same is \
true. A question without a story may be given one.

{_RULES}"""
_NOTATION = f"""\
Write the following question in another notation: other letters for its variables and functions, each changed \
wherever it stands, and formulas said in words or words as formulas where that is as clear. Change the wording too.

{_RULES}"""


@dataclass(frozen=True, slots=True)
class Instruction:
    """The instruction before the question, and the markers of the rewriter's answer."""

    text: str
    markers: Markers
    about: str


INSTRUCTIONS: Mapping[str, Instruction] = MappingProxyType({
    "paper": Instruction(
        _PAPER, Markers("### RESULT_START", "### RESULT_END", "REWRITE:"), "the paper's: other words in another setting"
    ),
    "reword": Instruction(_REWORD, _OURS, "other words in the same setting"),
    "scenario": Instruction(_SCENARIO, _OURS, "another setting, the same numbers"),
    "notation": Instruction(_NOTATION, _OURS, "other letters, formulas as words"),
})  # fmt: skip


def instruction_named(name: str) -> Instruction:
    """Return the instruction of that name.

    Raises:
        RewritingError: there is none; the message lists those there are.
    """
    try:
        return INSTRUCTIONS[name]
    except KeyError as cause:
        raise RewritingError(f"there is no prompt {name!r}; choose from {', '.join(INSTRUCTIONS)}") from cause


def rewriting_prompt(instruction: Instruction, question: str) -> Prompt:
    """Return the question behind the instruction, as it is: nothing in it is a template's field."""
    return Prompt(messages=(Message("user", f"{instruction.text}\n{readable(question).strip()}"),))
