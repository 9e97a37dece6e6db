"""Answer the routes of people and probes: runs, cohorts, health and metrics."""

from collections.abc import Sequence
from typing import Annotated

from co_rewarding_schema.errors import DomainError
from co_rewarding_schema.limits import MAX_COUNT, MAX_ID_CHARS
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_names import (
    DEFAULT_RUN,
    OWN_RUN_NAME_PATTERN,
    RUN_NAME_PATTERN,
    check_own_run,
    check_run_name,
)
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Quarantine
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator

from reward_service import __version__
from reward_service.api.access.guard import admits, enter_run
from reward_service.api.http.problems import MEDIA_TYPE, Problem, away, no_such_run
from reward_service.api.http.requests import json_body, read_form
from reward_service.api.rewards.explanation import explain_cohort, find_cohorts
from reward_service.api.runs.history import run_document
from reward_service.api.runs.models import (
    CohortDocument,
    CohortsDocument,
    PairDocument,
    ProblemDocument,
    QuarantineDocument,
    RunDocument,
    RunForm,
    RunsDocument,
)
from reward_service.api.services import Services
from reward_service.errors import StoreUnavailableError
from reward_service.store.cohort_finder import COHORTS_CURSOR_PATTERN
from reward_service.store.runs import RUNS_CURSOR_PATTERN, CursorError

CURSOR = "That of the page before; none: the first page."
RunName = Annotated[str, AfterValidator(check_run_name)]
OwnRun = Annotated[str, AfterValidator(check_own_run)]
THE_RUN = "The name of the run."
EXAMPLES = ["qwen3-8b-math"]
RunPath = Annotated[
    RunName, Path(description=THE_RUN, json_schema_extra={"pattern": RUN_NAME_PATTERN}, examples=EXAMPLES)
]
OwnRunPath = Annotated[
    OwnRun, Path(description=THE_RUN, json_schema_extra={"pattern": OWN_RUN_NAME_PATTERN}, examples=EXAMPLES)
]
RunQuery = Annotated[
    RunName, Query(description=THE_RUN, json_schema_extra={"pattern": RUN_NAME_PATTERN}, examples=EXAMPLES)
]
QuestionPath = Annotated[
    str, Path(description="The question of the pair.", min_length=1, max_length=MAX_ID_CHARS, examples=["math/17"])
]
CohortPath = Annotated[
    str, Path(description="As a label or a reward names it.", examples=["default~5f1c0a2b9d3e4f60718293a4.0"])
]
MOST_RUNS = 500
MOST_PAIRS = 10_000
MOST_COHORTS = 100
PROBLEM = {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}}

router = APIRouter()


def services(request: Request) -> Services:
    """What the lifespan has composed."""
    return request.app.state.services


@router.put(
    "/v1/runs/{run}",
    tags=["runs"],
    responses=dict.fromkeys((400, 404, 413, 415, 422, 503), PROBLEM),
    summary="Make a run",
    openapi_extra=json_body(RunForm),
)
async def put_run(request: Request, run: OwnRunPath) -> RunDocument:
    """Makes a run, or changes its settings; the same settings again change nothing.

    The run named `<run>.evaluation` holds the evaluation of a run, and follows its settings: it is not made.
    """
    form = await read_form(request, RunForm)
    made = services(request)
    try:
        settings = RunSettings(**form.model_dump())
    except DomainError as cause:
        raise Problem(ProblemKind.INVALID, f"{cause}.") from cause
    await _enter_peers(request, run, settings.peers)
    await made.runs.put(run, settings)
    look = await made.looks.look(run, 0)
    if look is None:
        raise StoreUnavailableError(f"run {run!r} was made and is not there: Redis has failed over meanwhile")
    return run_document(look)


async def _enter_peers(request: Request, run: str, peers: Sequence[str]) -> None:
    """Let the caller into the runs that are to elect labels of a run; those that do already stay, whoever named them.

    Raises:
        Problem: 403.
    """
    admitted = admits(request)
    others = [] if admitted is None else [peer for peer in peers if not admitted(peer)]
    if others:
        known = await services(request).runs.look(run)
        for peer in others:
            if known is None or peer not in known.settings.peers:
                enter_run(request, peer)


@router.get("/v1/runs", tags=["runs"], responses={422: PROBLEM, 503: PROBLEM}, summary="The runs in use")
async def get_runs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS, description="Runs in a page.")] = 100,
    cursor: Annotated[str | None, Query(pattern=RUNS_CURSOR_PATTERN, description=CURSOR)] = None,
) -> RunsDocument:
    """The runs in use, the latest used first. Reading them is no use: a run that nobody uses is forgotten all the same.

    A run that is used between two pages moves to the front.
    """
    try:
        page = await services(request).runs.page(limit, cursor, admits(request))
    except CursorError as cause:
        raise Problem(ProblemKind.INVALID, f"cursor: {cause}.") from cause
    return RunsDocument(runs=[run_document(each) for each in page.runs], cursor=page.cursor)


@router.get("/v1/runs/{run}", tags=["runs"], responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM}, summary="One run")
async def get_run(request: Request, run: RunPath) -> RunDocument:
    """A run's settings and what it has come to."""
    made = services(request)
    look = await made.looks.look(run, 1)
    if look is None:
        raise no_such_run(run)
    absent = await made.looks.absent_peers(run, look.settings)
    return run_document(look).model_copy(update={"absent_peers": absent or None})


@router.get(
    "/v1/runs/{run}/quarantine",
    tags=["runs"],
    responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    summary="Pairs whose views keep disagreeing",
)
async def get_quarantine(
    request: Request,
    run: RunPath,
    limit: Annotated[int, Query(ge=1, le=MOST_PAIRS, description="The most pairs to list.")] = 1000,
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
    tags=["runs"],
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


@router.get(
    "/v1/cohorts",
    tags=["cohorts"],
    responses={404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    summary="The cohorts of a question",
)
async def get_cohorts(
    request: Request,
    question_id: Annotated[
        str, Query(min_length=1, max_length=MAX_ID_CHARS, description="The question.", examples=["math/17"])
    ],
    run: RunQuery = DEFAULT_RUN,
    step: Annotated[int | None, Query(ge=0, le=MAX_COUNT, description="None: of every step, and without one.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_COHORTS, description="Cohorts in a page.")] = 20,
    cursor: Annotated[str | None, Query(pattern=COHORTS_CURSOR_PATTERN, description=CURSOR)] = None,
) -> CohortsDocument:
    """Return a question's cohorts, open or settled, the latest first.

    There is one for each attempt, round and batch, and for each view where views are decided apart. Those of a batch
    are there once it is settled.
    """
    try:
        page = await find_cohorts(services(request), run, question_id, step, limit, cursor)
    except CursorError as cause:
        raise Problem(ProblemKind.INVALID, f"cursor: {cause}.") from cause
    if page is None:
        raise no_such_run(run)
    return page


@router.get("/v1/cohorts/{cohort}", tags=["cohorts"], responses={404: PROBLEM, 503: PROBLEM}, summary="Why this reward")
async def get_cohort(request: Request, cohort: CohortPath) -> CohortDocument:
    """A cohort's ballots, classes, votes and labels; also while it is open."""
    found = await explain_cohort(services(request).cohorts, cohort)
    if found is None:
        raise Problem(ProblemKind.UNKNOWN_COHORT, f"there is no cohort {cohort[:200]!r}, or it is kept no longer.")
    return found


@router.get("/health", tags=["service"], summary="Alive")
async def health() -> dict[str, str]:
    """This process answers."""
    return {"status": "alive"}


@router.get("/ready", tags=["service"], responses={503: PROBLEM}, summary="Able to serve")
async def ready(request: Request) -> dict[str, int | str]:
    """Redis takes writes, and at least one worker has been seen lately."""
    made = services(request)
    if made.room.draining:
        raise away("this process is stopping")
    try:
        await made.heartbeats.try_write()
        workers = await made.heartbeats.workers()
    except StoreUnavailableError as cause:
        raise away(str(cause), cause.retry_after_s) from cause
    if not workers:
        raise away("no worker has been seen lately: start one with `co-rewarding worker`")
    return {"status": "ready", "workers": workers}


@router.get("/metrics", tags=["service"], summary="For Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters of every process that shares this one's folder, and what waits in Redis."""
    made = services(request)
    waiting = await made.waiting_metrics()
    return Response(await made.metrics.exposed() + waiting, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/version", tags=["service"], summary="What runs here")
async def version() -> dict[str, str | list[str]]:
    """The version, and the methods of its table."""
    return {"version": __version__, "contract": "1", "methods": list(METHODS)}
