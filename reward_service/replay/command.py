"""`co-rewarding score`: its options. What it does is imported when it is called, so that `--help` stays fast."""

from pathlib import Path
from typing import Annotated

import typer


def _field(option: str, what: str, *more: str) -> typer.models.OptionInfo:
    return typer.Option(option, *more, help=what, rich_help_panel="Fields (found by their usual names if not given)")


def score(
    file: Annotated[Path, typer.Argument(help="Rollouts, as JSON lines or parquet.", show_default=False)],
    method: Annotated[str, typer.Option(help="How labels are elected: a row of the table of methods.")] = (
        "majority-voting"
    ),
    out: Annotated[
        Path | None, typer.Option(help="Where the rewards go, '-' for standard output; by default FILE.rewards.jsonl.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="A service that runs; by default one is started.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")] = None,
    run: Annotated[str, typer.Option(help="The run of that service to score in.")] = "default",
    rollouts_per_request: Annotated[int, typer.Option(min=1, max=4096, help="At most; groups stay whole.")] = 1024,
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
) -> None:
    """Rewards the rollouts in a file, and says what they came to.

    A row is a rollout, or a question with a list of its rollouts.

    Each rollout gets a line of JSON: its answer or why it has none, its reward or abstention, its label.

    The name of a field may lead into an object: statistics.entropy.
    """
    from reward_service.replay.fields import FieldNames
    from reward_service.replay.scoring import Task, score_file

    names = FieldNames(
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
        plain_answers=plain_answers,
    )
    score_file(Task(file, method, names, out, url, api_key, run, rollouts_per_request))
