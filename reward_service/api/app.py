"""Build the application: FastAPI's routes behind keys, and the hot routes beside FastAPI."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from co_rewarding_schema.problems import ProblemKind
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount, Route

from reward_service import __version__
from reward_service.api.access.guard import Guarded, RouteFinder
from reward_service.api.access.keyring import Keyring
from reward_service.api.documentation import documentation_router, serve_files
from reward_service.api.events.routes import router as events_router
from reward_service.api.http.form_reader import MAX_LISTED
from reward_service.api.http.problems import MEDIA_TYPE, Problem, away, internal, place, unreadable
from reward_service.api.paraphrases.routes import router as paraphrase_router
from reward_service.api.rewards.openapi import document
from reward_service.api.rewards.routes import HotRoutes
from reward_service.api.runs.history_routes import router as history_router
from reward_service.api.runs.routes import router
from reward_service.api.services import Services, open_services
from reward_service.api.teacher.routes import router as teacher_router
from reward_service.api.teacher.upload_routes import uploads_router
from reward_service.background import Background
from reward_service.errors import StoreUnavailableError
from reward_service.settings import Settings
from reward_service.store.run_looks import UnreadableRunError
from reward_service.telemetry import Metrics

TITLE = "Co-rewarding"
DESCRIPTION = """Rewards for reinforcement learning of language models, without labels (Co-rewarding, arXiv 2508.00410).

Send rollouts to `POST /v1/rewards` and get their rewards. A trainer with a reward URL posts to `/get_reward` (OpenRLHF)
or `/v1/remote_rm` (slime, miles). `PUT /v1/runs/{run}` says how a run is rewarded, and `GET /v1/cohorts/{cohort}` why a
rollout got its reward. A refusal is a problem document (RFC 9457): `detail` says what was wrong, where, and what to do.
"""


class ApiService:
    """The service as uvicorn runs it: an ASGI application, how to send those away who wait, and whether it failed."""

    def __init__(self, settings: Settings) -> None:
        """Composes nothing yet: the lifespan does."""
        self.metrics = metrics = Metrics()
        self.background = Background()
        self.keyring = keyring = Keyring(settings.access())

        @contextlib.asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            async with open_services(settings, metrics, self.background, keyring) as services:
                app.state.services = services
                yield

        self._api = FastAPI(
            title=TITLE,
            version=__version__,
            description=DESCRIPTION,
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
        )
        uploads, pages = uploads_router(settings, self.background), documentation_router(TITLE)
        routers = (router, history_router, events_router, teacher_router, uploads, paraphrase_router, pages)
        for each in routers:
            self._api.include_router(each)
        _answer_with_problems(self._api, routers)
        serve_files(self._api)
        document(self._api)
        own = [route for route in self._api.routes if isinstance(route, Mount | Route)]  # the others are of routers
        finder = RouteFinder([*own, *(route for each in routers for route in each.routes)])
        most_body_bytes = max(settings.max_body_bytes, settings.max_paraphrase_bytes)
        self.asgi = Guarded(self._api, finder, keyring, metrics, most_body_bytes)

    @property
    def hot(self) -> HotRoutes:
        """The hot routes, which the connections answer by themselves."""
        return self._services.hot

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, hot routes included."""
        return self._api.openapi()

    def drain(self) -> None:
        """The process stops: those who wait get a ticket, or are told to come again."""
        self._services.room.drain()
        self._services.watchers.close()

    @property
    def _services(self) -> Services:
        return self._api.state.services


def _answer_with_problems(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """What FastAPI refuses or the routes raise is a problem document too."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return _response(error)

    @app.exception_handler(StoreUnavailableError)
    async def unavailable(_: Request, error: StoreUnavailableError) -> Response:
        return _response(away(str(error), error.retry_after_s))

    @app.exception_handler(UnreadableRunError)
    async def unreadable_run(_: Request, error: UnreadableRunError) -> Response:
        return _response(unreadable(str(error)))

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> Response:
        return _response(internal())

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        listed = [
            {"where": place(tuple(each["loc"][1:])), "what": str(each["msg"]).removeprefix("Value error, ")}
            for each in found[:MAX_LISTED]
        ]
        detail = f"{listed[0]['where']}: {listed[0]['what']}. See /docs for the form."
        return _response(Problem(ProblemKind.INVALID, detail, errors=listed))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        details = {
            404: f"there is nothing at {request.url.path}: see /docs for the routes.",
            405: f"{request.url.path} does not take {request.method}.",
        }
        detail = details.get(error.status_code, str(error.detail))
        kinds = {404: ProblemKind.NO_SUCH_ROUTE, 405: ProblemKind.WRONG_METHOD}
        kind = kinds.get(error.status_code, ProblemKind.REFUSED)
        headers = {"allow": _allowed(request, routers)} if error.status_code == 405 else error.headers
        return _response(Problem(kind, detail, status=error.status_code, headers=headers))


def _allowed(request: Request, routers: Sequence[APIRouter]) -> str:
    """The methods of a path, over all of its routes."""
    routes = [route for each in routers for route in each.routes if isinstance(route, Route)]
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))


def _response(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, MEDIA_TYPE)
