"""Read the options of `co-rewarding explain`, and find the cohorts that are asked for."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from co_rewarding_client import NotFound, RewardClient, address
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.run_names import DEFAULT_RUN
from rich.console import Console

from reward_service.tools.explain.drawing import picture
from reward_service.tools.run_options import LOCAL, ApiKey, Url, check_run

MOST_COHORTS = 3
PATIENCE_S = 10.0


class ExplainError(CoRewardingError):
    """The cohort cannot be read."""


def explain(
    what: Annotated[
        str,
        typer.Argument(help="A question's id, or a cohort's id as an answer names it.", show_default=False),
    ],
    run: Annotated[str, typer.Option(help="The run of the question.", callback=check_run)] = DEFAULT_RUN,
    step: Annotated[int | None, typer.Option(min=0, help="The step; by default the latest.")] = None,
    url: Url = LOCAL,
    api_key: ApiKey = None,
) -> None:
    """Says why rollouts got their rewards: the labels of a question's cohort, and what each ballot earned.

    Of a question that came in several steps, the latest step is shown. A step has several cohorts after a repetition.
    """
    console = Console()
    try:
        at = address.parse(url, api_key).url
        with RewardClient(url, api_key=api_key, run=run, patience_s=PATIENCE_S) as client:
            if not client.ready():
                raise ExplainError(f"no service is ready at {at}: start one, or correct --url")
            for cohort in _found(client, what, run, step):
                console.print(picture(cohort, at))
    except ExplainError:
        raise
    except CoRewardingError as cause:
        raise ExplainError(f"{what}: {cause}") from cause


def _found(client: RewardClient, what: str, run: str, step: int | None) -> Sequence[Mapping[str, Any]]:
    """Return the cohort of that id, or the latest cohorts of the question of that id, whole.

    Raises:
        ExplainError: there is none; the message says where else to look.
    """
    if "~" in what:  # as in each cohort's id; a question's id may hold one too
        with contextlib.suppress(NotFound):
            return [client.cohort(what)]
    of_question = client.cohorts(what, step=step, most=MOST_COHORTS)
    if not of_question:
        raise ExplainError(_nothing(what, run, step))
    latest = of_question[0]["step"]
    return [client.cohort(each["cohort"]) for each in of_question if each["step"] == latest]


def _nothing(what: str, run: str, step: int | None) -> str:
    in_step = "" if step is None else f" in step {step}"
    return (
        f"run {run} keeps no cohort of a question {what!r}{in_step}, and no cohort has that id: name the run by --run, "
        "and the question as it was sent. Cohorts are kept for the service's retention_s, by default a day"
    )
