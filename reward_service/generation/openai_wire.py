"""Read answers of OpenAI-compatible servers, in their dialects: the text, or why there is none."""

import email.utils
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from reward_service.generation.generator import GenerationError, GeneratorUnavailableError

_AGAIN = frozenset({408, 425, 429})
_REFUSED = frozenset({400, 413, 422})
_MISCONFIGURED_RETRY_S = 30.0
_QUOTED_CHARS = 300

_COMPLAINTS = {
    "max_tokens": re.compile(r"\bmax_completion_tokens\b"),
    "chat_template_kwargs": re.compile(r"\bchat_template_kwargs\b"),
    "seed": re.compile(r"\bseed\b"),
    "top_p": re.compile(r"\btop_p\b"),
    "temperature": re.compile(r"\btemperature\b"),
}
"""Fields that an answer can do without, or by another name, and what a server says that does not take them. A server
that takes temperature or top_p, and not both, keeps the temperature."""

_TEXT_PARTS = frozenset({"text", "output_text"})
_SILENT_PARTS = frozenset({"thinking", "reasoning", "reasoning_text", "redacted_thinking"})


class Trouble(Exception):
    """The server is away or busy: the same request may be answered later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Says what happened, and after how many seconds the server wants to be asked again, if it says so."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RequestRefused(GenerationError):
    """The server does not take this request."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Responses in order, and the tokens generated for them, as the server counts."""

    texts: tuple[str, ...] = ()
    tokens: int = 0

    def __add__(self, more: "Choices") -> "Choices":
        """These and then those."""
        return Choices(self.texts + more.texts, self.tokens + more.tokens)


def read_choices(response: httpx.Response) -> Choices:
    """The responses in an answer.

    Raises:
        RequestRefused: the request is not taken as it is.
        GenerationError: the answer holds something else than text.
        Trouble: the server is away or busy, or its answer cannot be read.
        GeneratorUnavailableError: key, address or model are wrong; somebody must see to it.
    """
    status = response.status_code
    if status == httpx.codes.OK:
        return _choices(response)
    said = f"HTTP {status} from {response.url}: {complaint(response)}"
    if status in _REFUSED:
        raise RequestRefused(said)
    if status in _AGAIN or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Trouble(said, retry_after_s(response))
    raise GeneratorUnavailableError(f"{said}; check the address, the key and the model's name", _MISCONFIGURED_RETRY_S)


def refused_field(complaint: str, done_without: Collection[str] = ()) -> str | None:
    """Which field of a request a complaint is about, of those that can be left out or renamed and were not yet."""
    found = (field for field, pattern in _COMPLAINTS.items() if pattern.search(complaint))
    return next((field for field in found if field not in done_without), None)


def retry_after_s(response: httpx.Response) -> float | None:
    """The header Retry-After in seconds, which may be a date; None without one that can be read."""
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def complaint(response: httpx.Response) -> str:
    """What an answer says is wrong, without what it quotes of the request."""
    try:
        words = " ".join(_words(response.json()))
    except ValueError:
        words = response.text
    return words[:_QUOTED_CHARS]


def _words(said: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """The messages and parameters named in an error as OpenAI, FastAPI and others write them."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, list):
        for each in said:
            yield from _words(each)
    elif isinstance(said, dict):
        for key in ("error", "detail", "message", "msg", "param", "loc"):
            yield from _words(said.get(key))


def _choices(response: httpx.Response) -> Choices:
    try:
        answer = response.json()
        choices = sorted(answer["choices"], key=lambda choice: choice.get("index", 0))
        texts = tuple(_text(choice) for choice in choices)
        tokens = (answer.get("usage") or {}).get("completion_tokens") or 0
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"the answer of {response.url} cannot be read: {response.text[:_QUOTED_CHARS]!r}") from error
    if not texts:
        raise Trouble(f"the answer of {response.url} holds no responses")
    return Choices(texts, int(tokens))


def _text(choice: dict[str, Any]) -> str:
    """A response, its parts put together; empty where the model refused or said nothing besides its thoughts."""
    said = choice["message"].get("content") if "message" in choice else choice["text"]
    if said is None or isinstance(said, str):
        return said or ""
    return "".join(map(_part_text, said if isinstance(said, list) else [said]))


def _part_text(part: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if kind in _SILENT_PARTS:
        return ""
    text = part.get("text") if isinstance(part, dict) else None
    if kind not in _TEXT_PARTS or not isinstance(text, str):
        raise GenerationError(f"the model answers with {str(kind)[:_QUOTED_CHARS]!r}, which is no text")
    return text
