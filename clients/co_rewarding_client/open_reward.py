# pyright: basic, reportMissingImports=false
"""Serve a run as an environment of the Open Reward Standard: tasks are the views of its questions.

from openreward.environments import Server

Server([environment(Endpoint(), settings, train=paired(questions))]).run(port=8080)
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

from openreward.environments import Environment, Split, TextBlock, ToolOutput, tool
from pydantic import BaseModel, Field

from co_rewarding_client.model import RunSettings
from co_rewarding_client.singles import Singles
from co_rewarding_client.training import Endpoint

TRAIN, TEST = "train", "test"


class Submission(BaseModel):
    """What the model hands in."""

    answer: str = Field(description="The final answer, without its derivation.")


class CoRewarding(Environment):
    """One rollout: a session with a view of a question, which ends with `submit`.

    `submit` answers when the cohort of the rollout is settled, so the sessions of a cohort must be under way at the
    same time. A session is a rollout; where `rollout` in its task numbers the rollouts of a group, it is known again.
    """

    tasks: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {}
    singles: ClassVar[Singles]

    def __init__(self, task_spec: Mapping[str, Any] = {}, secrets: dict[str, str] = {}) -> None:  # noqa: B006 - theirs
        super().__init__(task_spec, secrets)
        self._key = uuid4().hex

    @classmethod
    def list_splits(cls) -> list[Split]:
        """Return the splits that have tasks."""
        return [Split(name=name, type=name) for name, rows in cls.tasks.items() if rows]

    @classmethod
    def list_tasks(cls, split: str) -> list[Mapping[str, Any]]:
        """Return a task for each row of the split; both views of a question stand side by side."""
        return list(cls.tasks[split])

    def get_prompt(self) -> list[TextBlock]:
        """Return the text of the view."""
        return [TextBlock(text=str(self.task_spec["prompt"]))]

    @tool(exclusive=True)
    async def submit(self, submission: Submission) -> ToolOutput:
        """Submit the final answer. The conversation ends with it."""
        task = self.task_spec
        single = await self.singles.reward(
            task,
            self.response_of(submission.answer),
            rollout=task.get("rollout"),
            key=self._key,
            evaluate=bool(task.get("evaluate")),
        )
        # The text is seen by the model and tells it nothing of the reward.
        return ToolOutput(
            blocks=[TextBlock(text="Submitted.")],
            reward=single.reward,
            finished=True,
            metadata={"abstention": single.abstention},
        )

    def response_of(self, answer: str) -> str:
        """Return an answer as a response in the run's answer_formats: in a box, if it is in none."""
        return answer if "\\boxed" in answer else f"\\boxed{{{answer}}}"


def environment(
    endpoint: Endpoint,
    settings: RunSettings,
    *,
    train: Sequence[Mapping[str, Any]],
    test: Sequence[Mapping[str, Any]] = (),
    attempt: int = 0,
    most_abstained: int = 1024,
) -> type[CoRewarding]:
    """Make or change the run, and return its environment, for openreward's Server.

    The rows are those of `training.paired`; rows of `test` are evaluation. `attempt` is higher in a training that was
    resumed.
    """
    with endpoint.client() as client:
        client.put_run(endpoint.run, settings)
    tasks = {TRAIN: list(train), TEST: [{**row, "evaluate": True} for row in test]}
    singles = Singles(endpoint, attempt=attempt, most_abstained=most_abstained)
    return type("CoRewardingEnvironment", (CoRewarding,), {"tasks": tasks, "singles": singles})
