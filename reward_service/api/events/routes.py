"""Answer the routes of events: what changes in a run, or in the list of runs, as it changes."""

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from reward_service.api.access.guard import admits
from reward_service.api.events.models import RunEventsDocument, RunsEventsDocument
from reward_service.api.http.problems import no_such_run
from reward_service.api.runs.routes import PROBLEM, RunPath, services

LastEventId = Annotated[
    str | None, Header(max_length=64, description="The id of the last event that came: what has changed since is told.")
]
PIECE_S = 10.0
"""How long a piece may take to be sent: while it is, all that its viewer is told stays in memory."""

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

router = APIRouter(tags=["events"])


class EventStream(StreamingResponse):
    """A stream whose generator is closed with it, also when its viewer has left while it was being written to."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        """Write until either side ends it."""

        async def sent(message: Message) -> None:
            async with asyncio.timeout(PIECE_S):
                await send(message)

        async with contextlib.aclosing(self.body_iterator):  # type: ignore[type-var] - a generator of ours
            with contextlib.suppress(TimeoutError):  # it reads too slowly for what it holds: it comes again
                await super().stream_response(sent)


@router.get(
    "/v1/events",
    responses={200: {"model": RunsEventsDocument}, 503: PROBLEM},
    response_class=EventStream,
    summary="The runs in use, live",
)
async def get_events(request: Request, last_event_id: LastEventId = None) -> EventStream:
    """Tell of the runs in use, the latest used first, and then of those that change.

    The data of each event is an array. `fresh` says that all before is void. `runs` tells of runs, `trouble` whether
    the store can be read. `seen` closes what belongs together, and bears the id. Without news, a comment comes every
    15 s.
    """
    watchers = services(request).watchers
    watchers.admit()
    return EventStream(watchers.told_of_runs(last_event_id, admits(request)), headers=HEADERS)


@router.get(
    "/v1/runs/{run}/events",
    responses={200: {"model": RunEventsDocument}, 404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    response_class=EventStream,
    summary="One run, live",
)
async def get_run_events(request: Request, run: RunPath, last_event_id: LastEventId = None) -> EventStream:
    """Tell of a run and the signs of its latest 1,000 steps, and then of what changes.

    `fresh`, `trouble`, `seen` and comments are as in `GET /v1/events`. `run` tells of the run, `steps` of signs as in
    `GET /v1/runs/{run}/series`: those that came before of the same step and attempt are replaced.
    """
    made = services(request)
    if await made.looks.look(run, 0) is None:
        raise no_such_run(run)
    made.watchers.admit()
    return EventStream(made.watchers.told_of(run, last_event_id), headers=HEADERS)
