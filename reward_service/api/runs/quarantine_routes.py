"""What a run holds against its pairs: the quarantine, and how a pair leaves it by hand."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from co_rewarding_schema.forms import StructForm

from co_rewarding_schema.problems import ProblemKind
from reward_service.api.http.problems import Problem, no_such_run
from co_rewarding_schema.rollouts import QuestionId
from reward_service.api.runs.routes import PROBLEM, RunPath, services
from co_rewarding_schema.limits import (MAX_ID_CHARS)
from co_rewarding_schema.vocabulary import (Quarantine)

MOST_LISTED = 10_000

QuestionPath = Annotated[str, Path(min_length=1, max_length=MAX_ID_CHARS, examples=["math/17"])]
router = APIRouter(tags=["runs"])


class PairDocument(StructForm):
    """A pair in quarantine."""

    question_id: QuestionId
    seen: int = Field(description="How often both views were labelled firmly.", examples=[12])
    disagreed: int = Field(description="How often the labels were different answers.", examples=[9])
    evidence: float = Field(
        description="Against the pair, in nats: ln of the odds that it is a bad one.", examples=[4.2]
    )


class QuarantineDocument(StructForm):
    """The state of a run's watch."""

    run: str = Field(description="The training run.", examples=["qwen3-8b-math"])
    quarantine: Quarantine = Field(description="What becomes of such pairs in the run.", examples=["own-view"])
    pairs_seen: int = Field(description="Pairs whose two views were labelled firmly at least once.", examples=[1024])
    pairs_quarantined: int = Field(description="Pairs in quarantine, listed or not.", examples=[3])
    others_disagree: float = Field(
        description="How often the views of pairs disagree that nothing is held against.", examples=[0.08]
    )
    pairs: list[PairDocument] = Field(description="Those in quarantine, the most certain first.")


@router.get(
    "/v1/runs/{run}/quarantine",
    responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    summary="Pairs whose views keep disagreeing",
)
async def get_quarantine(
    request: Request, run: RunPath, limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 1000
) -> QuarantineDocument:
    """The pairs that are taken for bad ones: their questions want another paraphrase."""
    made = services(request)
    revised = await made.runs.look(run)
    if revised is None:
        raise no_such_run(run)
    suspects = await made.pairs.suspects(run, limit)
    pairs = [
        PairDocument(question_id=question, seen=each.seen, disagreed=each.disagreed, evidence=each.evidence)
        for question, each in suspects.records.items()
    ]
    return QuarantineDocument(
        run=run,
        quarantine=Quarantine(revised.settings.quarantine),
        pairs_seen=suspects.seen,
        pairs_quarantined=suspects.quarantined,
        others_disagree=suspects.base.rate(made.pairs.watch),
        pairs=pairs,
    )


@router.delete(
    "/v1/runs/{run}/quarantine/{question_id:path}",
    status_code=204,
    response_class=Response,
    responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    summary="A pair has another paraphrase",
)
async def release(request: Request, run: RunPath, question_id: QuestionPath) -> None:
    """Forgets what was seen of a pair: it is as new, in cross-voting again."""
    made = services(request)
    if await made.runs.look(run) is None:
        raise no_such_run(run)
    if not await made.pairs.forget(run, question_id):
        raise Problem(ProblemKind.UNKNOWN_PAIR, f"nothing was seen of a pair {question_id!r} in run {run}.")
