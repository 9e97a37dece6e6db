# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN401 - AReaL's types are not installed here
"""Reward AReaL's episodes: an episode samples the groups of a question in all of its views, and asks once for them.

`AsyncRewardWrapper` is no place for a reward that waits for others: its pool of processes has a few places, and what
is not rewarded in time earns 0 without an error.
"""

import asyncio
import logging
import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import torch
from areal.api import ModelRequest, RolloutWorkflow
from areal.infra import workflow_context
from areal.infra.utils.concurrent import register_loop_cleanup
from areal.utils import stats_tracker
from areal.utils.data import concat_padded_tensors
from areal.utils.hf_utils import apply_chat_template, load_hf_tokenizer
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.vocabulary import View

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rewards, Rollout, RunSettings
from co_rewarding_client.training import ClientOfLoop, Endpoint, abstained_share, check_not_all_abstained

IN_VAIN_MOST = 64
"""After so many episodes in a row that were left out there is something wrong with all of them."""


def interrupt_main() -> None:
    """Interrupt the main thread, as Ctrl-C does, also where it waits for a lock.

    A process that a shell started in the background ignores Ctrl-C: it is terminated.
    """
    number = signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT
    signal.pthread_kill(threading.main_thread().ident or 0, number)


def messages_by_view(data: Mapping[str, Any]) -> dict[View, Any]:
    """Return the messages of each view: `messages` of the original, `paraphrase_messages` of the paraphrase if any."""
    prompts = {View.ORIGINAL: data["messages"]}
    if data.get("paraphrase_messages"):
        prompts[View.PARAPHRASE] = data["paraphrase_messages"]
    return prompts


class CoRewardingWorkflow(RolloutWorkflow):
    """Samples `group_size` responses to each view of a row; the trajectories of a view stand side by side.

    A row has a `question_id`, what `prompts_of` reads, and `answer` if there is a ground truth. `gconfig.n_samples` of
    the trainer must be 1, since the workflow makes the groups itself, and `group_size` of its normalisations
    `group_size`. `settings` are put to the run before the first episode.

    AReaL drops an episode that fails, and goes on. An error of the service would pass unseen, so `stop` is called,
    which interrupts the main thread.
    """

    def __init__(
        self,
        gconfig: Any,
        tokenizer: Any,
        group_size: int,
        *,
        endpoint: Endpoint | None = None,
        settings: RunSettings | None = None,
        prompts_of: Callable[[Mapping[str, Any]], Mapping[View, Any]] = messages_by_view,
        stop: Callable[[], None] = interrupt_main,
    ) -> None:
        self._tokenizer = load_hf_tokenizer(tokenizer) if isinstance(tokenizer, str) else tokenizer
        self._gconfig = gconfig.new_with_stop_and_pad_token_ids(self._tokenizer).new(n_samples=1)
        self._group_size = group_size
        self._endpoint = endpoint or Endpoint()
        self._clients = ClientOfLoop(self._endpoint)
        self._settings = settings
        self._starting = asyncio.Lock()
        self._started: AsyncRewardClient | None = None
        self._prompts_of = prompts_of
        self._stop = stop
        self._sampling: set[int] = set()
        self._in_vain = 0

    async def arun_episode(self, engine: Any, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the trajectories that were rewarded, view by view, or None where none was.

        Raises:
            CoRewardingError: the service refused, or was away for longer than the client's patience.
            AllAbstainedError: no rollout of IN_VAIN_MOST episodes in a row was rewarded.
        """
        try:
            if id(data) in self._sampling:
                raise invalid(
                    "AReaL samples each row several times: set gconfig.n_samples to 1, the groups are made here"
                )
            self._sampling.add(id(data))
            try:
                return await self._episode(engine, data)
            finally:
                self._sampling.discard(id(data))
        except CoRewardingError as error:
            logging.getLogger("co_rewarding_client").critical(
                "an episode failed, and the training is stopped: %s", error
            )
            self._stop()
            raise

    async def _episode(self, engine: Any, data: dict[str, Any]) -> dict[str, Any] | None:
        client, version = await self._client(), engine.get_version()
        places = [(view, index) for view in self._prompts_of(data) for index in range(self._group_size)]
        prompts = {view: self._ids(messages) for view, messages in self._prompts_of(data).items()}
        responses = await asyncio.gather(*(self._sampled(engine, prompts[view]) for view, _ in places))
        rollouts = [
            Rollout(
                question_id=str(data["question_id"]),
                view=view,
                rollout=index,
                prompt=self._tokenizer.decode(prompts[view]),
                response=self._tokenizer.decode(response.output_tokens, skip_special_tokens=True),
                ground_truth=data.get("answer"),
            )
            for (view, index), response in zip(places, responses, strict=True)
        ]
        rewards = await client.rewards(rollouts, step=version, evaluate=workflow_context.get().is_eval)
        self._count(rewards)
        kept = [
            _trajectory(response, reward)
            for response, reward in zip(responses, rewards.rewards, strict=True)
            if reward is not None
        ]
        return concat_padded_tensors(kept) if kept else None

    async def _client(self) -> AsyncRewardClient:
        """Return the client of AReaL's event loop, which closes it at its end."""
        client = self._clients.get()
        async with self._starting:
            if client is not self._started:
                register_loop_cleanup(client.close)
                if self._settings is not None:
                    await client.put_run(self._endpoint.run, self._settings)
                self._started = client
        return client

    def _ids(self, messages: Any) -> list[int]:
        return apply_chat_template(self._tokenizer, messages, tokenize=True, add_generation_prompt=True)

    async def _sampled(self, engine: Any, input_ids: list[int]) -> Any:
        request = ModelRequest(
            rid=uuid.uuid4().hex, input_ids=input_ids, gconfig=self._gconfig, tokenizer=self._tokenizer
        )
        return await engine.agenerate(request)

    def _count(self, rewards: Rewards) -> None:
        scope = stats_tracker.get(workflow_context.stat_scope())
        share = abstained_share(rewards)
        scope.scalar(abstained=share)
        for reward in rewards.rewards:
            if reward is not None:
                scope.scalar(reward=reward)
        self._in_vain = self._in_vain + 1 if share == 1.0 else 0
        if self._in_vain >= IN_VAIN_MOST:
            check_not_all_abstained(rewards, self._endpoint.run)


def _trajectory(response: Any, reward: float) -> dict[str, torch.Tensor]:
    """Return a trajectory in the form of AReaL's own workflows, as a batch of one."""
    tokens = response.input_tokens + response.output_tokens
    fields = {
        "input_ids": torch.tensor(tokens, dtype=torch.int32),
        "loss_mask": torch.tensor([0] * response.input_len + [1] * response.output_len, dtype=torch.int32),
        "logprobs": torch.tensor([0.0] * response.input_len + response.output_logprobs, dtype=torch.float32),
        "versions": torch.tensor([-1] * response.input_len + response.output_versions, dtype=torch.int32),
        "attention_mask": torch.ones(len(tokens), dtype=torch.bool),
        "rewards": torch.tensor(reward, dtype=torch.float32),
    }
    return {name: value.unsqueeze(0) for name, value in fields.items()}
