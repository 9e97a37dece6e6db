"""Define what rollouts wait for that have no reward yet, and say it in a sentence."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

NAMED = 3
"""How many things a sentence names."""

QUOTED_CHARS = 60
"""How much of a question's id, or of a refusal, a sentence quotes."""


class Lacking(StrEnum):
    """What is not there yet."""

    BALLOTS = "ballots"
    WORKER = "worker"
    UPDATE = "update"
    AVERAGE = "average"
    TEACHER = "teacher"
    GENERATION = "generation"
    PEER = "peer"
    PEER_RUN = "peer-run"


CURES: Mapping[str, str] = {
    Lacking.BALLOTS: "send their rollouts, with the same step, attempt and run",
    Lacking.WORKER: "GET /ready tells whether one is there",
    Lacking.UPDATE: "call publish(step, folder) each step",
    Lacking.TEACHER: "start one with `co-rewarding teacher`",
    Lacking.PEER: "its trainer sends the same questions in the same steps",
    Lacking.PEER_RUN: "make it with PUT /v1/runs/{run}",
}
"""What to do, where something can be done."""


class Awaited(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that rollouts wait for: ballots of a view, a worker, something of the teacher, or a peer."""

    what: Annotated[
        str,
        Meta(
            description="`ballots` of a view; a `worker` that settles what is whole; of the teacher an `update` "
            "(weights that were not published), the `average` (published weights are on their way into it), a "
            "`teacher` (no process is there), `generation` (the teacher is at work); of a `peer` its ballots, or the "
            "`peer-run`, which was not made yet.",
            examples=[Lacking.BALLOTS.value],
            extra_json_schema={"enum": [*Lacking]},
        ),
    ]
    question_id: Annotated[str | None, Meta(description="Whose cohort waits.", examples=["math/17"])] = None
    view: Annotated[str | None, Meta(description="The view that lacks ballots.", examples=["paraphrase"])] = None
    ballots: Annotated[int | None, Meta(description="Ballots that the view has.", examples=[0])] = None
    of: Annotated[int | None, Meta(description="Ballots that the view needs.", examples=[8])] = None
    labels: Annotated[
        int | None, Meta(description="Labels of the teacher that the request still waits for.", examples=[2])
    ] = None
    peer: Annotated[str | None, Meta(description="The run whose ballots are awaited.", examples=["qwen3-8b-b"])] = None
    groups: Annotated[int | None, Meta(description="Groups of the peer's that are awaited.", examples=[2])] = None
    step: Annotated[
        int | None,
        Meta(description="The step of the cohort that lacks ballots, or whose weights the labels need.", examples=[3]),
    ] = None
    newest: Annotated[
        int | None,
        Meta(description="The newest step whose weights were published; not there without one.", examples=[2]),
    ] = None
    refused: Annotated[
        str | None, Meta(description="Why published weights could not be taken.", examples=["step 3: no such file"])
    ] = None

    def __str__(self) -> str:
        """Say what is awaited, as the end of "waits for"."""
        match self.what:
            case Lacking.BALLOTS:
                count = f"{self.ballots} ballots" if self.of is None else f"{self.ballots} of {self.of} ballots"
                step = "" if self.step is None else f" in step {self.step}"
                return f"the {self.view} of {_quoted(self.question_id)}{step} ({count})"
            case Lacking.WORKER:
                return "a worker" if self.question_id is None else f"a worker to settle {_quoted(self.question_id)}"
            case Lacking.UPDATE:
                newest = "none" if self.newest is None else self.newest
                return f"the weights of step {self.step}, which were not published (newest: {newest})"
            case Lacking.AVERAGE:
                refused = "" if self.refused is None else f" (refused: {_quoted(self.refused)})"
                return f"the weights of step {self.step} to be in the teacher's average{refused}"
            case Lacking.TEACHER:
                return "a teacher, of which none was seen lately"
            case Lacking.GENERATION:
                return f"the teacher to answer ({self.labels} labels)"
            case Lacking.PEER:
                return f"the ballots of peer {_quoted(self.peer)} ({self.groups} groups)"
            case Lacking.PEER_RUN:
                return f"the ballots of peer {_quoted(self.peer)} ({self.groups} groups), a run that was not made"
            case _:  # of a later release
                return self.what


def sentence(waiting_for: Sequence[Awaited], more: int = 0) -> str:
    """Return "waits for ...: what to do"; nothing where it is not known what is awaited."""
    if not waiting_for:
        return ""
    named = [str(each) for each in waiting_for[:NAMED]]
    rest = len(waiting_for) - len(named) + more
    if rest:
        named.append(f"{rest} more")
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    cures = dict.fromkeys(CURES[each.what] for each in waiting_for if each.what in CURES)
    return f"waits for {listed}" + (f": {'; '.join(cures)}" if cures else "")


def _quoted(text: str | None) -> str:
    return repr(text if text is None or len(text) <= QUOTED_CHARS else text[:QUOTED_CHARS] + "…")
