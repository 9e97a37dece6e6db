"""Answer as an OpenAI-compatible model would, by a rule: `python -m benchmarks.soak_model PORT`."""

import json
import re
import sys
from typing import Any

import uvicorn

NUMBER = re.compile(r"number (\d+)")
MISTAKEN = 4
"""Of so many questions the teacher answers one wrong, by one too much."""


def answer_to(number: int) -> int:
    """What the model says to the question of that number."""
    return number + 1 if number % MISTAKEN == 0 else number


async def model(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own shapes
    """Answer each prompt alike, however often it is asked."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    found = NUMBER.search(body.decode())
    text = f"It is \\boxed{{{answer_to(int(found[1]))}}}." if found is not None else "Which number?"
    answer = {
        "choices": [{"index": 0, "text": text, "message": {"role": "assistant", "content": text}}],
        "usage": {"completion_tokens": len(text.split())},
    }
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


if __name__ == "__main__":
    uvicorn.run(model, port=int(sys.argv[1]), interface="asgi3", lifespan="off", log_level="error", access_log=False)
