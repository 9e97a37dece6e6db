"""A bare question as a model is asked it: behind the paper's system prompt."""

from reward_service.generation.generator import Message, Prompt

SYSTEM_PROMPT = "Let's think step by step and output the final answer within \\boxed{}."
"""The paper's (arXiv 2508.00410, Table 5), for questions that come without a template."""


def question_prompt(question: str) -> Prompt:
    """What asks for an answer in a box."""
    return Prompt(messages=(Message("system", SYSTEM_PROMPT), Message("user", readable(question))))


def readable(text: str) -> str:
    """Lone surrogates, which JSON may hold and no model reads, as question marks."""
    return text.encode(errors="replace").decode()
