"""Check how a run reads answers: its formats, its end tokens, and settings that are one of a few words."""

from collections.abc import Sequence

from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.limits import MAX_END_TOKEN_CHARS, MAX_END_TOKENS
from co_rewarding_schema.vocabulary import AnswerFormat


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Refuse a word that is none of those allowed.

    Raises:
        InvalidRunError: with the words to choose from.
    """
    if value not in allowed:
        raise InvalidRunError(f"{name} holds {value!r}: choose from {', '.join(allowed)}")


def check_formats(formats: Sequence[str] | None) -> None:
    """Refuse formats in which no answer could be read, and a format that is named twice.

    Raises:
        InvalidRunError: with the name that is wrong.
    """
    allowed = tuple(AnswerFormat)
    if formats is None or isinstance(formats, str):
        raise InvalidRunError(f"answer_formats is {formats!r} and no list: give a list of {', '.join(allowed)}")
    if not formats:
        raise InvalidRunError(f"answer_formats is empty, so no answer could be read: choose from {', '.join(allowed)}")
    for position, name in enumerate(formats):
        check_choice(f"answer_formats[{position}]", name, allowed)
    if len(set(formats)) < len(formats):
        raise InvalidRunError("answer_formats names a format twice: name each once, the one that decides first")


def check_end_tokens(tokens: Sequence[str]) -> None:
    """Refuse texts that would end every response, and too many.

    Raises:
        InvalidRunError: with the text that is wrong.
    """
    if isinstance(tokens, str):
        raise InvalidRunError("end_tokens is one text: give a list of texts")
    if len(tokens) > MAX_END_TOKENS:
        raise InvalidRunError(f"end_tokens holds {len(tokens)} texts: at most {MAX_END_TOKENS}")
    for position, token in enumerate(tokens):
        if not token.strip() or len(token) > MAX_END_TOKEN_CHARS:
            raise InvalidRunError(
                f"end_tokens[{position}] has {len(token)} characters: each is a text of 1 to {MAX_END_TOKEN_CHARS}, "
                "and no blank one"
            )
