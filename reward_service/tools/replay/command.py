"""Read the options of `co-rewarding score` and `co-rewarding replay`.

What the commands do is imported when they are called, so that `--help` stays fast.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from co_rewarding_schema.methods import WITHIN_A_VIEW
from co_rewarding_schema.vocabulary import AnswerFormat, Conventions, Thinking

from reward_service.tools.replay.graders import GRADERS, REFERENCE
from reward_service.tools.replay.options import RolloutsPath, reads_rollouts

if TYPE_CHECKING:
    from reward_service.tools.replay.fields import FieldNames


@reads_rollouts
def score(
    file: RolloutsPath,
    names: "FieldNames",
    method: Annotated[str, typer.Option(help="How labels are elected: a row of the table of methods.")] = WITHIN_A_VIEW,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the rewards go, '-' for standard output; by default FILE.rewards.jsonl in the current folder."
        ),
    ] = None,
    url: Annotated[str | None, typer.Option(help="A service that runs; by default one is started.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Its key.", envvar="CO_REWARDING_API_KEY")] = None,
    run: Annotated[str, typer.Option(help="The run of that service to score in.")] = "default",
    rollouts_per_request: Annotated[int, typer.Option(min=1, max=4096, help="At most; groups stay whole.")] = 1024,
) -> None:
    """Rewards the rollouts in a file, and says what they came to.

    A row is a rollout, or a question with a list of its rollouts.

    Each rollout gets a line of JSON: its answer or why it has none, its reward or abstention, its label.

    The name of a field may lead into an object: statistics.entropy.
    """
    from reward_service.tools.replay.scoring import Task, score_file

    score_file(Task(file, method, names, out, url, api_key, run, rollouts_per_request))


@reads_rollouts
def replay(
    names: "FieldNames",
    file: Annotated[
        Path | None,
        typer.Argument(help="Rollouts of the policy, as JSON lines or parquet; or --view.", show_default=False),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help=f"How labels are elected (repeat the option); by default {WITHIN_A_VIEW}. 'all': every row of the "
            "table of methods that the files can serve.",
            show_default=False,
        ),
    ] = None,
    view: Annotated[
        list[str] | None,
        typer.Option(metavar="VIEW=FILE", help="The policy's rollouts of one view, in place of FILE (once a view)."),
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(metavar="[VIEW=]FILE", help="A teacher's rollouts of the same questions (repeat the option)."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="[VIEW=]FILE", help="Rollouts of a peer run's policy (repeat the option)."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the run, as entropy_high=1.5 (repeat)."),
    ] = None,
    grader: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Which answers are equal (repeat the option): {', '.join(GRADERS)}; by default --conventions says.",
            show_default=False,
        ),
    ] = None,
    answer_format: Annotated[
        list[AnswerFormat] | None,
        typer.Option(help="Where a response holds its answer, the first that is found; by default boxed."),
    ] = None,
    end_token: Annotated[
        list[str] | None,
        typer.Option(help="What ends a response besides the known end-of-turn tokens (repeat the option)."),
    ] = None,
    thinking: Annotated[
        Thinking, typer.Option(help="Whether an answer is looked for in the policy's thinking.")
    ] = Thinking.READ,
    conventions: Annotated[
        Conventions | None,
        typer.Option(help="The service's own grader, lenient (the default) or strict; not with --grader."),
    ] = None,
    reference: Annotated[
        str, typer.Option(help="The grader that judges every column's labels, so that they can be compared.")
    ] = REFERENCE,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Where the figures go as JSON, '-' for standard output.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Where the tables go as Markdown.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where a picture of the figures goes, as PNG or SVG.")] = None,
) -> None:
    """Compares methods and graders on recorded rollouts: the labels and rewards that training would have seen.

    Nothing is started or sent: labels and rewards come from the rules of the service, in this process.

    A row is a rollout, or a question with a list of its rollouts.

    The name of a field may lead into an object: statistics.entropy.
    """
    from reward_service.tools.replay.replaying import ReplayRequest, replay_file

    request = ReplayRequest(
        file=file,
        names=names,
        methods=method or [WITHIN_A_VIEW],
        graders=grader or [],
        formats=answer_format or [],
        end_tokens=end_token or [],
        thinking=thinking,
        conventions=conventions,
        reference=reference,
        json_out=json_out,
        markdown_out=markdown,
        picture_out=picture,
        views=view or [],
        teachers=teacher or [],
        peers=peer or [],
        settings=settings or [],
    )
    replay_file(request)
