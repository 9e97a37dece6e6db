# pyright: basic, reportMissingImports=false
"""Prove the adapter for verifiers: `task URL [CASE ...]` for one rollout, `env URL [CASE ...]` for an episode.

Rollouts are numbered: without a number a tie between labels is broken by their text, and not by the first rollout."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "examples"))

import msgspec
import verifiers.v1 as vf
from co_rewarding_client import AsyncRewardClient, testing
from co_rewarding_client.verifiers import CoRewardingTask, CoRewardingTaskConfig, PairData
from verifiers.v1.trace import AgentInfo, TraceTask
from verifiers.v1.utils.loaders import load_environment, resolve_env_config


def data_of(rollout: testing.Sampled, step: int) -> PairData:
    return PairData(
        prompt=rollout.prompt,
        question_id=rollout.question_id,
        view=rollout.view,
        ground_truth=rollout.ground_truth,
        step=step,
        rollout=rollout.index,
    )


def trace_of(rollout: testing.Sampled, step: int) -> vf.Trace:
    return vf.Trace(
        task=TraceTask(type="PairTask", data=data_of(rollout, step)),
        agent=AgentInfo(config=vf.AgentConfig()),
        root_reply=rollout.response,
        ok=True,
    )


def reward_of(trace: vf.Trace) -> float | None:
    return trace.reward if trace.agent.trainable else None


class OneRollout:
    """Scores each trace by its task."""

    def __init__(self, process: testing.Process) -> None:
        told = {"url": process.url, "run": process.run, "patience_s": process.patience_s, "attempt": process.began_s}
        self._configs = {flag: CoRewardingTaskConfig(**told, evaluate=flag) for flag in (False, True)}
        self._traces: dict[tuple[Any, ...], vf.Trace] = {}

    async def score(self, handed: testing.Handed) -> list[float | None]:
        (rollout,) = handed.rollouts
        # A copy is the same trace.
        name = (rollout.question_id, rollout.view, rollout.index, handed.evaluate)
        trace = self._traces.setdefault(name, trace_of(rollout, handed.step))
        await CoRewardingTask(data_of(rollout, handed.step), self._configs[handed.evaluate]).score(trace)
        return [reward_of(trace)]

    def forget(self) -> None:
        """Begin another step: its rollouts are other traces."""
        self._traces.clear()

    async def close(self) -> None:
        for config in self._configs.values():
            await config.singles.close()


class WholeEpisodes:
    """Finalizes an episode for each question."""

    def __init__(self, process: testing.Process) -> None:
        settings = msgspec.structs.asdict(process.settings)
        told = {
            "taskset": {"id": "verifiers-pairs"},
            "url": process.url,
            "run": process.run,
            "patience_s": process.patience_s,
            "method": settings.pop("method"),
            "group_size": settings.pop("group_size"),
            "run_settings": settings,
        }
        self._envs = {flag: load_environment(resolve_env_config(told | {"evaluate": flag})) for flag in (False, True)}

    async def start(self) -> "WholeEpisodes":
        for env in self._envs.values():
            await env.start()
        return self

    async def score(self, handed: testing.Handed) -> list[float | None]:
        env = self._envs[handed.evaluate]
        traces = [trace_of(rollout, handed.step) for rollout in handed.rollouts]
        episodes: dict[str, vf.Episode] = {}
        for trace in traces:
            new = vf.Episode(task=trace.task)
            episodes.setdefault(trace.task.data.question_id, new).traces.append(trace)
        for episode in episodes.values():
            await env.finalize(vf.Task(episode.task.data), episode)
        return [reward_of(trace) for trace in traces]

    async def close(self) -> None:
        for env in self._envs.values():
            await env.stop()


async def one_rollout(process: testing.Process) -> OneRollout:
    if process.rank == 0:
        async with AsyncRewardClient(process.url, patience_s=process.patience_s) as client:
            await client.put_run(process.run, process.settings)
    return OneRollout(process)


async def whole_episodes(process: testing.Process) -> WholeEpisodes:
    return await WholeEpisodes(process).start()


def main(kind: str, words: Iterable[str]) -> None:
    if kind == "task":
        testing.main(one_rollout, unit="rollout", arguments=list(words))
    else:
        testing.main(whole_episodes, unit="batch", arguments=list(words))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
