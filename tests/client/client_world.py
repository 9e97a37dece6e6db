"""Fakes at the edges of the client: time that passes only when told to, and a service behind an httpx.MockTransport."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
from co_rewarding_client import AsyncRewardClient, CoRewardingError, RewardClient, Rollout, Surroundings
from co_rewarding_client.decoding import HttpReply
from co_rewarding_client.flow import Flow, Outcome, Pause, Send, Work

EPOCH_S = 1_700_000_000.0


@dataclass
class FakeTime:
    """Both clocks; they move by `pass_s` and by sleeping."""

    now_s: float = 1000.0
    jitter: float = 0.5
    slept: list[float] = field(default_factory=list)
    keys: int = 0

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def new_key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def surroundings(self) -> Surroundings:
        return Surroundings(
            clock_s=lambda: self.now_s,
            wall_clock_s=lambda: EPOCH_S + self.now_s - 1000.0,
            jitter=lambda: self.jitter,
            new_key=self.new_key,
        )


@dataclass
class Trace:
    """What a flow did: its sends and pauses with the instants at which they began."""

    sends: list[tuple[float, Send]] = field(default_factory=list)
    pauses: list[tuple[float, Pause]] = field(default_factory=list)


def run_flow(flow: Flow[Any], time: FakeTime, answer: Callable[[Send], Outcome], trace: Trace) -> Any:
    """Drives `flow` without httpx; `answer` may let time pass."""
    outcome = None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as end:
            return end.value
        match step:
            case Pause():
                trace.pauses.append((time.now_s, step))
                outcome = time.sleep(step.seconds)
            case Work():
                outcome = step.do()
            case Send():
                trace.sends.append((time.now_s, step))
                outcome = answer(step)


def told(call: Callable[[], Any]) -> Any:
    """What the call returned, or the error of this package that it raised."""
    try:
        return call()
    except CoRewardingError as error:
        return error


Answer = httpx.Response | Exception


class Wire(httpx.MockTransport):
    """Tells its service when it is closed."""

    def close(self) -> None:
        self.handler.closed = True

    async def aclose(self) -> None:
        self.close()


class FakeService:
    """Gives its answers one after the other, the last one for ever, and keeps the requests."""

    def __init__(self, *answers: Answer, takes_s: float = 0.0) -> None:
        self.time = FakeTime()
        self.requests: list[httpx.Request] = []
        self.closed = False
        self._answers = answers
        self._takes_s = takes_s

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        self.time.pass_s(self._takes_s)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def request(self) -> httpx.Request:
        """The only request there was."""
        (request,) = self.requests
        return request

    @property
    def body(self) -> Any:
        """The JSON of the only request."""
        return json.loads(self.request.content)


@dataclass(frozen=True)
class Caller:
    """One way of calling: the same scenario is run with the blocking client and with the one for asyncio."""

    kind: str

    def call(
        self, service: FakeService, name: str, *args: Any, client: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        options = {"base_url": "http://service", "patience_s": 60.0, "timeout_s": 5.0, **(client or {})}
        options["surroundings"] = service.time.surroundings()
        options["transport"] = Wire(service)
        if self.kind == "async":
            return asyncio.run(self._call_async(service, options, name, *args, **kwargs))
        with RewardClient(sleep=service.time.sleep, **options) as blocking:
            return getattr(blocking, name)(*args, **kwargs)

    @staticmethod
    async def _call_async(service: FakeService, options: dict[str, Any], name: str, *args: Any, **kwargs: Any) -> Any:
        async with AsyncRewardClient(sleep=service.time.sleep_async, **options) as client:
            return await getattr(client, name)(*args, **kwargs)


def rewards_document(size: int = 1, **changes: Any) -> dict[str, Any]:
    """A settled batch as the service tells it."""
    return {
        "run": "default",
        "step": 3,
        "method": "co-rewarding-i",
        "rewards": [1.0] * size,
        "abstentions": [None] * size,
        "answers": ["4"] * size,
        "labels": [
            {
                "question_id": "q",
                "view": "original",
                "answer": "4",
                "votes": 6,
                "of": 8,
                "voter": "policy",
                "voted_on": ["paraphrase"],
                "cohort": "c1",
            }
        ],
        "metrics": {"reward_mean": 1.0, "undecided": 0},
        **changes,
    }


def settled(size: int = 1, **changes: Any) -> httpx.Response:
    return httpx.Response(200, json=rewards_document(size, **changes))


def pending(done: int = 0, of: int = 1) -> httpx.Response:
    return httpx.Response(202, json={"ticket": "t/1", "settled": done, "of": of})


def accepted() -> httpx.Response:
    return httpx.Response(202, json={"ticket": "t/1", "expires_at": "2026-01-02T03:04:05Z"})


def problem(
    status: int, title: str = "Queue full", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"type": "about:blank", "title": title, "status": status, **more}
    content_type = {"content-type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps(body), headers={**content_type, **(headers or {})})


def reply(status: int, document: object = None, headers: dict[str, str] | None = None) -> HttpReply:
    """What the transport makes of a response, for tests of the core."""
    return HttpReply(status, headers or {}, b"" if document is None else json.dumps(document).encode())


def rollouts(size: int = 1) -> list[Rollout]:
    return [Rollout(question_id="q", response=r"\boxed{4}") for _ in range(size)]


def script(answers: Iterable[Outcome]) -> Callable[[Send], Outcome]:
    """An `answer` for `run_flow` that gives these in turn."""
    iterator = iter(answers)
    return lambda _send: next(iterator)
