"""Call Lua scripts as typed functions: a Python stub names keys and arguments, and Lua reads them by name.

    @script("cohort")
    async def hold(connection: RedisConnection, *, alive: Key, clock: Key) -> None: ...

runs `lua/hold.lua` behind `local alive, clock = KEYS[1], KEYS[2]`. Positions are nowhere written by hand.
"""

import functools
import hashlib
import re
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_args, get_type_hints

from redis.exceptions import NoScriptError

from reward_service.domain.cohort import TRANSITIONS
from reward_service.domain.paraphrases.rewriting import JOB_TRANSITIONS
from reward_service.store.connection import Argument

WORD = re.compile(r"\w+")
DEFINED = re.compile(r"^local (?:function (?=\w)|)([\w, ]+)")

KEY, KEYS, REST = "KEY", "KEYS", "REST"

TAIL = """\
local function tail(sent, first)
  local rest = {}
  for place = first, #sent do rest[place - first + 1] = sent[place] end
  return rest
end
"""
"""Stands before the names: `unpack` would fail for thousands."""

CALL = """\
async def call(connection, *, {names}):
    try:
        return await connection.execute("EVALSHA", DIGEST, {values})
    except NoScriptError:  # a server that has forgotten it is sent the whole
        return await connection.execute("EVAL", TEXT, {values})
"""
"""Written out for each script, as namedtuple does it: to sort the names of a call anew costs twice as much."""

Key: TypeAlias = Annotated[str, KEY]
"""A key that the script uses."""

Keys: TypeAlias = Annotated[Sequence[str], KEYS]
"""Any number of keys, behind the others: a table in Lua."""

Rest: TypeAlias = Annotated[Sequence[Argument], REST]
"""Any number of arguments, behind the others: a table in Lua, as they were sent."""

Stub = TypeVar("Stub", bound=Callable[..., Coroutine[Any, Any, Any]])


def script(*libraries: str) -> Callable[[Stub], Stub]:
    """Turns a stub into one atomic step in Redis: `lua/<its name>.lua`, behind the clock and these libraries.

    The first parameter of the stub is the connection, the others are passed by name. Those annotated with numbers are
    numbers in Lua, nil for ''; others are strings. The script's errors are those of RedisConnection.execute.
    """

    def made(stub: Stub) -> Stub:
        signature = _Signature(stub)
        own = _read(stub.__name__)
        text = signature.lua() + _shared(("clock", *libraries), own) + own
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        written: dict[str, Any] = {"DIGEST": digest, "TEXT": text, "NoScriptError": NoScriptError}
        exec(signature.python(), written)  # noqa: S102 - of names in this package
        return cast("Stub", functools.update_wrapper(written["call"], stub))

    return made


class _Signature:
    """The parameters of a stub by what they are."""

    def __init__(self, stub: Callable[..., object]) -> None:
        hints = get_type_hints(stub, include_extras=True)
        names = [name for name in hints if name not in {"connection", "return"}]
        kinds = {name: next(iter(getattr(hints[name], "__metadata__", ())), None) for name in names}
        self._names = names
        self._keys, self._more_keys, self._rest, self._arguments = (
            [name for name in names if kinds[name] == kind] for kind in (KEY, KEYS, REST, None)
        )
        self._numbers = {name for name in self._arguments if {int, float} & {hints[name], *get_args(hints[name])}}

    def lua(self) -> str:
        """What gives the keys and arguments their names; the library "clock" wants one of that name."""
        lines = [f"local {name} = KEYS[{place}]" for place, name in enumerate(self._keys, 1)]
        for place, name in enumerate(self._arguments, 1):
            value = f"ARGV[{place}]"
            lines.append(f"local {name} = " + (f"tonumber({value})" if name in self._numbers else value))
        lines += [f"local {name} = tail(KEYS, {len(self._keys) + 1})" for name in self._more_keys]
        lines += [f"local {name} = tail(ARGV, {len(self._arguments) + 1})" for name in self._rest]
        tail = TAIL if self._more_keys or self._rest else ""
        return tail + "".join(f"{line}\n" for line in ("local clock", *lines))

    def python(self) -> str:
        """A function of the stub's signature that sends the number of keys, and all of them in order."""
        keys = " + ".join([str(len(self._keys)), *(f"len({name})" for name in self._more_keys)])
        more_keys, rest = ([f"*{name}" for name in tail] for tail in (self._more_keys, self._rest))
        values = [keys, *self._keys, *more_keys, *self._arguments, *rest]
        return CALL.format(names=", ".join(self._names), values=", ".join(values))


def _shared(libraries: Iterable[str], own: str) -> str:
    """Return what the script uses of its libraries: each call makes anew all that stands in its text.

    A piece of a library begins with `local` at the left margin, and ends where the next one begins.
    """
    text = "".join(map(_read, libraries))
    text = text.replace("--TRANSITIONS--", _transitions(TRANSITIONS.items()))
    text = text.replace("--JOB_TRANSITIONS--", _transitions(JOB_TRANSITIONS.items()))
    code = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    pieces = [f"local {piece}" for piece in re.split(r"^local ", code, flags=re.MULTILINE)[1:]]
    used: list[str] = []
    words = set(WORD.findall(own))
    for piece in reversed(pieces):  # a piece uses those before it
        if words & set(WORD.findall(DEFINED.findall(piece)[0])):
            used.append(piece)
            words |= set(WORD.findall(piece))
    return "".join(reversed(used))


def _read(name: str) -> str:
    return (files("reward_service.store") / "lua" / f"{name}.lua").read_text()


def _transitions(table: Iterable[tuple[tuple[StrEnum, StrEnum], StrEnum]]) -> str:
    """A transition table of the domain as a Lua table from 'state:event' to state."""
    return ", ".join(f"['{state}:{event}'] = '{to}'" for (state, event), to in table)


class Stopwatch:
    """What a reader tells lua/clock.lua that looks seldom: so much time may have passed."""

    def __init__(self) -> None:
        """Starts."""
        self._began_s = time.monotonic()

    def lap_ms(self) -> int:
        """Milliseconds since the last call, or since the start."""
        began_s, self._began_s = self._began_s, time.monotonic()
        return round((self._began_s - began_s) * 1000)
