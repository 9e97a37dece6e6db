"""The Lua scripts as functions: loaded once, run by digest, sent whole again to a server that has forgotten them."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from importlib.resources import files

from redis.exceptions import NoScriptError

from reward_service.domain.cohort import TRANSITIONS
from reward_service.domain.paraphrases.rewriting import JOB_TRANSITIONS
from reward_service.store.connection import Argument, RedisConnection, Reply


class Script:
    """One atomic step in Redis."""

    def __init__(self, name: str, *libraries: str) -> None:
        """Reads `lua/<name>.lua`, behind the clock and its libraries, by default "cohort"."""
        folder = files("reward_service.store") / "lua"
        names = ("clock", *(libraries or ("cohort",)))
        shared = "".join((folder / f"{each}.lua").read_text() for each in names)
        shared = shared.replace("--TRANSITIONS--", _transitions(TRANSITIONS.items()))
        shared = shared.replace("--JOB_TRANSITIONS--", _transitions(JOB_TRANSITIONS.items()))
        self._text = shared + (folder / f"{name}.lua").read_text()
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, connection: RedisConnection, keys: list[str], *arguments: Argument) -> Reply:
        """Runs the script; its errors are those of RedisConnection.execute."""
        try:
            return await connection.execute("EVALSHA", self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await connection.execute("EVAL", self._text, len(keys), *keys, *arguments)


def _transitions(table: Iterable[tuple[tuple[StrEnum, StrEnum], StrEnum]]) -> str:
    """A transition table of the domain as a Lua table from 'state:event' to state."""
    return ", ".join(f"['{state}:{event}'] = '{to}'" for (state, event), to in table)
