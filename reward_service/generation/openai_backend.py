"""Use an OpenAI-compatible endpoint as a generator: chat completions for messages, completions for text."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import structlog

from reward_service.generation.generator import (
    FixedWeightsError,
    Gate,
    Generated,
    GeneratorUnavailableError,
    Prompt,
    Sampling,
    UnreachedError,
)
from reward_service.generation.openai_wire import Choices, RequestRefused, Trouble, read_choices, refused_field

log = structlog.get_logger(__name__)

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_CONNECT_S = 4.0
_LEAST_CONNECT_S = 0.1
_UNREACHED_S = 15.0
"""How long a server is tried that has never answered: more often than not its address is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model is served, and how patiently it is asked.

    Attributes:
        base_url: what the routes are under; it ends in /v1, as a rule.
        model: the model's name there.
        api_key: shown as a bearer token.
        capacity: requests under way at once, at most.
        timeout_s: for a request.
        patience_s: waited in all between tries of a request (429, 5xx, broken connections).
        more: fields sent with every request, such as skip_special_tokens for vLLM; null leaves a field out.
        transport: httpx's; it, `sleep` and `clock` are for tests.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    capacity: int = 64
    timeout_s: float = 600.0
    patience_s: float = 60.0
    more: Mapping[str, Any] = field(default_factory=dict)
    transport: httpx.AsyncBaseTransport | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic


class OpenAIGenerator:
    """A model at an endpoint, as it is: its weights are the server's.

    Servers differ in what they take. One that refuses `n`, or gives fewer responses than that, is asked for one at a
    time; `max_tokens` becomes `max_completion_tokens` where that is asked for; a seed, a temperature, a top_p or a
    template's setting that is refused is left out, with a warning. Each is learnt once. Responses are the server's
    text: most leave special tokens out. Text prompts are tokenized by the server, which may add special tokens that
    they begin with already.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Connects to nothing yet."""
        self.name = endpoint.model
        self.capacity = endpoint.capacity
        self._endpoint = endpoint
        self._places = asyncio.Semaphore(endpoint.capacity)
        self._refused: set[str] = set()
        self._reached = False
        self._has_responded = False
        self._gate = Gate(endpoint.model)
        self._http = httpx.AsyncClient(
            headers={} if endpoint.api_key is None else {"authorization": f"Bearer {endpoint.api_key}"},
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=endpoint.capacity),
            transport=endpoint.transport,
        )

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """See `Generator.generate`."""
        async with self._gate.generation():
            return await self._generated(prompt, sampling)

    async def _generated(self, prompt: Prompt, sampling: Sampling) -> Generated:
        count = sampling.drawn
        found = Choices()
        if count > 1 and "n" not in self._refused:
            try:
                found = await self._chosen(prompt, sampling, 0, count)
            except RequestRefused:
                log.debug("asking for one response at a time", model=self.name, n=count)
            if len(found.texts) < count:
                found += await self._chosen(prompt, sampling, len(found.texts), 1)  # refused again: it is not n
                self._refused.add("n")
        rest = range(len(found.texts), count)
        for one in await _all([self._chosen(prompt, sampling, index, 1) for index in rest]):
            found += one
        return Generated(found.texts[:count] * (sampling.n // count), found.tokens)

    async def load(self, weights: Path | None) -> None:
        """See `Generator.load`: an endpoint of which nothing else is known keeps its weights."""
        raise FixedWeightsError(f"the weights of {self.name} at {self._endpoint.base_url} are its server's")

    async def close(self) -> None:
        """See `Generator.close`."""
        await self._gate.close()
        await self._http.aclose()

    async def _chosen(self, prompt: Prompt, sampling: Sampling, index: int, n: int) -> Choices:
        """The responses from `index` on, in one request; without the fields that the server turns out to refuse."""
        route = "chat/completions" if prompt.text is None else "completions"
        while True:
            done_without = frozenset(self._refused)  # by this request: others may learn more while it is under way
            try:
                return await self._asked(route, self._body(prompt, sampling, index, n))
            except RequestRefused as refusal:
                field = refused_field(str(refusal), done_without)
                if field is None:
                    raise
                if field not in self._refused:
                    log.warning("a field is refused and left out or renamed from now on", model=self.name, field=field)
                    self._refused.add(field)

    def _body(self, prompt: Prompt, sampling: Sampling, index: int, n: int) -> dict[str, Any]:
        fields: dict[str, Any] = {"model": self.name}
        if "temperature" not in self._refused:
            fields["temperature"] = sampling.temperature
        if "top_p" not in self._refused:
            fields["top_p"] = sampling.top_p
        if prompt.text is None:
            fields["messages"] = [{"role": each.role, "content": each.content} for each in prompt.messages]
        else:
            fields["prompt"] = prompt.text
        limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        fields[limit] = sampling.max_tokens
        if n > 1:
            fields["n"] = n
        if sampling.seed is not None and "seed" not in self._refused:
            fields["seed"] = sampling.response_seed(index)
        if sampling.thinking is not None and prompt.text is None and "chat_template_kwargs" not in self._refused:
            fields["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
        return {name: value for name, value in (fields | dict(self._endpoint.more)).items() if value is not None}

    async def _asked(self, route: str, body: Mapping[str, Any]) -> Choices:
        """The answer to a request, which is repeated while it meets trouble and there is patience left."""
        waited_s, longest_s = 0.0, _FIRST_WAIT_S
        began_s = self._endpoint.clock()
        while True:
            try:
                spent_s = max(waited_s, self._endpoint.clock() - began_s)
                left_s = _CONNECT_S if self._reached else _UNREACHED_S - spent_s
                return await self._tried(route, body, min(_CONNECT_S, max(_LEAST_CONNECT_S, left_s)))
            except Trouble as trouble:
                wait_s = trouble.retry_after_s
                if wait_s is None:
                    wait_s = random.uniform(longest_s / 2, longest_s)  # noqa: S311 - so that not all come at once
                spent_s = max(waited_s, self._endpoint.clock() - began_s) + wait_s
                if not self._reached and spent_s > _UNREACHED_S:
                    told = f"{self.name}: nothing has answered at {self._endpoint.base_url} for {_UNREACHED_S:g} s"
                    raise UnreachedError(f"{told} ({trouble})", wait_s) from trouble
                if waited_s + wait_s > self._endpoint.patience_s:
                    raise GeneratorUnavailableError(f"{self.name}: {trouble}", wait_s) from trouble
                await self._endpoint.sleep(wait_s)
                waited_s, longest_s = waited_s + wait_s, min(2 * longest_s, _LONGEST_WAIT_S)

    async def _tried(self, route: str, body: Mapping[str, Any], connect_s: float) -> Choices:
        try:
            async with self._places, asyncio.timeout(self._endpoint.timeout_s):
                response = await self._http.post(
                    f"{self._endpoint.base_url}/{route}", json=body, timeout=httpx.Timeout(None, connect=connect_s)
                )
        except TimeoutError as error:
            raise Trouble(f"no answer within {self._endpoint.timeout_s:g} s") from error
        except httpx.TransportError as error:
            raise Trouble(f"{self._endpoint.base_url}: {type(error).__name__}: {error}") from error
        self._reached = True
        try:
            choices = read_choices(response)
        except GeneratorUnavailableError as error:
            if self._has_responded:
                raise
            raise UnreachedError(str(error), error.retry_after_s) from error
        self._has_responded = True
        return choices


async def _all(calls: Sequence[Awaitable[Choices]]) -> list[Choices]:
    """The results of all; if one fails, the others are not waited for."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
