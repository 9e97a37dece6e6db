"""What a rewriter is told, by name. A new instruction is a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reward_service.generation.asking import readable
from reward_service.generation.generator import Message, Prompt
from reward_service.paraphrasing.errors import RewritingError
from reward_service.paraphrasing.response_parser import Markers

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
    """What a rewriter is told before the question, and between which markers it answers."""

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
    """The instruction of that name.

    Raises:
        RewritingError: there is none; the message lists those there are.
    """
    try:
        return INSTRUCTIONS[name]
    except KeyError as cause:
        raise RewritingError(f"there is no prompt {name!r}; choose from {', '.join(INSTRUCTIONS)}") from cause


def rewriting_prompt(instruction: Instruction, question: str) -> Prompt:
    """The question behind the instruction, as it is: nothing in it is a template's field."""
    return Prompt(messages=(Message("user", f"{instruction.text}\n{readable(question).strip()}"),))
