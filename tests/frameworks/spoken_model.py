"""A model that speaks as OpenAI does, and answers each prompt with the next of the responses that it was given."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Model(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, responses: Mapping[str, Sequence[str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._left = {prompt: list(texts) for prompt, texts in responses.items()}
        self._lock = threading.Lock()

    def next_response(self, prompt: str) -> str:
        """Return the next response to a prompt."""
        with self._lock:
            return self._left[prompt].pop(0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Model  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:  # the name that the base class calls
        """Answer a completion."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = asked["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else "".join(part["text"] for part in content)
        message = {"role": "assistant", "content": self.server.next_response(prompt)}
        reply = {
            "id": "one",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@contextmanager
def speaking(responses: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Return the base URL of a model that has these responses to its prompts."""
    model = _Model(responses)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{model.server_port}/v1"
    finally:
        model.shutdown()
        model.server_close()
