"""Send one turn of load from within a namespace: `python -m benchmarks.two_nodes_load PORT KIND SECONDS FIRST`."""

import asyncio
import json
import sys
from collections.abc import Mapping

import uvloop

from benchmarks.client import Load
from reward_service.tools.loadtest.workload import COHORT, QUESTIONS, Batches, Singles, Workload

HOST = "127.0.0.1"
KINDS: Mapping[str, int] = {"batches of 256": 8, "batches of 16": 32, "singles": 512}
"""How many connections keep a server busy with each."""

RAMP_SHARE = 0.2


def workload_of(kind: str) -> Workload:
    """The requests of a kind."""
    return {"batches of 256": Batches(QUESTIONS), "batches of 16": Batches(1), "singles": Singles()}[kind]


async def turn(port: int, kind: str, seconds: float, first: int) -> dict[str, object]:
    """Rollouts a second of a busy server, then latencies of one cohort after the other (s), and the next index."""
    workload = workload_of(kind)
    busy = Load(workload, first, check=True, timed=lambda _: False)
    await busy.open(HOST, port, KINDS[kind])
    busy.keep_busy()
    await asyncio.sleep(RAMP_SHARE * seconds)
    began_s, before = asyncio.get_running_loop().time(), busy.record.answers
    await asyncio.sleep((1 - RAMP_SHARE) * seconds)
    elapsed_s, answers = asyncio.get_running_loop().time() - began_s, busy.record.answers - before
    await busy.finish()
    # A single is answered when its cohort is complete, so that as many connections as rollouts of one are needed.
    alone = Load(workload, _next(busy), check=True, timed=lambda index: index % workload.cohort == workload.cohort - 1)
    await alone.open(HOST, port, workload.cohort)
    alone.keep_busy()
    await asyncio.sleep(seconds / 2)
    record = await alone.finish()
    return {
        "rollouts_per_s": answers * workload.rollouts / elapsed_s,
        "latencies_s": record.latencies_s,
        "next": _next(alone),
    }


def _next(load: Load) -> int:
    return load.next_index + -load.next_index % COHORT


if __name__ == "__main__":
    said = uvloop.run(turn(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
    print(json.dumps(said))
