# pyright: basic, reportMissingImports=false
"""Verify rollouts of NeMo Gym: a resources server whose /verify answers when the cohort of the rollout is settled.

# resources_servers/co_rewarding/app.py
from co_rewarding_client.nemo_gym import CoRewardingResourcesServer

if __name__ == "__main__":
    CoRewardingResourcesServer.run_webserver()
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import DEFAULT_METHOD
from fastapi import FastAPI
from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from pydantic import ConfigDict, Field, PrivateAttr

from co_rewarding_client import address
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import RunSettings
from co_rewarding_client.singles import Singles
from co_rewarding_client.training import Endpoint

INDEX_OF_GYM = "_ng_rollout_index"
"""Where Gym's own collection counts the rollouts of a row, from 0."""

INDEX_OF_NEMO_RL = "_rowidx"
"""Where NeMo RL counts the rows of a batch, in which the rollouts of a prompt stand side by side."""


class CoRewardingConfig(BaseResourcesServerConfig):
    """The server's part of the yaml; url, key and run may come from the environment of the server instead."""

    url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    run: str | None = None
    method: str = DEFAULT_METHOD
    num_rollouts_per_prompt: int = 8
    settings: dict[str, Any] = Field(default_factory=dict)
    """More settings of the run."""
    attempt: int = 0
    """Higher in a training that was resumed."""
    patience_s: float = 900.0
    evaluate: bool = False
    """Whether all rows are evaluation; a row may say so itself, by a field `evaluate`."""
    most_abstained: int = 1024

    def endpoint(self) -> Endpoint:
        """Return where the service is."""
        given: dict[str, Any] = {"url": self.url, "api_key": self.api_key, "run": self.run}
        return Endpoint(patience_s=self.patience_s, **{name: value for name, value in given.items() if value})


class CoRewardingVerifyRequest(BaseVerifyRequest):
    """A rollout with all fields of its row."""

    model_config = ConfigDict(extra="allow")


class CoRewardingVerifyResponse(BaseVerifyResponse):
    """The row and its reward.

    Gym has no way to leave a rollout out. A group that abstains gets the same reward, 0, so that its advantages are 0;
    `abstained` is 1 for each of its rollouts, and its mean is among Gym's metrics.
    """

    model_config = ConfigDict(extra="allow")

    abstained: float
    abstention: str | None


class NotVerifiedError(CoRewardingError):
    """The service gave no reward, told in one text: Gym passes the repr of an exception on, and no more."""


class CoRewardingResourcesServer(SimpleResourcesServer):
    """The rewards of a run as a resources server."""

    config: CoRewardingConfig
    _singles: Singles = PrivateAttr()
    _service: str = PrivateAttr()

    def model_post_init(self, context: object) -> None:
        """Make what asks the service."""
        super().model_post_init(context)
        config, endpoint = self.config, self.config.endpoint()
        self._singles = Singles(endpoint, attempt=config.attempt, most_abstained=config.most_abstained)
        self._service = f"run {endpoint.run} at {address.parse(endpoint.url, None).url}"

    def setup_webserver(self) -> FastAPI:
        """Make or change the run when the server starts, and close the connections when it ends."""
        app = super().setup_webserver()
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
            await self._put_run()
            async with inner(app) as state:
                yield state
            await self._singles.close()

        app.router.lifespan_context = lifespan
        return app

    async def verify(self, body: CoRewardingVerifyRequest) -> CoRewardingVerifyResponse:
        """Return the reward of a rollout when its cohort is settled.

        Raises:
            NotVerifiedError: the service gave none; Gym answers by status 500, which ends the collection.
        """
        row = {"prompt": _prompt(body)} | (body.model_extra or {})
        evaluate = bool(row.get("evaluate", self.config.evaluate))
        try:
            index = _index(row, self.config.num_rollouts_per_prompt)
            single = await self._singles.reward(row, _text(body), rollout=index, evaluate=evaluate)
        except CoRewardingError as error:
            raise NotVerifiedError(f"{type(error).__name__} of {self._service}: {error}") from error
        return CoRewardingVerifyResponse(
            **body.model_dump(),
            reward=single.reward or 0.0,
            abstained=float(single.reward is None),
            abstention=single.abstention,
        )

    async def _put_run(self) -> None:
        endpoint, config = self.config.endpoint(), self.config
        settings = RunSettings(method=config.method, group_size=config.num_rollouts_per_prompt, **config.settings)
        async with endpoint.async_client() as client:
            await client.put_run(endpoint.run, settings)


def _index(row: dict[str, Any], group_size: int) -> int:
    """Return the index of a rollout in its group.

    Raises:
        InvalidRequest: nothing in the row counts the rollouts.
    """
    for name in ("rollout", INDEX_OF_GYM):
        if row.get(name) is not None:
            return int(row[name])
    if row.get(INDEX_OF_NEMO_RL) is not None:
        return int(row[INDEX_OF_NEMO_RL]) % group_size
    raise invalid(
        f"a row has neither {INDEX_OF_GYM} nor {INDEX_OF_NEMO_RL}, so nothing counts the rollouts of its group; "
        "collect by `gym eval run` or NeMo RL, or number them in a field `rollout`, from 0"
    )


def _prompt(body: BaseVerifyRequest) -> str:
    messages = body.responses_create_params.input
    if isinstance(messages, str):
        return messages
    return "\n\n".join(_content(message) for message in messages if getattr(message, "type", "message") == "message")


def _text(body: BaseVerifyRequest) -> str:
    """Return what the model said in its last message; the output of tools and its reasoning are no part of it."""
    said = [item for item in body.response.output if item.type == "message" and item.role == "assistant"]
    return _content(said[-1]) if said else ""


def _content(message: object) -> str:
    content = getattr(message, "content", "")
    if isinstance(content, str):
        return content
    return "".join(getattr(part, "text", None) or "" for part in content)
