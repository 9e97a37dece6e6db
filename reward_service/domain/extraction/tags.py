"""Read what tags hold: an answer between `<answer>` and `</answer>`, and the thinking before it."""

from collections.abc import Callable, Mapping

from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from co_rewarding_schema.vocabulary import Thinking

from reward_service.domain.extraction.boxes import answer_in, bare, last_boxed
from reward_service.domain.extraction.sentences import last_said

_OPENS, _CLOSES = "<answer>", "</answer>"


def last_tagged(response: str) -> str | None:
    r"""Return what the last complete `<answer>…</answer>` holds; None where there is no answer.

    Of a text with a \boxed{}, or else with an announced answer, that answer counts; else the text without its bold
    marks, one closing period and math delimiters. What is blank, or longer than MAX_ANSWER_CHARS, is no answer. Linear
    in the response.
    """
    closes = response.rfind(_CLOSES)
    opens = response.rfind(_OPENS, 0, max(closes, 0))
    if opens < 0:
        return None
    begins = opens + len(_OPENS)
    content = response[begins : response.find(_CLOSES, begins)]
    answer = last_boxed(content) or last_said(content)
    return answer or (answer_in(bare(content)) if len(content) <= MAX_ANSWER_CHARS else None)


THINKING_TAGS: Mapping[str, str] = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis": "<|channel|>final",
}
"""What opens thinking, and what closes it: Qwen, DeepSeek and most, Seed-OSS, Magistral, Kimi, OpenThinker, gpt-oss."""


def read_of(thinking: Thinking) -> Callable[[str], str]:
    """Return a function from a response to the part of it in which an answer is looked for. Linear in the response."""
    return {Thinking.READ: _all, Thinking.IF_FINISHED: _but_unfinished, Thinking.NEVER: _behind_thinking}[thinking]


def _all(response: str) -> str:
    return response


def _but_unfinished(response: str) -> str:
    """Return the response up to thinking that is opened and not closed."""
    for opens, closes in THINKING_TAGS.items():
        begins = response.find(opens, max(0, response.rfind(closes)))
        if begins >= 0:
            response = response[:begins]
    return response


def _behind_thinking(response: str) -> str:
    """Return what stands behind the last thinking that is closed; nothing where none is.

    Many a chat template opens the thinking in the prompt, so that a response cut within it holds no tag at all.
    """
    ends = max(
        (at + len(closes) for closes in THINKING_TAGS.values() if (at := response.rfind(closes)) >= 0), default=None
    )
    return "" if ends is None else _but_unfinished(response[ends:])
