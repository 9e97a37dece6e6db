"""An OpenAI-compatible server over real sockets, whose model is a script; it can be made to hold its answers back."""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reward_service.generation.generator import Message, Prompt, Sampling
from tests.support.scripted_generator import Script, asked_text


class Endpoint:
    """What it was asked, by question. After `lets_through` answers it holds the others back until it is set free."""

    def __init__(self, script: Script, lets_through: int | None = None) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()
        self.answered = 0
        self.url = ""
        self._lets_through = lets_through
        self._lock = threading.Lock()
        self._free = threading.Event()

    def set_free(self) -> None:
        self._lets_through = None
        self._free.set()

    def answer(self, body: dict) -> list[str]:
        prompt = Prompt(messages=tuple(Message(each["role"], each["content"]) for each in body["messages"]))
        with self._lock:
            self.asked[asked_text(prompt)] += 1
            held = self._lets_through is not None and self.answered >= self._lets_through
            self.answered += not held
        if held:
            self._free.wait()
        return list(self.script(prompt, Sampling(n=body.get("n", 1))))


@contextlib.contextmanager
def served(endpoint: Endpoint) -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            choices = [
                {"index": place, "message": {"role": "assistant", "content": text}}
                for place, text in enumerate(endpoint.answer(body))
            ]
            content = json.dumps({"choices": choices, "usage": {"completion_tokens": 1}}).encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield endpoint
        finally:
            endpoint.set_free()
            server.shutdown()
            thread.join()
