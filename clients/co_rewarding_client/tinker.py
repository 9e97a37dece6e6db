# pyright: basic, reportMissingImports=false
"""Reward rollouts of the Tinker cookbook: the two views of a question are two groups. docs/integrations/tinker.md.

    service = Service(url="http://127.0.0.1:8000", run="math")
    await service.begin(RunSettings(group_size=8))
    ask = partial(QuestionEnv, renderer)
    train = PairDataset(service, questions, ask, group_size=8, questions_per_batch=32)

`train` is what an RLDatasetBuilder of the cookbook returns, and an EvaluationDataset may be its data set of tests.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tinker
from co_rewarding_schema.errors import CoRewardingError
from tinker_cookbook import renderers
from tinker_cookbook.rl import types

from co_rewarding_client import training
from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import Rewards, Rollout, View
from co_rewarding_client.tinker_training import Batch, Service, told

Row = Mapping[str, Any]
Ask = Callable[[Row], Foreign]
"""Makes an environment for a row; `response` of the environment is the text to reward once its episode is done.

For a rollout executor of other processes it can be pickled."""


class QuestionEnv(types.Env):
    """Asks the `prompt` of a row once. Write another environment with a `response` for tools or several turns."""

    def __init__(self, renderer: Foreign, row: Row, *, system_prompt: str | None = None) -> None:
        self.response = ""
        self._renderer = renderer
        system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
        self._messages = [*system, {"role": "user", "content": row["prompt"]}]

    async def initial_observation(self) -> tuple[Foreign, Foreign]:
        """Return the prompt."""
        return self._renderer.build_generation_prompt(self._messages), self._renderer.get_stop_sequences()

    async def step(self, action: Foreign, *, extra: Foreign = None) -> Foreign:
        """Keep the response, which is rewarded with its group."""
        message, _ = self._renderer.parse_response(action)
        self.response = renderers.get_text_content(message)
        return types.StepResult(
            reward=0.0,
            episode_done=True,
            next_observation=tinker.ModelInput.empty(),
            next_stop_condition=self._renderer.get_stop_sequences(),
        )


@dataclass(frozen=True, kw_only=True)
class ViewGroup(types.EnvGroupBuilder):
    """The group of one view. It is rewarded when the other view's is there too, so both must be sampled at once.

    In an evaluation it has no `batch`: it is compared with its ground truth, or votes alone.
    """

    service: Service
    row: Row
    ask: Ask
    group_size: int
    attempt: int = 0
    batch: Batch | None = None

    async def make_envs(self) -> Sequence[Foreign]:
        """Return an environment for each rollout."""
        return [self.ask(self.row) for _ in range(self.group_size)]

    async def compute_group_rewards(
        self, trajectory_group: Sequence[Foreign], env_group: Sequence[Foreign]
    ) -> list[tuple[float, dict[str, Any]]]:
        """Return the rewards; in a group that abstains all are equal.

        Raises:
            CoRewardingError: the service refuses or is away, or all groups of the step abstained.
        """
        try:
            return told(await self.rewards([env.response for env in env_group]))
        except CoRewardingError as error:
            if self.batch is not None:
                self.batch.error = error
            raise

    async def rewards(self, responses: Sequence[str]) -> Rewards:
        """Return what the service answers, in which a group that abstains has None."""
        client, is_learning = self.service.clients.get(), self.batch is not None
        rollouts = [
            Rollout(
                question_id=str(self.row["question_id"]),
                view=self.row["view"],
                rollout=index if is_learning else None,
                attempt=self.attempt,
                response=response,
                ground_truth=self.row.get("ground_truth"),
            )
            for index, response in enumerate(responses)
        ]
        if self.batch is None:
            return await client.rewards(rollouts, step=self.service.next_step, evaluate=True)
        rewards = await client.rewards(rollouts, step=self.batch.step, complete=False)
        self.batch.note(rewards, self.service.run)
        return rewards

    def logging_tags(self) -> list[str]:
        """Have the cookbook's metrics told by view."""
        return [str(self.row["view"])]


class PairDataset(types.RLDataset):
    """Batches of questions; in each, both views of a question. `training.paired` says what a question is.

    For more epochs set `epochs` here and not the cookbook's num_epochs, so that each step has a number of its own.

    Raises:
        InvalidRequest: the questions fill no batch.
    """

    def __init__(
        self,
        service: Service,
        questions: Iterable[Row],
        ask: Ask,
        *,
        group_size: int,
        questions_per_batch: int,
        epochs: int = 1,
        seed: int = 0,
    ) -> None:
        rows = training.paired(questions, epochs=epochs, seed=seed)
        epoch, size = len(rows) // epochs, 2 * questions_per_batch
        if epoch < size:
            raise invalid(f"{epoch // 2} questions fill no batch of questions_per_batch={questions_per_batch}")
        starts = [first + at for first in range(0, len(rows), epoch) for at in range(0, epoch - size + 1, size)]
        self._batches = [rows[start : start + size] for start in starts]
        self._service, self._ask, self._group_size = service, ask, group_size
        self._asked: Counter[int] = Counter()
        self._last: Batch | None = None

    def __len__(self) -> int:
        """Count the steps."""
        return len(self._batches)

    def get_batch(self, index: int) -> Sequence[ViewGroup]:
        """Return the groups of step `index`.

        Raises:
            CoRewardingError: it ended a group of the batch before, and a strategy of the cookbook's went on without.
        """
        if self._last is not None and self._last.error is not None:
            raise self._last.error
        rows = self._batches[index]
        self._last = batch = Batch(step=index, groups=len(rows))
        self._service.next_step = index + 1
        attempt = self._service.attempt + self._asked[index]
        self._asked[index] += 1
        return [
            ViewGroup(
                service=self._service,
                row=row,
                ask=self._ask,
                group_size=self._group_size,
                attempt=attempt,
                batch=batch,
            )
            for row in rows
        ]


class EvaluationDataset(types.RLDataset):
    """One batch of questions, each with `question_id`, `question` and, where it is known, `ground_truth`."""

    def __init__(self, service: Service, questions: Iterable[Row], ask: Ask, *, group_size: int = 1) -> None:
        self._groups = [
            ViewGroup(
                service=service,
                row={**row, "prompt": row["question"], "view": View.ORIGINAL.value},
                ask=ask,
                group_size=group_size,
            )
            for row in questions
        ]

    def __len__(self) -> int:
        """Count the batches: one."""
        return 1

    def get_batch(self, index: int) -> Sequence[ViewGroup]:
        """Return the groups of all questions."""
        return self._groups
