"""A run: one training run's method, sizes and patience. Everything the service keeps is kept apart by run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS, method_named

from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.ema import alpha
from reward_service.domain.errors import InvalidRunError
from reward_service.domain.extraction import MAX_END_TOKEN_CHARS, MAX_END_TOKENS, AnswerFormat
from reward_service.domain.quarantine import Quarantine

DEFAULT_RUN = "default"
RUN_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""Run names appear in URLs, in keys and in tickets, so they are kept plain."""

_RUN_NAME = re.compile(RUN_NAME_PATTERN)
MAX_GROUP_SIZE = 4096
MAX_DEADLINE_S = 7 * 24 * 3600.0
MAX_LAG = 2**31 - 1
MAX_TEMPERATURE = 100.0
MAX_RESPONSE_TOKENS = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run is. The defaults are those of the run named `default`, which exists without being made.

    Attributes:
        group_size: G, the policy's rollouts for each view of a question.
        teacher_group_size: G̃, the teacher's rollouts for each view; None means G.
        alpha_start, alpha_end: the teacher's schedule; both 1 is a teacher that never moves.
        max_teacher_lag: how many steps the teacher's version may lie behind the rollouts that it labels.
        teacher_temperature, teacher_top_p, teacher_max_tokens: how the teacher's responses are sampled.
        cohort_deadline_s: how long a cohort waits for its last ballot, or its teacher, in seconds, from its first.
        min_votes, min_vote_share: what a label needs to be elected; less abstains.
        answer_formats: the notations that answers are read in, each an AnswerFormat; the first that finds one decides.
        end_tokens: what ends a response besides the known end-of-turn tokens.
        conventions: how generously answers are compared, one of Conventions.
        quarantine: what becomes of a pair whose views keep disagreeing, one of Quarantine.

    Raises:
        UnknownMethodError, InvalidScheduleError, InvalidRunError: a setting is out of its bounds.
    """

    method: str = DEFAULT_METHOD
    group_size: int = 8
    teacher_group_size: int | None = None
    total_steps: int = 1000
    alpha_start: float = 0.99
    alpha_end: float = 0.9999
    cohort_deadline_s: float = 840.0
    min_votes: int = 1
    min_vote_share: float = 0.0
    teacher_model: str | None = None
    max_teacher_lag: int = 0
    teacher_temperature: float = 1.0
    teacher_top_p: float = 1.0
    teacher_max_tokens: int = 3072
    answer_formats: tuple[str, ...] = (AnswerFormat.BOXED.value,)
    end_tokens: tuple[str, ...] = ()
    conventions: str = Conventions.LENIENT.value
    quarantine: str = Quarantine.OFF.value

    def __post_init__(self) -> None:
        """Refuses settings that no run could have."""
        method_named(self.method)
        alpha(0, self.total_steps, self.alpha_start, self.alpha_end)
        _within("group_size", self.group_size, 1, MAX_GROUP_SIZE)
        if self.teacher_group_size is not None:
            _within("teacher_group_size", self.teacher_group_size, 1, MAX_GROUP_SIZE)
        _within("max_teacher_lag", self.max_teacher_lag, 0, MAX_LAG)
        _within("teacher_temperature", self.teacher_temperature, 0.0, MAX_TEMPERATURE)
        _within("teacher_top_p", self.teacher_top_p, 0.001, 1.0)
        _within("teacher_max_tokens", self.teacher_max_tokens, 1, MAX_RESPONSE_TOKENS)
        _within("cohort_deadline_s", self.cohort_deadline_s, 0.001, MAX_DEADLINE_S)
        _within("min_votes", self.min_votes, 1, MAX_GROUP_SIZE)
        _within("min_vote_share", self.min_vote_share, 0.0, 1.0)
        _check_formats(self.answer_formats)
        check_end_tokens(self.end_tokens)
        _one_of("conventions", self.conventions, tuple(Conventions))
        _check_quarantine(self.quarantine, self.method)

    @property
    def frozen_teacher(self) -> bool:
        """Whether the teacher stays what it was at the start, whatever it is sent (the ablation with α = 1)."""
        return self.alpha_start == 1.0 and self.alpha_end == 1.0

    @property
    def teacher_ballots(self) -> int:
        """G̃, the teacher's responses to each view that it labels."""
        return self.teacher_group_size or self.group_size


def check_run_name(name: str) -> str:
    """The name itself, if it can name a run.

    Raises:
        InvalidRunError: it is empty, too long, or holds more than letters, digits, '.', '_' and '-'.
    """
    if not _RUN_NAME.fullmatch(name):
        raise InvalidRunError(
            "a run's name is 1 to 128 letters, digits, '.', '_' or '-', and begins with a letter or digit"
        )
    return name


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidRunError(f"{name} is {value}: it must lie between {low} and {high}")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InvalidRunError(f"{name} holds {value!r}: choose from {', '.join(allowed)}")


def _check_formats(formats: Sequence[str]) -> None:
    allowed = tuple(AnswerFormat)
    if not formats:
        raise InvalidRunError(f"answer_formats is empty, so no answer could be read: choose from {', '.join(allowed)}")
    for position, name in enumerate(formats):
        _one_of(f"answer_formats[{position}]", name, allowed)
    if len(set(formats)) < len(formats):
        raise InvalidRunError("answer_formats names a format twice: name each once, the one that decides first")


def check_end_tokens(tokens: Sequence[str]) -> None:
    """Refuses texts that would end every response, and too many.

    Raises:
        InvalidRunError: with the one that is wrong.
    """
    if len(tokens) > MAX_END_TOKENS:
        raise InvalidRunError(f"end_tokens holds {len(tokens)} texts: at most {MAX_END_TOKENS}")
    for position, token in enumerate(tokens):
        if not token.strip() or len(token) > MAX_END_TOKEN_CHARS:
            raise InvalidRunError(
                f"end_tokens[{position}] has {len(token)} characters: each is a text of 1 to {MAX_END_TOKEN_CHARS}, "
                "and no blank one"
            )


def _check_quarantine(quarantine: str, method: str) -> None:
    _one_of("quarantine", quarantine, tuple(Quarantine))
    if quarantine != Quarantine.OFF and method_named(method).apart is None:
        fitting = ", ".join(name for name, row in METHODS.items() if row.apart is not None)
        raise InvalidRunError(
            f"quarantine is {quarantine!r}, and under {method} the policy's views do not vote for each other: "
            f"leave it off, or choose {fitting}"
        )
