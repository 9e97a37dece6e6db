"""Turn a teacher's question into a prompt for a generator."""

from reward_service.domain.runs import RunSettings
from reward_service.generation.generator import Message, Prompt, Sampling, question_prompt
from reward_service.store.records import TeacherPrompt


def prompt_of(asked: TeacherPrompt) -> Prompt:
    """The prompt: text and messages as they were sent, a bare question behind the paper's system prompt."""
    if asked.text is not None:
        return Prompt(text=asked.text)
    if asked.messages:
        return Prompt(messages=tuple(Message(role, content) for role, content in asked.messages))
    return question_prompt(asked.question or "")


def sampling_of(settings: RunSettings, seed: int) -> Sampling:
    """How a run's teacher draws its G̃ ballots of one view."""
    return Sampling(
        n=settings.teacher_ballots,
        temperature=settings.teacher_temperature,
        top_p=settings.teacher_top_p,
        max_tokens=settings.teacher_max_tokens,
        seed=seed,
    )
