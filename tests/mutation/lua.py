"""Mutants of the scripts in reward_service/store/lua about cohorts, batches, labels and peers, run against histories.

The scripts stand unchanged on the disk: a link changes one on its way to the server.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import redis

from tests.contract import test_batch_machine, test_cohort_machine, test_peer_machine, test_trace_machine
from tests.contract.conftest import started
from tests.contract.histories import play
from tests.mutation.instead import LIBRARIES, changed
from tests.mutation.session import FOUND, SURVIVED, Mutant, Session, digest, first_difference, report

LUA = files("reward_service.store") / "lua"
CONTRACT = Path("tests/contract")
EXAMPLES = 60

COHORTS, BATCHES = (test_cohort_machine.CohortMachine,), (test_batch_machine.BatchMachine,)
PEERS, TRACES = (test_peer_machine.PeerMachine,), (test_trace_machine.TraceMachine,)
MACHINES: dict[str, tuple[Any, ...]] = {
    "cohort": COHORTS,
    "join": COHORTS,
    "place": COHORTS,
    "leave": COHORTS,
    "watch": COHORTS,
    "expire": COHORTS,
    "settle_cohort": COHORTS,
    "labels": BATCHES,
    "submit": BATCHES,
    "submit_taught": BATCHES,
    "keep_label": BATCHES,
    "take_labels": BATCHES,
    "peek_labels": BATCHES,
    "renew_labels": BATCHES,
    "give_back": BATCHES,
    "prefetch": BATCHES,
    "expire_waits": BATCHES + PEERS,
    "settle_batches": BATCHES,
    "follow": PEERS,
    "peers": PEERS,
    "cast_ballots": PEERS,
    "look_at_ballots": PEERS,
    "stop_waiting": PEERS,
    "await_peers": PEERS,
    "peers_came": PEERS,
    "waits_no_more": PEERS,
    "traces": TRACES,
    "list_questions": TRACES,
}
"""The machines that run each script."""

REPLACED: list[tuple[str, str]] = [
    (r" == ", " ~= "),
    (r" ~= ", " == "),
    (r" >= ", " > "),
    (r" > ", " >= "),
    (r" <= ", " < "),
    (r" < ", " <= "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bnot ", ""),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"'HSETNX'", "'HSET'"),
    (r", 'PX', [^)]*\)", ")"),
    (r"^( *)if .* then return .* end$", ""),
    (r"^( *)(elseif|if) .* then$", r"\1\2 true then"),
    (r"^( *)(redis\.call\(.*\)|advance\(.*\)|enqueue\(.*\)|\w+\(.*\))$", ""),
]
"""What is looked for in each line of code, and what is put in its place, one at a time."""


def mutants(script: str) -> Iterator[Mutant]:
    """Each change of a script, once."""
    original = (LUA / f"{script}.lua").read_text()
    lines = original.splitlines()
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if line.strip().startswith("--"):
            continue
        for pattern, new in REPLACED:
            for match in re.finditer(pattern, line):
                changed = line[: match.start()] + match.expand(new) + line[match.end() :]
                mutated = "\n".join([*lines[:number], changed, *lines[number + 1 :]]) + "\n"
                if mutated not in seen:
                    seen.add(mutated)
                    yield Mutant(f"lua/{script}.lua", *first_difference(original, mutated), mutated)


def _whole(script: str, mutant: Mutant) -> Callable[[str], str]:
    """Puts the mutant in the place of its script; of a library, which is sent with tables in it, its line."""
    original = (LUA / f"{script}.lua").read_text()
    if f"{script}.lua" in LIBRARIES:
        before, after = (text.splitlines()[mutant.line - 1] for text in (original, mutant.mutated))
        return changed(f"{script}.lua", before, after)
    return changed(f"{script}.lua", original, mutant.mutated)


def run(script: str, mutant: Mutant, url: str) -> str:
    """What drawn histories make of it."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            for machine in MACHINES[script]:
                play(machine, url, _whole(script, mutant), EXAMPLES)
        except Exception:
            return FOUND
    return SURVIVED


def run_all(names: Sequence[str], folder: Path) -> None:
    """The mutants that were not run yet."""
    tests = digest([*CONTRACT.glob("*_model.py"), *CONTRACT.glob("test_*_machine.py")])
    for script in names or list(MACHINES):
        session = Session(folder / f"lua-{script}.jsonl", tests)
        those = list(mutants(script))
        left = [mutant for mutant in those if session.outcome(mutant) is None]
        while left:
            with started("redis") as url:
                while left and _answers(url):
                    mutant = left.pop(0)
                    session.keep(mutant, run(script, mutant, url))
        print(*report(those, session), sep="\n", flush=True)


def _answers(url: str) -> bool:
    """Whether the server is there for the next one: a script that does not end keeps it."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
