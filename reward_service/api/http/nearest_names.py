"""Which field was meant by a name that a form does not have."""

import difflib
import re
from collections.abc import Collection

_QUESTION_ID = ("question_id",)
_RESPONSE = ("response", "query", "rollouts")
_TRUTH = ("ground_truth", "label", "labels")
_GROUP_SIZE = ("n", "group_size")
_INDEX = ("rollout",)
_ROLLOUTS = ("rollouts", "questions", "query")

MEANT: dict[str, tuple[str, ...]] = {
    "question": ("question_id", "question", "questions"),
    "id": _QUESTION_ID,
    "qid": _QUESTION_ID,
    "uid": _QUESTION_ID,
    "promptid": _QUESTION_ID,
    "problemid": _QUESTION_ID,
    "questionid": _QUESTION_ID,
    "problem": ("question", "prompt", "question_id"),
    "input": ("prompt", "prompts", "question"),
    "text": ("response", "question", "content", "query"),
    "completion": _RESPONSE,
    "generation": _RESPONSE,
    "output": _RESPONSE,
    "solution": ("response", "ground_truth", "ground_truths"),
    "answer": ("ground_truth", "response", "label"),
    "completions": ("rollouts", "response", "query"),
    "generations": ("rollouts", "response", "query"),
    "outputs": ("rollouts", "response", "query"),
    "responses": ("rollouts", "response", "query"),
    "samples": _ROLLOUTS,
    "batch": _ROLLOUTS,
    "data": _ROLLOUTS,
    "items": _ROLLOUTS,
    "queries": ("query", "rollouts"),
    "label": _TRUTH,
    "labels": _TRUTH,
    "gold": _TRUTH,
    "target": _TRUTH,
    "reference": _TRUTH,
    "truth": _TRUTH,
    "n": _GROUP_SIZE,
    "group": _GROUP_SIZE,
    "numgenerations": _GROUP_SIZE,
    "nsamples": _GROUP_SIZE,
    "rolloutid": _INDEX,
    "sample": _INDEX,
    "index": _INDEX,
    "idx": _INDEX,
    "globalstep": ("step",),
    "iteration": ("step",),
    "runid": ("run",),
    "runname": ("run",),
    "timeout": ("wait_s",),
    "wait": ("wait_s",),
}
"""Names of other trainers, data sets and habits, as `_plain` writes them; the first that a form has is meant."""


def meant(name: str, known: Collection[str]) -> str | None:
    """The name among those known that was meant by another one; None where none is like it."""
    plain = {_plain(each): each for each in known}
    written = _plain(name[:100])
    if written in plain:
        return plain[written]
    for each in MEANT.get(written, ()):
        if each in known:
            return each
    near = difflib.get_close_matches(written, plain, n=1, cutoff=0.7)
    return plain[near[0]] if near else None


def unknown_field(name: str, known: Collection[str]) -> str:
    """What is said of a field that a form does not have."""
    right = meant(name, known)
    return f"unknown field; {f'did you mean {right!r}?' if right else 'known are ' + ', '.join(sorted(known))}"


def ended(text: str) -> str:
    """The text with a period, unless it ends in a mark of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
