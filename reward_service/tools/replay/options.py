"""Define the options that `score` and `replay` share; the work is imported when a command is called."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from reward_service.tools.replay.fields import FieldNames

RolloutsPath = Annotated[Path, typer.Argument(help="Rollouts, as JSON lines or parquet.", show_default=False)]


def _field(option: str, what: str, *more: str) -> typer.models.OptionInfo:
    return typer.Option(option, *more, help=what, rich_help_panel="Fields (found by their usual names if not given)")


def field_names(
    plain_answers: Annotated[
        bool, typer.Option("--plain-answers", help="The responses are answers without a box: put them into \\boxed{}.")
    ] = False,
    question_field: Annotated[
        str | None, _field("--question-field", "The question's id, or its text.", "--question-id")
    ] = None,
    response_field: Annotated[str | None, _field("--response-field", "A rollout's text; with lists, inside.")] = None,
    ground_truth_field: Annotated[str | None, _field("--ground-truth-field", "The right answer.")] = None,
    view_field: Annotated[str | None, _field("--view-field", "'original' or 'paraphrase'.")] = None,
    rollout_field: Annotated[str | None, _field("--rollout-field", "A rollout's index in its group.")] = None,
    step_field: Annotated[str | None, _field("--step-field", "The training step; steps are kept apart.")] = None,
    rollouts_field: Annotated[
        str | None, _field("--rollouts-field", "A list of a question's rollouts: strings or objects.")
    ] = None,
    paraphrase_rollouts_field: Annotated[
        str | None, _field("--paraphrase-rollouts-field", "The same for its paraphrase.")
    ] = None,
    self_certainty_field: Annotated[str | None, _field("--self-certainty-field", "A rollout's self-certainty.")] = None,
    entropy_field: Annotated[str | None, _field("--entropy-field", "A rollout's entropy.")] = None,
    verified_field: Annotated[
        str | None, _field("--verified-field", "Whether a tool verified a rollout's answer.")
    ] = None,
    confidence_field: Annotated[
        str | None, _field("--confidence-field", "How sure the policy was of a rollout's answer, from 0 to 1.")
    ] = None,
) -> "FieldNames":
    """The fields that a person named, by the options that name them."""
    from reward_service.tools.replay.fields import FieldNames

    return FieldNames(
        question=question_field,
        response=response_field,
        rollouts=rollouts_field,
        paraphrase_rollouts=paraphrase_rollouts_field,
        ground_truth=ground_truth_field,
        view=view_field,
        rollout=rollout_field,
        step=step_field,
        self_certainty=self_certainty_field,
        entropy=entropy_field,
        verified=verified_field,
        confidence=confidence_field,
        plain_answers=plain_answers,
    )


def reads_rollouts(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `field_names` after its own; it gets what they say as its parameter `names`.

    typer makes options and help from a function's signature, so the two signatures become one.
    """
    own = [each for each in inspect.signature(command).parameters.values() if each.name != "names"]
    shared = list(inspect.signature(field_names).parameters.values())

    @functools.wraps(command)
    def called(**options: Any) -> None:  # noqa: ANN401 - the options of a command
        fields = {each.name: options.pop(each.name) for each in shared}
        command(**options, names=field_names(**fields))

    called.__signature__ = inspect.Signature([*own, *shared])  # pyright: ignore[reportAttributeAccessIssue]
    called.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
    return called
