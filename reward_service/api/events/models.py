"""Define what events tell of runs."""

from co_rewarding_schema.forms import StructForm
from co_rewarding_schema.methods import DEFAULT_METHOD
from pydantic import ConfigDict, Field

from reward_service.api.runs.models import RunDocument, SignsDocument
from reward_service.domain.attention import Concern

CONCERNS = "Why the run needs a look, the most urgent first: docs/dashboard.md."
RATE = (
    "Rollouts settled in a second, over the last looks; null until there were two. Those without a step do not count."
)


class RecentDocument(StructForm):
    """Signs over the kept steps of a run, at most 20 of them: the latest 12, and 8 before them with the first."""

    step: list[int] = Field(description="The steps.", examples=[[1, 2, 3]])
    reward: list[float | None] = Field(description="The mean of the rewards.", examples=[[0.51, 0.55, 0.58]])
    distinct_answers: list[float | None] = Field(description="As in the series.", examples=[[3.4, 3.3, 3.2]])


class RunRowDocument(StructForm):
    """A run in the list of runs."""

    run: str = Field(description="Its name.", examples=["qwen3-8b-math"])
    method: str = Field(description="The method that rewards it.", examples=[DEFAULT_METHOD])
    last_used_s: float = Field(description="When it was used last, in seconds since 1970.", examples=[1764500000.0])
    state: dict[str, int] = Field(description="As of GET /v1/runs/{run}.", examples=[{"settled": 128, "open": 4}])
    signs: SignsDocument | None = Field(description="Those of the latest step; null without any.", examples=[None])
    rollouts_per_s: float | None = Field(description=RATE, examples=[410.5])
    concerns: list[Concern] = Field(description=CONCERNS, examples=[["one-answer"]])
    recent: RecentDocument = Field(description="For a sparkline.")


class TeacherLookDocument(StructForm):
    """Where the teacher of a run stands."""

    version: int = Field(description="The step of the newest weights in the average.", examples=[12])
    announced: int | None = Field(description="The step of the newest weights that were announced.", examples=[13])
    lag: int = Field(description="Steps between the two.", examples=[1])
    asked: int = Field(description="Labels that no teacher has begun.", examples=[0])
    making: int = Field(description="Labels that a teacher is making.", examples=[64])


class WatchedRunDocument(RunDocument):
    """A run that is watched: as GET /v1/runs/{run} tells it, and more."""

    model_config = ConfigDict(extra="ignore")
    last_used_s: float | None = Field(
        description="When it was used last, in seconds since 1970; null if never.", examples=[1764500000.0]
    )
    rollouts_per_s: float | None = Field(description=RATE, examples=[410.5])
    concerns: list[Concern] = Field(description=CONCERNS, examples=[["one-answer"]])
    teacher: TeacherLookDocument = Field(description="Where its teacher stands.")


class TroubleDocument(StructForm):
    """Whether the store can be read."""

    detail: str | None = Field(description="Why it cannot; null while it can.", examples=[None])


class RunsEventsDocument(StructForm):
    """The data of each event, by the event's name: `fresh` and `seen` have none."""

    runs: list[RunRowDocument] = Field(description="All runs after `fresh`, later those that have changed.")
    trouble: list[TroubleDocument] = Field(description="One.")


class RunEventsDocument(StructForm):
    """The data of each event, by the event's name: `fresh` and `seen` have none."""

    run: list[WatchedRunDocument] = Field(description="One.")
    steps: list[SignsDocument] = Field(description="All steps after `fresh`, later those that have changed.")
    trouble: list[TroubleDocument] = Field(description="One.")
