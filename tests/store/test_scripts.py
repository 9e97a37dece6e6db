"""Scripts as functions: what they send, and that each name means in Lua what it means in Python."""

import inspect
import re
from collections.abc import Callable
from importlib.resources import files
from types import ModuleType
from typing import Any

import pytest
from redis.exceptions import NoScriptError

from reward_service.store import (
    cohort_scripts,
    label_scripts,
    paraphrase_scripts,
    peer_scripts,
    quota_scripts,
    run_scripts,
)
from reward_service.store.connection import Argument, Reply
from reward_service.store.server_connection import ServerConnection

MODULES: list[ModuleType] = [
    cohort_scripts,
    label_scripts,
    paraphrase_scripts,
    peer_scripts,
    quota_scripts,
    run_scripts,
]
LUA = files("reward_service.store") / "lua"

pytestmark = pytest.mark.anyio

OF_LUA = {
    "KEYS", "ARGV", "redis", "cmsgpack", "cjson", "table", "string", "math", "tail", "pairs", "ipairs", "next", "type",
    "tonumber", "tostring", "unpack", "select", "error", "assert", "pcall",
}  # fmt: skip


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def scripts() -> list[Any]:
    """All of them."""
    return [each for module in MODULES for each in vars(module).values() if hasattr(each, "__wrapped__")]


class Recorder(ServerConnection):
    """Has forgotten every script, and remembers what it was sent."""

    def __init__(self) -> None:
        """Opens nothing."""
        super().__init__("unix:///nowhere")
        self.sent: list[tuple[Argument, ...]] = []

    async def execute(self, *command: Argument) -> Reply:
        """The answer to a script that is sent whole is None."""
        self.sent.append(command)
        if command[0] == "EVALSHA":
            raise NoScriptError("No matching script")


def names_of(script: Callable[..., Any]) -> list[str]:
    """Of its keys and arguments."""
    return list(inspect.signature(script).parameters)[1:]


async def text_of(script: Callable[..., Any]) -> str:
    """What a server is sent."""
    recorder = Recorder()
    await script(recorder, **dict.fromkeys(names_of(script), ""))
    return str(recorder.sent[-1][1])


async def test_keys_and_arguments_are_sent_in_the_order_of_the_signature_however_they_are_named() -> None:
    recorder = Recorder()
    await cohort_scripts.leave(recorder, leaving=["r1", "answered"], texts="t", rounds="r")
    await label_scripts.prefetch(
        recorder, coming=["s", 1], need="", ttl_ms=7, slot_keys=["k1", "k2"], taken="c", asks="b", teacher="a"
    )
    assert [command[0] for command in recorder.sent] == ["EVALSHA", "EVAL"] * 2
    assert recorder.sent[1][2:] == (2, "r", "t", "r1", "answered")
    assert recorder.sent[3][2:] == (5, "a", "b", "c", "k1", "k2", 7, "", "s", 1)


async def test_a_call_without_one_of_its_names_is_an_error() -> None:
    with pytest.raises(TypeError, match="clock"):
        await run_scripts.look_at_clock(Recorder(), unseen_ms=1)  # type: ignore[call-arg]


async def test_numbers_are_numbers_in_lua_and_the_rest_as_it_was_sent() -> None:
    text = await text_of(label_scripts.prefetch)
    assert "local need = tonumber(ARGV[2])\n" in text
    assert "local coming = tail(ARGV, 3)\n" in text
    assert "local slot_keys = tail(KEYS, 4)\n" in text
    assert "local teacher = KEYS[1]\n" in text


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.__name__)
async def test_no_name_hides_another(script: Callable[..., Any]) -> None:
    text, own = await text_of(script), (LUA / f"{script.__name__}.lua").read_text()
    assert text.endswith(own)
    shared = text.removesuffix(own)
    taken = re.findall(r"^local (?:function )?([A-Za-z_][\w, ]*?)(?:\(| =|$)", shared, re.MULTILINE)
    names = [name for line in taken for name in line.split(", ") if name != "clock"]
    assert len(names) == len(set(names))
    assert not OF_LUA & set(names_of(script))


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.__name__)
def test_each_name_is_used_and_no_position_is(script: Callable[..., Any]) -> None:
    own = (LUA / f"{script.__name__}.lua").read_text()
    assert not re.search(r"\b(ARGV|KEYS)\b", own)
    code = re.sub(r"--.*", "", own)
    unused = {name for name in names_of(script) if not re.search(rf"\b{name}\b", code)}
    assert unused <= {"prefix", "clock", "in_slot_of"}, "but for what libraries read, and what a cluster asks for"


def test_each_file_is_a_script_or_a_library() -> None:
    libraries = {"clock", "cohort", "followed", "labels", "paraphrases", "peers", "places", "traces"}
    found = {each.name.removesuffix(".lua") for each in LUA.iterdir()}
    assert found == libraries | {script.__name__ for script in scripts()}
