"""Prove that an adapter between a trainer and the reward service makes the trainer's traffic whole.

An adapter is right if each rollout gets the reward that plain counting gives it, however the trainer cuts a step into
calls, and whatever happens to the connections meanwhile. Where no adapter could be right, it must say so aloud: by an
error of the client, never by a reward.

    from co_rewarding_client import testing

    class Mine:  # the adapter, called as its framework calls it
        async def score(self, handed: testing.Handed) -> list[float | None]: ...
        async def close(self) -> None: ...

    testing.main(lambda process: Mine(process.url, process.run, ...), unit="group")

is a program that proves each case of `CASES` against a running service: `python prove_mine.py http://127.0.0.1:8000`.
In a test of your own, await `prove`.
"""

from co_rewarding_client.testing.cases import CASES, Case, Order, Wire
from co_rewarding_client.testing.proving import Adapter, Make, NotConformingError, Process, Proof, main, prove
from co_rewarding_client.testing.sampling import Handed, Sampled, Unit

__all__ = [
    "CASES",
    "Adapter",
    "Case",
    "Handed",
    "Make",
    "NotConformingError",
    "Order",
    "Process",
    "Proof",
    "Sampled",
    "Unit",
    "Wire",
    "main",
    "prove",
]
