"""The OpenAI-compatible backend against servers that are busy, away, or of another dialect."""

import asyncio
import contextlib
import email.utils
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from reward_service.generation.generator import (
    FixedWeightsError,
    GenerationError,
    GeneratorUnavailableError,
    Message,
    Prompt,
    Sampling,
    UnreachedError,
)
from reward_service.generation.openai_backend import Endpoint, OpenAIGenerator
from tests.generation.endpoints import OpenAIServer, Reply

pytestmark = pytest.mark.anyio

PROMPT = Prompt("w1 w2")
CHAT = Prompt(messages=(Message("system", "be brief"), Message("user", "w1")))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Sleeps:
    """Passes no time, and remembers how much was asked for."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def connected(server: OpenAIServer, **options: Any) -> tuple[OpenAIGenerator, Sleeps]:
    sleeps = Sleeps()
    endpoint = {"base_url": "http://model/v1", "model": "model", "transport": server, "sleep": sleeps} | options
    return OpenAIGenerator(Endpoint(**endpoint)), sleeps


def scripted(*replies: Reply) -> OpenAIServer:
    return OpenAIServer(script=deque(replies))


async def test_asks_for_text_and_for_chats_with_what_is_to_be_sampled() -> None:
    server = OpenAIServer()
    generator, _ = connected(server, api_key="secret", more={"skip_special_tokens": False})
    sampling = Sampling(n=3, temperature=0.7, top_p=0.8, max_tokens=40, seed=5, thinking=False)
    await generator.generate(PROMPT, sampling)
    await generator.generate(CHAT, sampling)
    common = {
        "model": "model",
        "n": 3,
        "temperature": 0.7,
        "top_p": 0.8,
        "max_tokens": 40,
        "seed": sampling.response_seed(0),
        "skip_special_tokens": False,
    }
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "w1"}]
    assert server.bodies == [
        common | {"prompt": "w1 w2"},
        common | {"messages": messages, "chat_template_kwargs": {"enable_thinking": False}},
    ]
    assert [request.url.path for request in server.requests] == ["/v1/completions", "/v1/chat/completions"]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer secret"}


async def test_responses_come_in_the_order_of_their_index_and_tokens_are_counted() -> None:
    server = OpenAIServer()
    generator, _ = connected(server)
    answer = await generator.generate(PROMPT, Sampling(n=3, seed=5))
    assert list(answer.texts_n) == server.model.texts("w1 w2", server.bodies[0], server.model.weights)
    assert answer.tokens == 9


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429),
        httpx.Response(500, text="CUDA"),
        httpx.Response(503),
        httpx.ConnectError("refused"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json=["no object"]),
    ],
    ids=lambda trouble: f"{trouble!r}"[:30],
)
async def test_what_may_pass_is_tried_again_after_longer_and_longer_waits(trouble: Reply) -> None:
    generator, sleeps = connected(scripted(trouble, trouble, trouble))
    assert (await generator.generate(PROMPT, Sampling())).texts_n
    assert [0.25, 0.5, 1.0] <= sleeps.slept <= [0.5, 1.0, 2.0]
    assert len(sleeps.slept) == 3


async def test_waits_as_long_as_the_server_says() -> None:
    soon = email.utils.formatdate(time.time() + 20, usegmt=True)
    generator, sleeps = connected(
        scripted(
            httpx.Response(429, headers={"retry-after": "7"}),
            httpx.Response(503, headers={"retry-after": soon}),
            httpx.Response(503, headers={"retry-after": "soon"}),
        )
    )
    await generator.generate(PROMPT, Sampling())
    seconds, date, unreadable = sleeps.slept
    assert seconds == 7
    assert 15 < date <= 20
    assert unreadable <= 2


async def test_patience_ends() -> None:
    generator, sleeps = connected(scripted(*[httpx.Response(503)] * 100), patience_s=10)
    with pytest.raises(GeneratorUnavailableError, match="HTTP 503"):
        await generator.generate(PROMPT, Sampling())
    longest_next_s = 0.5 * 2 ** len(sleeps.slept)  # waits are half of what they may be at least, by chance
    assert sum(sleeps.slept) <= 10 < sum(sleeps.slept) + longest_next_s


async def test_longer_than_the_patience_is_not_waited_at_all() -> None:
    generator, sleeps = connected(scripted(httpx.Response(429, headers={"retry-after": "120"})))
    with pytest.raises(GeneratorUnavailableError) as refused:
        await generator.generate(PROMPT, Sampling())
    assert refused.value.retry_after_s == 120
    assert sleeps.slept == []


async def test_a_request_that_takes_too_long_is_given_up() -> None:
    generator, _ = connected(OpenAIServer(turns=10**9), timeout_s=0.02, patience_s=0.0)
    with pytest.raises(GeneratorUnavailableError, match=r"no answer within 0.02 s"):
        await generator.generate(PROMPT, Sampling())


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_key_or_model_is_told_at_once(status: int) -> None:
    generator, sleeps = connected(scripted(httpx.Response(status, json={"error": {"message": "who are you"}})))
    with pytest.raises(GeneratorUnavailableError, match="who are you; check the address, the key"):
        await generator.generate(PROMPT, Sampling())
    assert sleeps.slept == []


@pytest.mark.parametrize("n", [1, 3])
async def test_a_refused_prompt_is_an_error_of_its_own(n: int) -> None:
    generator, sleeps = connected(OpenAIServer())
    with pytest.raises(GenerationError, match="maximum context length"):
        await generator.generate(Prompt("w1 " * 200), Sampling(n=n))
    assert sleeps.slept == []
    assert len((await generator.generate(PROMPT, Sampling(n=3))).texts_n) == 3


async def test_a_server_that_refuses_n_is_asked_for_one_at_a_time_and_that_is_learnt() -> None:
    server = OpenAIServer(most_n=1)
    generator, _ = connected(server)
    sampling = Sampling(n=3, seed=1)
    first = await generator.generate(PROMPT, sampling)
    assert [body.get("n") for body in server.bodies] == [3, None, None, None]
    assert await generator.generate(PROMPT, sampling) == first
    assert [body.get("n") for body in server.bodies[4:]] == [None, None, None]
    assert {body["seed"] for body in server.bodies[4:]} == {sampling.response_seed(index) for index in range(3)}


async def test_a_prompt_that_is_refused_does_not_teach_that_n_is() -> None:
    server = OpenAIServer()
    generator, _ = connected(server)
    with pytest.raises(GenerationError):
        await generator.generate(Prompt("w1 " * 200), Sampling(n=3))
    await generator.generate(PROMPT, Sampling(n=3))
    assert server.bodies[-1]["n"] == 3


async def test_a_server_that_overlooks_n_is_asked_for_the_rest() -> None:
    server = OpenAIServer(gives_n=False)
    generator, _ = connected(server)
    answer = await generator.generate(PROMPT, Sampling(n=3, seed=1))
    assert len(set(answer.texts_n)) == 3
    assert answer.tokens == 9


@pytest.mark.parametrize("field", ["seed", "chat_template_kwargs", "max_tokens", "temperature", "top_p"])
async def test_a_field_that_is_refused_is_left_out_or_renamed_from_then_on(field: str) -> None:
    server = OpenAIServer(unknown=frozenset({field}))
    generator, _ = connected(server)
    for _ in range(2):
        await generator.generate(CHAT, Sampling(n=2, seed=1, thinking=False, max_tokens=9))
    refused, *taken = server.bodies
    assert field in refused
    assert len(taken) == 2
    for body in taken:
        assert field not in body
        assert body.get("max_completion_tokens", body.get("max_tokens")) == 9
        assert body["n"] == 2


async def test_no_more_requests_are_under_way_than_the_capacity() -> None:
    server = OpenAIServer(most_n=1)
    generator, _ = connected(server, capacity=3)
    await asyncio.gather(*(generator.generate(PROMPT, Sampling(n=2, seed=seed)) for seed in range(5)))
    assert server.most_under_way == 3


async def test_what_is_under_way_leaves_nothing_behind_when_one_part_fails() -> None:
    server = OpenAIServer(most_n=1)
    generator, _ = connected(server, patience_s=0.0)
    await generator.generate(PROMPT, Sampling(n=2))  # n is refused: that is known now
    server.script.extend([httpx.Response(503), *[httpx.Response(404)] * 9])
    with pytest.raises(GeneratorUnavailableError):
        await generator.generate(PROMPT, Sampling(n=4))
    for _ in range(100):
        await asyncio.sleep(0)
    assert server.under_way == 0


async def test_its_weights_are_fixed() -> None:
    generator, _ = connected(OpenAIServer())
    with pytest.raises(FixedWeightsError, match="at http://model/v1 are its server's"):
        await generator.load(None)


@contextlib.asynccontextmanager
async def cutting(times: int) -> AsyncIterator[str]:
    """A server over TCP that hangs up on so many requests, after half an answer, and then answers."""
    left = times

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        body = json.dumps({"choices": [{"text": "after all"}]}).encode()
        sent = body[: len(body) // 2] if left else body
        left = max(0, left - 1)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), sent))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_connections_that_are_cut_are_made_again() -> None:
    sleeps = Sleeps()
    async with cutting(2) as url:
        generator = OpenAIGenerator(Endpoint(base_url=url, model="model", sleep=sleeps))
        assert (await generator.generate(PROMPT, Sampling())).texts_n == ("after all",)
        await generator.close()
    assert len(sleeps.slept) == 2


async def test_a_server_that_was_never_there_is_given_up_early_and_its_address_is_told() -> None:
    async with cutting(0) as url:
        pass
    sleeps = Sleeps()
    generator = OpenAIGenerator(Endpoint(base_url=url, model="model", patience_s=600.0, sleep=sleeps))
    with pytest.raises(UnreachedError, match=f"{url} for 15 s .*ConnectError"):
        await generator.generate(PROMPT, Sampling())
    assert sum(sleeps.slept) <= 15
    await generator.close()


async def test_an_address_that_answers_nothing_at_all_is_given_up_after_15_s() -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await sleeps(request.extensions["timeout"]["connect"])
            raise httpx.ConnectTimeout("no answer")

    sleeps = Sleeps()
    times = {"sleep": sleeps, "clock": lambda: sum(sleeps.slept), "patience_s": 600.0}
    generator = OpenAIGenerator(Endpoint(base_url="http://model/v1", model="model", transport=Silent(), **times))
    with pytest.raises(UnreachedError, match=r"for 15 s .*ConnectTimeout"):
        await generator.generate(PROMPT, Sampling())
    assert 11 < sum(sleeps.slept) <= 15  # the last wait, of at most 4 s, would have gone beyond


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_an_address_or_a_key_that_was_never_right_is_told_at_once(status: int) -> None:
    answers = [httpx.Response(status, json={"error": "no"}) for _ in range(2)]
    generator, sleeps = connected(scripted(*answers), patience_s=600.0)
    with pytest.raises(UnreachedError, match=f"HTTP {status} .*check the address, the key and the model's name"):
        await generator.generate(PROMPT, Sampling())
    assert not sleeps.slept


async def test_a_key_that_was_right_before_may_be_right_again() -> None:
    server = scripted()
    generator, _ = connected(server)
    await generator.generate(PROMPT, Sampling())
    server.script.append(httpx.Response(404, json={"error": "the proxy starts again"}))
    with pytest.raises(GeneratorUnavailableError) as told:
        await generator.generate(PROMPT, Sampling())
    assert not isinstance(told.value, UnreachedError)


async def test_a_server_that_has_answered_before_is_waited_for() -> None:
    server = scripted()
    generator, sleeps = connected(server, patience_s=600.0)
    await generator.generate(PROMPT, Sampling())
    server.script.extend([httpx.ConnectError("refused")] * 12)
    assert (await generator.generate(PROMPT, Sampling())).texts_n
    assert sum(sleeps.slept) > 15


async def test_temperature_and_top_p_that_are_not_taken_together_cost_top_p_alone() -> None:
    complaint = "`temperature` and `top_p` cannot both be specified for this model."
    generator, _ = connected(server := scripted(httpx.Response(400, json={"error": {"message": complaint}})))
    await generator.generate(PROMPT, Sampling())
    (body,) = server.bodies
    assert "temperature" in body
    assert "top_p" not in body


async def test_requests_that_were_under_way_when_a_field_was_refused_are_sent_again_without_it() -> None:
    server = OpenAIServer(unknown=frozenset({"temperature", "top_p"}))
    generator, _ = connected(server)
    found = await asyncio.gather(*(generator.generate(PROMPT, Sampling()) for _ in range(8)))
    assert all(each.texts_n for each in found)
    assert server.most_under_way == 8
    assert not {"temperature", "top_p"} & server.bodies[-1].keys()


async def test_a_field_is_left_out_by_option() -> None:
    server = OpenAIServer()
    generator, _ = connected(server, more={"temperature": None, "top_p": None})
    await generator.generate(PROMPT, Sampling())
    (body,) = server.bodies
    assert not {"temperature", "top_p"} & body.keys()


def said(content: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}], "in parts"),
        ([{"type": "output_text", "text": "responses"}], "responses"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "thought"}], "thought"),
        (["a ", "list"], "a list"),
    ],
)
async def test_the_text_of_an_answer_is_read_whatever_its_form(content: Any, text: str) -> None:
    generator, _ = connected(scripted(said(content)))
    assert (await generator.generate(CHAT, Sampling())).texts_n == (text,)


@pytest.mark.parametrize(
    "content", [[{"type": "image_url", "image_url": {}}], {"type": "audio"}, 7, [7], [{"type": "text", "text": 7}]]
)
async def test_an_answer_that_is_no_text_is_refused_at_once(content: Any) -> None:
    generator, sleeps = connected(scripted(said(content)))
    with pytest.raises(GenerationError, match="which is no text"):
        await generator.generate(CHAT, Sampling())
    assert sleeps.slept == []
