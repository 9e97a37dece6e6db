"""Answers as tests name their classes: by what they mean, where they can be meant in one way only."""

from co_rewarding_schema.vocabulary import Conventions

from reward_service.domain.answers.reading import read_answer


def key_of(answer: str, conventions: Conventions = Conventions.LENIENT) -> str:
    """The key of what an answer means first."""
    return read_answer(answer, conventions).meanings[0].key
