"""Let a service work while its parts are restarted in turn, and see whether anything grows: `make soak`.

Real processes: two APIs, two workers, a teacher with a scripted model, and a Valkey with an append-only file and a
limit of memory. Three runs send batches in parts, held singles, and batches that the teacher labels. Each reward is
compared with the one that it must be. One API and one worker are never restarted: they are the witnesses of leaks.
"""

import asyncio
import json
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import aiohttp
import redis
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.machine import describe
from benchmarks.soak_page import SoakResult, write
from benchmarks.soak_parts import WITNESSES, Parts, SoakError, free_ports
from benchmarks.soak_samples import Sampler
from benchmarks.soak_traffic import CALL_WITHIN_S, RUNS, Run
from benchmarks.soak_troubles import Troublemaker, planned
from reward_service.processes import raise_open_files_limit
from reward_service.store.keys import RunKeys

APIS = 2
LEAST_RETENTION_S = 45.0
"""Longer than any trouble: a call that is sent again after its cohort was forgotten would open it once more."""
RETENTION_SHARE = 0.09
COHORTS_PER_S = 370.0
"""A million in 45 minutes: what 2 cores do beside the troubles."""
SAMPLE_S = 5.0
KEEP_ALIVE_S = 1.0
"""aiohttp takes the connection that was idle longest, so that those of a burst would live on, and look like a leak."""
ENDS_WITHIN_S = 120.0
WIDTH = 120


async def soak(folder: Path, minutes: float, cohorts: int, seed: int, console: Console) -> SoakResult:
    """Runs the whole soak; its parts live in the folder."""
    lasts_s = 60.0 * minutes
    retention_s = max(LEAST_RETENTION_S, RETENTION_SHARE * lasts_s)
    *ports, model_port = free_ports(APIS + 1)
    parts = Parts(folder, ports, model_port, retention_s)
    began_s = time.monotonic()
    try:
        with console.status("starting a store, a model, two workers, a teacher, two APIs"):
            await parts.start()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(CALL_WITHIN_S)) as http:
            runs = [run(parts.urls, http, seed) for run in RUNS]
            for run in runs:
                await run.make(cohort_deadline_s=retention_s)
            witnesses = _witnesses(parts)
            sampler = Sampler(parts, runs, retention_s)
            trouble = Troublemaker(parts, seed)
            await _under_traffic(parts, runs, trouble, sampler, cohorts, lasts_s, console)
            faults = _faults(parts, runs, witnesses)
            longest_s = max(each.get("max_s", 0.0) for sample in sampler.samples for each in sample.latencies.values())
            if faults and longest_s > retention_s:
                told = f"a call took {longest_s:.0f} s, but cohorts are kept for {retention_s:.0f} s"
                faults.insert(0, f"{told}: the machine was too busy for a soak of this length, and faults follow of it")
            sampler.close()
    finally:
        await parts.stop()
    return SoakResult(
        machine=describe(),
        minutes=minutes,
        cohorts=cohorts,
        seed=seed,
        retention_s=retention_s,
        took_s=time.monotonic() - began_s,
        samples=sampler.samples,
        troubles=trouble.passed,
        due={run.name: dict(run.ledger.due) for run in runs},
        rewarded={run.name: dict(run.ledger.rewarded) for run in runs},
        again={run.name: dict(run.ledger.again) for run in runs},
        faults=faults,
    )


async def _under_traffic(
    parts: Parts,
    runs: list[Run],
    trouble: Troublemaker,
    sampler: Sampler,
    cohorts: int,
    lasts_s: float,
    console: Console,
) -> None:
    """Sends everything, samples and makes trouble meanwhile; returns when all is answered, or after ENDS_WITHIN_S.

    Raises:
        SoakError: a part did not stop, or did not come back.
    """
    flowing = asyncio.gather(*(run.flow(round(cohorts * run.share), lasts_s) for run in runs))
    troubling = asyncio.create_task(trouble.happen(planned(list(parts.all), lasts_s)))
    ends_s = time.monotonic() + lasts_s + ENDS_WITHIN_S
    with _progress(console) as bar:
        task = bar.add_task("cohorts", total=cohorts, said="")
        while not (flowing.done() and troubling.done()) and time.monotonic() < ends_s:
            await asyncio.wait({flowing, troubling}, timeout=SAMPLE_S, return_when=asyncio.FIRST_EXCEPTION)
            if troubling.done():
                troubling.result()
            await _look(sampler, trouble, bar, task)
    if not flowing.done():
        flowing.cancel()
    await asyncio.gather(flowing, return_exceptions=True)
    await troubling
    await sampler.look("")


async def _look(sampler: Sampler, trouble: Troublemaker, bar: Progress, task: TaskID) -> None:
    now = "" if trouble.now is None else str(trouble.now)
    sample = await sampler.look(now)
    bar.update(task, completed=sample.rewarded, said=now or f"{sample.kept:,} kept")


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[said]}"), console=console)


def _witnesses(parts: Parts) -> dict[str, int]:
    return {
        f"{name}/{role}": process.pid
        for name in WITNESSES
        for role, process in parts.all[name].by_role()
        if role != "judge"  # a child that is ended when a comparison takes too long
    }


def _faults(parts: Parts, runs: list[Run], witnesses: dict[str, int]) -> list[str]:
    """What must not have been: lost, wrong or double rewards, by the client's account and by the store's."""
    faults: list[str] = []
    for run in runs:
        ledger = run.ledger
        faults += [f"{run.name}: {each}" for each in ledger.faults]
        if ledger.fault_count > len(ledger.faults):
            faults.append(f"{run.name}: {ledger.fault_count - len(ledger.faults):,} more faults")
        for what in ("cohorts", "rollouts"):
            if ledger.rewarded[what] != ledger.due[what]:
                faults.append(f"{run.name}: {ledger.rewarded[what]:,} of {ledger.due[what]:,} {what} got their rewards")
        settled = _settled(parts.store, run.name)
        if settled != {"settled": ledger.due["cohorts"]}:
            faults.append(f"{run.name}: of {ledger.due['cohorts']:,} cohorts, by the store's account: {settled}")
    if _witnesses(parts) != witnesses:
        faults.append("a witness died: " + " | ".join(parts.all[name].last_words() for name in WITNESSES))
    for part in parts.all.values():
        faults += [f"{part.name} logged: {line}" for line in part.errors()[:3]]
    return faults


def _settled(store: redis.Redis, run: str) -> dict[str, int]:
    """How often cohorts of a run ended, by how they ended."""
    said: dict[bytes, bytes] = store.hgetall(RunKeys(run).stats)  # type: ignore[assignment] - not asynchronous
    return {name.decode(): int(count) for name, count in said.items() if name in {b"settled", b"abstained"}}


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    minutes: Annotated[float, typer.Option(min=0.5, max=600, help="How long questions are sent.")] = 45.0,
    cohorts: Annotated[
        int | None, typer.Option(min=100, help="Cohorts that are sent in that time; by default 370 a second.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the questions, and of when they are sent.")] = 1,
    out: Annotated[Path, typer.Option(help="Where soak.json, soak.md and soak.png go.")] = Path("runs/soak"),
    docs: Annotated[Path | None, typer.Option(help="Where soak.md and soak.png go as well.")] = None,
) -> None:
    """Soaks, writes the report, and ends with 1 if a reward was wrong, lost or given twice, or if something grew."""
    console = Console(width=None if Console().is_terminal else WIDTH)
    raise_open_files_limit()
    folder = Path(tempfile.mkdtemp(prefix="cr-soak-"))
    try:
        result = asyncio.run(soak(folder, minutes, cohorts or round(60.0 * minutes * COHORTS_PER_S), seed, console))
    except SoakError as error:
        raise SystemExit(f"the soak broke off: {error}; the logs are in {folder}") from error
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps(asdict(result)) + "\n")
    for place in (out, docs):
        if place is not None:
            write(result, place)
    for line in (*result.faults, *result.growing):
        console.print(line, highlight=False, soft_wrap=True)
    if result.faults:
        console.print(f"the logs are in {folder}", highlight=False)
    else:
        shutil.rmtree(folder)
    console.print(result.verdict, highlight=False, soft_wrap=True)
    console.print(f"the report is {out / 'soak.md'}", highlight=False)
    raise SystemExit(1 if result.faults or result.growing else 0)


if __name__ == "__main__":
    app()
