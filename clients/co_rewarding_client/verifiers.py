# pyright: basic, reportMissingImports=false
"""Reward rollouts of verifiers (and of prime-rl through it): an environment whose episode is a pair, and a task.

`CoRewardingEnv` plays both views of a question and rewards them together: one call an episode, nothing waits.
`CoRewardingTask` rewards one rollout, for environments that play one; it waits for the others of its cohort.
"""

import asyncio
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import verifiers.v1 as vf
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import DEFAULT_METHOD, method_named
from co_rewarding_schema.vocabulary import View
from pydantic import Field, PrivateAttr

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rewards, Rollout, RunSettings
from co_rewarding_client.singles import Singles, occasion_of, rollout_of
from co_rewarding_client.training import Endpoint

REWARD = "co_rewarding"
ABSTAINED = "abstained"


class PairData(vf.TaskData):
    """A view of a question; `prompt` is its text, and `paraphrase` that of the other view, which an episode plays too.

    `step`, or `epoch` where that is not known, tells apart when a question is asked; `rollout` numbers single rollouts.
    """

    question_id: str
    view: str = View.ORIGINAL.value
    paraphrase: str | None = None
    ground_truth: str | None = None
    step: int | None = None
    epoch: int | None = None
    rollout: int | None = None


class CoRewardingConfig(vf.EnvConfig):
    """The run, and how an episode is played. The key is read from CO_REWARDING_API_KEY."""

    agent: vf.AgentConfig = vf.AgentConfig()
    max_concurrent_agents: int | None = Field(None, ge=1)
    """None: the rollouts of an episode depend on nothing, so all are played at once."""
    url: str | None = None  # by default CO_REWARDING_URL
    run: str | None = None  # by default CO_REWARDING_RUN
    method: str = DEFAULT_METHOD
    group_size: int = Field(8, ge=1)
    """Rollouts of each view in an episode."""
    run_settings: dict[str, Any] = Field(default_factory=dict)
    patience_s: float = 900.0
    evaluate: bool = False
    """Play the original view alone, and compare with the ground truth."""
    subtract_view_mean: bool = False
    """Record rewards minus the mean of their view's group, for algorithms that take one mean over the episode."""


class CoRewardingEnv(vf.Env[CoRewardingConfig]):
    """Plays both views of a question, a group of rollouts each, and rewards the pair when it is whole.

    A group that abstains is marked as not trainable and gets no reward. An error of the service is noted on each trace
    and fails the episode, so that no trace is trained on with a reward of 0 that nobody gave.
    """

    _client: AsyncRewardClient | None = None

    async def start(self) -> None:
        """Make or change the run."""
        config = self.config
        endpoint = _endpoint(config.url, config.run, config.patience_s)
        self._client = endpoint.async_client()
        settings = RunSettings(method=config.method, group_size=config.group_size, **config.run_settings)
        await self._client.put_run(endpoint.run, settings)

    async def stop(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        """Play a group of rollouts for each view."""
        async with asyncio.TaskGroup() as playing:
            for view in self._views(task):
                for _ in range(self.config.group_size):
                    playing.create_task(agents.agent.run(view))

    async def finalize(self, task: vf.Task, episode: vf.Episode) -> None:
        """Reward the traces of the episode; one that failed has no vote.

        Raises:
            CoRewardingError: the service gave no rewards.
        """
        traces = [trace for trace in episode.traces if not trace.has_error]
        if not traces:
            return
        try:
            rewards = await self._rewards(traces, task.data, episode.id)
        except CoRewardingError as error:
            for trace in traces:
                trace.record_error(error)
            raise
        means = _means(traces, rewards.rewards) if self.config.subtract_view_mean else {}
        for trace, reward in zip(traces, rewards.rewards, strict=True):
            if reward is not None:
                trace.record_metric("unshifted_reward", reward)
            _record(trace, reward, means.get(trace.task.data.view, 0.0))

    def _views(self, task: vf.Task) -> list[vf.Task]:
        data = task.data
        if self.config.evaluate:
            return [task]
        if data.paraphrase is not None:
            return [task, task.with_data(prompt=data.paraphrase, view=View.PARAPHRASE.value)]
        if method_named(self.config.method).needs_both_views:
            raise invalid(
                f"question {data.question_id!r} has no paraphrase, and under {self.config.method} the views of a "
                "question vote for each other: docs/paraphrasing.md says how to make paraphrases"
            )
        return [task]

    async def _rewards(self, traces: Sequence[vf.Trace], data: PairData, episode: str) -> Rewards:
        if self._client is None:
            raise invalid("the environment is not served; play it inside `async with env.serving()`")
        indices: dict[str, int] = {}
        rollouts: list[Rollout] = []
        for trace in traces:
            view = trace.task.data.view
            indices[view] = indices.get(view, -1) + 1
            rollouts.append(rollout_of(_row(trace.task.data), trace.last_reply, indices[view]))
        step, evaluate = occasion_of(_row(data)), self.config.evaluate
        return await self._client.rewards(rollouts, step=step, evaluate=evaluate, idempotency_key=episode)


class CoRewardingTaskConfig(vf.TaskConfig):
    """The run of `CoRewardingTask`, which is made beforehand, by `put_run`."""

    url: str | None = None
    run: str | None = None
    patience_s: float = 900.0
    evaluate: bool = False
    attempt: int = 0
    """Higher in a training that was resumed."""
    most_abstained: int = 1024
    _singles: Singles | None = PrivateAttr(default=None)

    @property
    def singles(self) -> Singles:
        """What asks the service; the tasks of a process share it, as they share their config."""
        if self._singles is None:
            endpoint = _endpoint(self.url, self.run, self.patience_s)
            self._singles = Singles(endpoint, attempt=self.attempt, most_abstained=self.most_abstained)
        return self._singles


class CoRewardingTask(vf.Task[PairData, vf.State, CoRewardingTaskConfig]):
    """Rewards one rollout, known by its number, else by the id of its trace; it waits for the others of its cohort."""

    @vf.reward
    async def co_rewarding(self, task: PairData, trace: vf.Trace) -> Mapping[str, float]:
        """Return the reward under its name, or nothing where the group abstains and is not trained on."""
        singles, row, evaluate = self.config.singles, _row(task), self.config.evaluate
        single = await singles.reward(row, trace.last_reply, rollout=task.rollout, key=trace.id, evaluate=evaluate)
        trace.record_metric(ABSTAINED, float(single.reward is None))
        if single.reward is None:
            trace.agent.trainable = False
            return {}
        return {REWARD: single.reward}


def _endpoint(url: str | None, run: str | None, patience_s: float) -> Endpoint:
    given: dict[str, Any] = {"url": url, "run": run}
    return Endpoint(patience_s=patience_s, **{name: value for name, value in given.items() if value})


def _row(data: PairData) -> dict[str, Any]:
    return data.model_dump() | {"prompt": data.prompt_text}


def _means(traces: Sequence[vf.Trace], rewards: Sequence[float | None]) -> dict[str, float]:
    """Return the mean reward of each view that was rewarded."""
    of_view: dict[str, list[float]] = {}
    for trace, reward in zip(traces, rewards, strict=True):
        if reward is not None:
            of_view.setdefault(trace.task.data.view, []).append(reward)
    return {view: fmean(values) for view, values in of_view.items()}


def _record(trace: vf.Trace, reward: float | None, mean: float) -> None:
    trace.record_metric(ABSTAINED, float(reward is None))
    if reward is None:
        trace.agent.trainable = False
    else:
        trace.record_reward(REWARD, reward - mean)
