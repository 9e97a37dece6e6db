"""Define the values that a caller makes: rollouts, settings and questions, checked before anything is sent."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from co_rewarding_schema import rollouts, run_settings
from co_rewarding_schema.errors import DomainError, UnknownMethodError
from co_rewarding_schema.paraphrases import Paraphrase
from co_rewarding_schema.rollouts import Evidence, Label, Pending, Rewards, Statistics, Ticket, Unlabelled
from co_rewarding_schema.teaching import TeacherState, TeacherUpdate
from co_rewarding_schema.vocabulary import View, ViewText, Voter
from co_rewarding_schema.waiting import Awaited

from co_rewarding_client import arguments
from co_rewarding_client.errors import invalid

__all__ = [
    "Awaited",
    "Evidence",
    "Label",
    "Paraphrase",
    "Pending",
    "Question",
    "Rewards",
    "Rollout",
    "RunSettings",
    "Statistics",
    "TeacherState",
    "TeacherUpdate",
    "Ticket",
    "Unlabelled",
    "View",
    "Voter",
]


class Rollout(rollouts.Rollout, frozen=True, kw_only=True):
    """One response to one view of a question.

    The question is known by its `question_id` within the run or, without one, by the text of its `prompt`. Where a
    teacher votes, both are given: the teacher answers the prompt. `view` is "original" or "paraphrase". `rollout` is
    the index in the group of this question and view. Left out in a batch of whole groups, it is the order of appearance
    there. A rollout of a part that has no index is known by its call: this client may repeat the call, and the rollout
    votes once. A process that was started again is another client; where that happens, ranks number their rollouts.
    `attempt` grows when a step is done again. `ground_truth` is compared with the label. `statistics` are what the
    trainer measured, and `evidence` is what weighs the ballot. A lone surrogate, which UTF-8 cannot carry, is replaced
    by U+FFFD in any text before it is sent.

    Raises InvalidRequest if neither `question_id` nor `prompt` is given, and for a field of another type.
    """

    def __post_init__(self) -> None:
        arguments.check_text_or_none("question_id", self.question_id)
        arguments.check_text_or_none("prompt", self.prompt)
        arguments.check_choice("view", self.view, View)
        arguments.check_choice("voter", self.voter, Voter)
        arguments.check_whole_or_none("rollout", self.rollout)
        arguments.check_text("response", self.response)
        arguments.check_truth("ground_truth", self.ground_truth)
        if self.statistics is not None:
            arguments.check_instance("statistics", self.statistics, Statistics)
        if self.evidence is not None:
            arguments.check_instance("evidence", self.evidence, Evidence)
        if self.question_id is None and self.prompt is None:
            raise invalid("a rollout has a question_id or a prompt, and neither is given; give one or both")


class RunSettings(run_settings.RunSettings, frozen=True, kw_only=True):
    """The settings of a run, with the service's defaults: docs/methods.md#what-a-run-sets.

    Raises InvalidRequest for settings that no run could have, and for a field of another type.
    """

    def __post_init__(self) -> None:
        try:
            with contextlib.suppress(TypeError, AttributeError):  # of another type: told by name below
                super().__post_init__()
            values = {name: _plain(value) for name, value in msgspec.structs.asdict(self).items()}
            msgspec.convert(values, run_settings.RunSettings)
        except UnknownMethodError:
            return  # a later service may know the method; one that does not lists its methods
        except DomainError as error:
            raise invalid(str(error)) from error
        except msgspec.ValidationError as error:
            raise invalid(f"settings of a run: {error}") from error


def _plain(value: object) -> object:
    """Return a number of numpy's or torch's as Python's, and other values as they are."""
    if value is None or isinstance(value, bool | int | float | str | list | tuple):
        return cast(object, value)
    with contextlib.suppress(TypeError):
        return arguments.plain_number(value)
    return value


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One view of a question: for the teacher to answer ahead of time, or to be put in other words.

    It is told as the `prompt` that the policy is given word for word, as the bare `question`, which the service
    puts into its own prompt, or as chat `messages`, each with its "role" and "content".

    Raises InvalidRequest unless exactly one of the three is given, and for a field of another type.
    """

    question_id: str
    view: ViewText = View.ORIGINAL
    prompt: str | None = None
    question: str | None = None
    messages: Sequence[Mapping[str, str]] | None = None

    def __post_init__(self) -> None:
        arguments.check_text("question_id", self.question_id)
        arguments.check_choice("view", self.view, View)
        arguments.check_text_or_none("prompt", self.prompt)
        arguments.check_text_or_none("question", self.question)
        if self.messages is not None:
            arguments.check_listed("messages", self.messages, dict, Mapping)
        given = sum(text is not None for text in (self.prompt, self.question, self.messages))
        if given != 1:
            how = "in no way" if given == 0 else f"in {given} ways"
            raise invalid(f"question {self.question_id!r} is told {how}; give one of prompt, question and messages")
