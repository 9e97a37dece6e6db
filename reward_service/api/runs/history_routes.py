"""Answer the routes of what settlements have left: questions by their last labels, and the signs of each step."""

from typing import Annotated, Any

from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.vocabulary import QuestionSort
from fastapi import APIRouter, Query, Request

from reward_service.api.http.problems import Problem, no_such_run
from reward_service.api.rewards.explanation import run_cohorts
from reward_service.api.runs.history import QUESTIONS_CURSOR_PATTERN, list_questions, signs_document
from reward_service.api.runs.models import QuestionsDocument, RunCohortsDocument, SeriesDocument
from reward_service.api.runs.routes import CURSOR, MOST_COHORTS, PROBLEM, RunPath, services
from reward_service.store.cohort_finder import RUN_COHORTS_CURSOR_PATTERN
from reward_service.store.runs import CursorError

MOST_QUESTIONS = 500
MOST_STEPS = 1000
REFUSALS: dict[int | str, dict[str, Any]] = {404: PROBLEM, 422: PROBLEM, 503: PROBLEM}

router = APIRouter()


@router.get("/v1/runs/{run}/questions", tags=["runs"], responses=REFUSALS, summary="Questions in doubt")
async def get_questions(
    request: Request,
    run: RunPath,
    sort: Annotated[QuestionSort, Query(description="Which come first.")] = QuestionSort.FLIPS,
    limit: Annotated[int, Query(ge=1, le=MOST_QUESTIONS, description="Questions in a page.")] = 50,
    cursor: Annotated[str | None, Query(pattern=QUESTIONS_CURSOR_PATTERN, description=CURSOR)] = None,
) -> QuestionsDocument:
    """Return the questions whose last labels are kept, those first that are most in doubt: worth a human label.

    Labels are kept where the run sets `history`, and by a method with the gate `stability`. `history` of the answer
    says whether this run keeps them.
    """
    made = services(request)
    look = await made.runs.look(run)
    if look is None:
        raise no_such_run(run)
    return await list_questions(made.traces, run, look.settings, sort, limit, cursor)


@router.get("/v1/runs/{run}/series", tags=["runs"], responses=REFUSALS, summary="Signs of collapse by step")
async def get_series(
    request: Request,
    run: RunPath,
    limit: Annotated[int, Query(ge=1, le=MOST_STEPS, description="Steps, the latest ones.")] = MOST_STEPS,
) -> SeriesDocument:
    """Return what the settled groups of each step say of the policy. Rollouts without a step are in none."""
    made = services(request)
    if await made.runs.look(run) is None:
        raise no_such_run(run)
    return SeriesDocument(run=run, steps=[signs_document(point) for point in await made.traces.series(run, limit)])


@router.get("/v1/runs/{run}/cohorts", tags=["cohorts"], responses=REFUSALS, summary="All cohorts of a run")
async def get_run_cohorts(
    request: Request,
    run: RunPath,
    limit: Annotated[int, Query(ge=1, le=MOST_COHORTS, description="Cohorts in a page.")] = 20,
    cursor: Annotated[str | None, Query(pattern=RUN_COHORTS_CURSOR_PATTERN, description=CURSOR)] = None,
) -> RunCohortsDocument:
    """Return the run's cohorts that are kept, with ballots, labels and rewards, as `co-rewarding export` writes them.

    A page may be short, or empty, and not the last. Those that come while pages are read may be missing.
    """
    try:
        page = await run_cohorts(services(request), run, limit, cursor)
    except CursorError as cause:
        raise Problem(ProblemKind.INVALID, f"cursor: {cause}.") from cause
    if page is None:
        raise no_such_run(run)
    return page
