"""Share what the adapters of all trainers need: where the service is, pairs of views, chat texts, abstentions."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from co_rewarding_schema.errors import CoRewardingError, InvalidRunError
from co_rewarding_schema.run_names import evaluation_run
from co_rewarding_schema.vocabulary import View

from co_rewarding_client.arguments import check_text
from co_rewarding_client.client import AsyncRewardClient, RewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import Rewards
from co_rewarding_client.transport import has_aiohttp

URL_VARIABLE = "CO_REWARDING_URL"
KEY_VARIABLE = "CO_REWARDING_API_KEY"
RUN_VARIABLE = "CO_REWARDING_RUN"


class AllAbstainedError(CoRewardingError):
    """Every rollout of a step abstained: there is nothing to learn from, and a trainer would go on with loss 0."""

    def __init__(self, run: str, step: int | None, reasons: Mapping[str, int]) -> None:
        super().__init__(run, step, dict(reasons))
        self.run = run
        self.step = step
        self.reasons = dict(reasons)

    def __str__(self) -> str:
        total = sum(self.reasons.values())
        told = ", ".join(f"{count} by {reason}" for reason, count in self.reasons.items())
        cures = " ".join(_CURES[reason] for reason in self.reasons if reason in _CURES)
        step = "" if self.step is None else f" of step {self.step}"
        return f"all {total} rollouts{step} abstained in run {self.run!r} ({told}). {cures}".rstrip()


_CURES = {
    "expired": "Both views of a question must be sampled in one step: see that pairs are not shuffled apart.",
    "no-label": "No answer had enough votes: see answer_formats, min_votes and min_vote_share of the run, and that both"
    " views of a question are sampled together.",
    "no-ground-truth": "The method compares with a ground truth: send ground_truth with each rollout.",
    "no-statistics": "The method rewards a statistic of the rollout: send statistics with each rollout.",
    "quarantined": "All pairs are in quarantine: docs/paraphrasing.md.",
}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where the service is, and the run that is trained; what is not given is read from the environment.

    Attributes:
        transport: what the asyncio client sends by; None is aiohttp where that is installed, else httpx.

    Raises:
        InvalidRequest: no URL is given, and CO_REWARDING_URL is not set; or the run's name is none, or is too long for
            the run that holds its evaluation, which a training would meet at its first evaluation only.
    """

    url: str = field(default_factory=lambda: os.environ.get(URL_VARIABLE, ""))
    api_key: str | None = field(default_factory=lambda: os.environ.get(KEY_VARIABLE) or None, repr=False)
    run: str = field(default_factory=lambda: os.environ.get(RUN_VARIABLE) or "default")
    timeout_s: float = 30.0
    patience_s: float = 900.0
    transport: Literal["aiohttp", "httpx"] | None = None

    def __post_init__(self) -> None:
        if not self.url:
            raise invalid(f"no address of the reward service is given; pass url, or set {URL_VARIABLE}")
        check_text("run", self.run)
        try:
            evaluation_run(self.run)
        except InvalidRunError as cause:
            raise invalid(f"{cause}; pass another run, or set {RUN_VARIABLE}") from cause

    def client(self) -> RewardClient:
        """Return a blocking client of the run."""
        return RewardClient(self.url, **self._options())

    def async_client(self) -> AsyncRewardClient:
        """Return a client of the run for the event loop that uses it first; by `transport`.

        Trainers hold hundreds of calls at once, which aiohttp does for a fraction of the time; most of them have it.
        """
        by_aiohttp = has_aiohttp() if self.transport is None else self.transport == "aiohttp"
        return AsyncRewardClient(self.url, transport="aiohttp" if by_aiohttp else None, **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key,
            "run": self.run,
            "timeout_s": self.timeout_s,
            "patience_s": self.patience_s,
        }


class ClientOfLoop:
    """A client for each event loop: some frameworks make a loop for each call, others have one a worker."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._clients: dict[asyncio.AbstractEventLoop, AsyncRewardClient] = {}

    def get(self) -> AsyncRewardClient:
        """Return the client of the running loop; those of loops that are closed are let go."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            for gone in [each for each in list(self._clients) if each.is_closed()]:
                self._clients.pop(gone, None)
            client = self._clients[loop] = self._endpoint.async_client()
        return client

    def __reduce__(self) -> "tuple[type[ClientOfLoop], tuple[Endpoint]]":
        """Let it be sent to another process, which makes connections of its own."""
        return ClientOfLoop, (self._endpoint,)


def paired(
    questions: Iterable[Mapping[str, Any]], *, epochs: int = 1, seed: int = 0, prompt: str = "prompt"
) -> list[dict[str, Any]]:
    """Return the rows of a data set in which both views of a question stand side by side.

    Each question has a `question_id`, its `question`, its `paraphrase`, and what else a row shall carry, such as
    `ground_truth`. A row has these others, the text of its view under the name `prompt`, its `view`, and its `epoch`,
    counted from 0. Questions are shuffled anew in each epoch, by `seed`, and pairs stay together; so the trainer itself
    must not shuffle.

    Raises:
        InvalidRequest: a question lacks a field, or two have one question_id.
    """
    known = list(questions)
    seen: set[str] = set()
    for place, row in enumerate(known):
        missing = [name for name in ("question_id", "question", "paraphrase") if not row.get(name)]
        if missing:
            raise invalid(f"questions[{place}] has no {' and no '.join(missing)}; give each question all three")
        if str(row["question_id"]) in seen:
            raise invalid(f"questions[{place}]: {row['question_id']!r} is the question_id of an earlier question too")
        seen.add(str(row["question_id"]))
    return list(_rows(known, epochs, seed, prompt))


def _rows(questions: list[Mapping[str, Any]], epochs: int, seed: int, prompt: str) -> Iterator[dict[str, Any]]:
    texts = {View.ORIGINAL: "question", View.PARAPHRASE: "paraphrase"}
    order: list[int] = []
    for epoch in range(epochs):
        order = _shuffled(order, len(questions), random.Random(f"{seed}/{epoch}"))  # noqa: S311 - an order, no secret
        for at in order:
            row = questions[at]
            others = {name: value for name, value in row.items() if name not in ("question", "paraphrase")}
            for view, text in texts.items():
                names = {"question_id": str(row["question_id"]), "view": view.value, "epoch": epoch}
                yield others | names | {prompt: row[text]}


def _shuffled(before: Sequence[int], count: int, chance: random.Random) -> list[int]:
    """Shuffle anew, and keep the last quarter of the order before out of the first quarter.

    So a step that takes its questions from two epochs has none of them twice, up to a quarter of all.
    """
    order = list(range(count))
    chance.shuffle(order)
    quarter = count // 4
    late = set(before[count - quarter :])
    early = [at for at in order if at not in late][:quarter]
    return early + [at for at in order if at not in set(early)]


def last_text(messages: str | Sequence[Mapping[str, Any]]) -> str:
    """Return a text as it is, and of chat messages the content of the last; parts that are no text are left out."""
    if isinstance(messages, str):
        return messages
    if not messages:
        return ""
    content = messages[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if part.get("type", "text") in ("text", "output_text"))


def check_not_all_abstained(rewards: Rewards, run: str) -> None:
    """Refuse to go on with a step in which nothing was rewarded.

    Raises:
        AllAbstainedError: there are rewards, and each of them is None.
    """
    reasons = Counter(reason for reason in rewards.abstentions if reason is not None)
    if rewards.rewards and reasons.total() == len(rewards.rewards):
        raise AllAbstainedError(run, rewards.step, reasons)


def abstained_share(rewards: Rewards) -> float:
    """Return the share of the rollouts that were left out."""
    return sum(reward is None for reward in rewards.rewards) / max(1, len(rewards.rewards))
