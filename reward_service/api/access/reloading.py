"""Take the file of keys again when it has changed, while the service goes on."""

import asyncio
from pathlib import Path

import structlog

from reward_service.api.access.keyring import Keyring
from reward_service.domain.access import AccessList, Grant
from reward_service.errors import SettingsError
from reward_service.settings import Settings

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.5

State = tuple[int, ...] | None
"""What tells two contents of a file apart: inode, size, and when it was written and changed; None: it is not there."""

UNSEEN: State = ()
"""Before the first look: the file may have changed, or gone, since the service has read it."""


class KeysReloading:
    """Looks at the file of keys. One that is wrong changes nothing: the keys of before stay, and the log says why."""

    def __init__(self, settings: Settings, file: Path, keyring: Keyring) -> None:
        """Begin with the keys that the ring holds."""
        self._settings = settings
        self._file = file
        self._keyring = keyring
        self._taken = self._seen = UNSEEN

    async def look(self) -> None:
        """Take the file if it has changed, and has been as it is for a while: it may be half written."""
        now = await asyncio.to_thread(_state, self._file)
        settled, self._seen = now == self._seen, now
        if settled and now != self._taken:
            self._taken = now
            await self._take()

    async def _take(self) -> None:
        try:
            access = await asyncio.to_thread(self._settings.access)
        except SettingsError as error:
            log.error("the file of keys cannot be used; the keys of before stay", error=str(error))
            return
        if access != self._keyring.access:
            before, now = _by_name(self._keyring.access), _by_name(access)
            quotas_changed = access.runs != self._keyring.access.runs
            self._keyring.replace(access)
            log.info(
                "other keys",
                added=sorted(now.keys() - before.keys()),
                removed=sorted(before.keys() - now.keys()),
                changed=sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
                run_quotas_changed=quotas_changed,
                keys=len(now),
            )


def _by_name(access: AccessList) -> dict[str, tuple[Grant, frozenset[bytes]]]:
    """Return what each key may do, and the digests that stand for it, by the key's name."""
    digests: dict[str, set[bytes]] = {}
    for digest, grant in access.grants.items():
        digests.setdefault(grant.name, set()).add(digest)
    return {grant.name: (grant, frozenset(digests[grant.name])) for grant in access.grants.values()}


def _state(file: Path) -> State:
    """Return the state of what the path leads to now: a symbolic link may have been put in place of another."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
