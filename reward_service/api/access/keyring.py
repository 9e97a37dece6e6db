"""Know callers by API keys: bearer, or HTTP Basic with the key as its password, as a reward URL can carry it."""

import base64
import binascii
import time
from collections.abc import Sequence

from co_rewarding_schema.problems import ProblemKind

from reward_service.api.access.callers import Caller, RunUsages, everybody
from reward_service.api.access.meters import Meters
from reward_service.api.http.problems import Problem
from reward_service.domain.access import AccessList, digest_of

CHALLENGES = {"www-authenticate": "Bearer", "WWW-Authenticate": 'Basic realm="co-rewarding"'}
"""A line for each, because browsers read one challenge of a line. HTTP does not tell the two names apart."""


MOST_SHOWN = 4096
MOST_SHOWN_BYTES = 512
"""Of so many headers, and so long ones, it is remembered whose they are; a caller may write one key in many ways."""


class Keyring:
    """The keys that clients may show; an empty ring opens every door (the service is then on loopback only)."""

    def __init__(self, access: AccessList) -> None:
        """Begin with these keys."""
        self.meters = Meters(time.monotonic)
        self._callers: dict[bytes, Caller] = {}
        self._shown: dict[bytes | None, Caller] = {}
        self._everybody: Caller | None = None
        self.access = AccessList()
        self.replace(access)

    def replace(self, access: AccessList) -> None:
        """Take other keys in place of those of before; what was used of the quotas stays used."""
        runs, before = RunUsages(access, self.meters), self._callers
        same_runs = access.runs == self.access.runs
        self._callers, self._shown = {}, {}
        for digest, grant in access.grants.items():
            known = before.get(digest)
            if known is not None and known.grant == grant and same_runs:
                self._callers[digest] = before.pop(digest)
            else:
                usage = self.meters.of_key(grant.name, grant.quotas)
                self._callers[digest] = Caller(grant.name, grant, usage, runs)
        self._everybody = None if access.grants else everybody(runs, self.meters)
        self.access = access
        for gone in before.values():
            gone.end()

    def open_cohorts_of(self, run: str) -> int | None:
        """Return how many cohorts of a run may be open; None without such a quota."""
        quotas = self.access.quotas_of(run) if self.access.runs else None
        return None if quotas is None else quotas.open_cohorts

    def caller(self, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
        """Return who asks.

        Raises:
            Problem: 401 without a key, 403 with a wrong one.
        """
        if self._everybody is not None:
            return self._everybody
        shown = None
        for name, value in headers:
            if name == b"authorization":
                shown = value
                break
        # The way of every rollout: what a caller has shown before need not be hashed again.
        if shown in self._shown:
            return self._shown[shown]
        key = None if shown is None else _key_of(shown)
        if key is None:
            raise Problem(
                ProblemKind.NO_KEY,
                "this service asks for a key: send `Authorization: Bearer KEY`, or put it into the URL as http://x:KEY@host/.",
                headers=CHALLENGES,
            )
        caller = self._callers.get(digest_of(key))
        if caller is None:
            raise Problem(
                ProblemKind.WRONG_KEY,
                "this key is not one of the service's: check the file that CO_REWARDING_API_KEYS_FILE "
                "(--api-keys-file) names there, and CO_REWARDING_API_KEYS as it was when the service started.",
            )
        if shown is not None and len(shown) <= MOST_SHOWN_BYTES and len(self._shown) < MOST_SHOWN:
            self._shown[shown] = caller
        return caller


def _key_of(header: bytes) -> bytes | None:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return None
    return None
