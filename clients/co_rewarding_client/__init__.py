r"""Ask the reward service for rewards: a typed client, blocking or for asyncio.

A batch that holds its groups whole is rewarded in one call:

>>> from co_rewarding_client import RewardClient, Rollout
>>> batch = [
...     Rollout(question_id="math/17", view="original", response=r"... so it is \boxed{4}"),
...     Rollout(question_id="math/17", view="paraphrase", response=r"... which makes \boxed{4}"),
... ]
>>> with RewardClient("http://127.0.0.1:8000", api_key=None, run="default") as client:
...     rewards = client.rewards(batch, step=3, method="co-rewarding-i")
>>> rewards.rewards
[1.0, 1.0]
>>> rewards.labels[0].answer
'4'

Where several ranks hold one batch, each hands in its part and collects its own rewards. Rollouts that are numbered
by the trainer are known again whoever sends them; without a number, each is one of its own:

>>> from msgspec.structs import replace
>>> part = [replace(rollout, rollout=5) for rollout in batch]
>>> with RewardClient("http://127.0.0.1:8000") as client:
...     ticket = client.submit(part, step=3, complete=False)
...     rewards = client.collect(ticket, wait_s=20.0)
>>> len(rewards.rewards)
2

`AsyncRewardClient` has the same calls:

>>> import asyncio
>>> from co_rewarding_client import AsyncRewardClient
>>> async def rewarded():
...     async with AsyncRewardClient("http://127.0.0.1:8000") as client:
...         return await client.rewards(batch, step=3)
>>> asyncio.run(rewarded()).abstentions
[None, None]

Identity and Idempotency-Key are filled in, so that every call may be repeated: what was counted is not
counted twice. Errors are told in `co_rewarding_client.errors`; retries are logged by
`co_rewarding_client`, the first one and then ever fewer as warnings with the URL and how long it will go on.
"""

from co_rewarding_schema.errors import CoRewardingError

from co_rewarding_client.client import AsyncRewardClient, RewardClient
from co_rewarding_client.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotImplementedByService,
    ProblemError,
    ProtocolError,
    ServiceUnavailable,
    StillPending,
    Unauthorized,
)
from co_rewarding_client.flow import Surroundings
from co_rewarding_client.model import (
    Awaited,
    Evidence,
    Label,
    Paraphrase,
    Pending,
    Question,
    Rewards,
    Rollout,
    RunSettings,
    Statistics,
    TeacherState,
    TeacherUpdate,
    Ticket,
    Unlabelled,
    View,
    Voter,
)

__all__ = [
    "AsyncRewardClient",
    "Awaited",
    "CoRewardingError",
    "Conflict",
    "Evidence",
    "InvalidRequest",
    "Label",
    "NotFound",
    "NotImplementedByService",
    "Paraphrase",
    "Pending",
    "ProblemError",
    "ProtocolError",
    "Question",
    "RewardClient",
    "Rewards",
    "Rollout",
    "RunSettings",
    "ServiceUnavailable",
    "Statistics",
    "StillPending",
    "Surroundings",
    "TeacherState",
    "TeacherUpdate",
    "Ticket",
    "Unauthorized",
    "Unlabelled",
    "View",
    "Voter",
]
