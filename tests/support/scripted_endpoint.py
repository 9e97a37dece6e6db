"""An OpenAI-compatible endpoint over HTTP, behind which a function of the prompt stands for a model."""

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from tests.support.waiting import wait_until


class ScriptedEndpoint:
    """Completions: `answer` gives the text for a prompt or a user's message. Counts how often it was sent each."""

    def __init__(self, answer: Callable[[str], str], latency_s: float) -> None:
        self._answer = answer
        self._latency_s = latency_s
        self.asked: Counter[str] = Counter()
        self.url = ""

    @contextlib.contextmanager
    def serving(self) -> Iterator["ScriptedEndpoint"]:
        server = uvicorn.Server(
            uvicorn.Config(self._asgi, port=0, interface="asgi3", lifespan="off", log_level="error")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join()

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = json.loads(body)
        prompt = request["messages"][-1]["content"] if "messages" in request else request["prompt"]
        self.asked[prompt] += 1
        await asyncio.sleep(self._latency_s)
        text = self._answer(prompt)
        answer = {
            "choices": [{"index": 0, "text": text, "message": {"role": "assistant", "content": text}}],
            "usage": {"completion_tokens": len(text.split())},
        }
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
