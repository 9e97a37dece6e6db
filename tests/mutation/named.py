"""Mutants that drawn histories must find: guards, conditions and ends, some of which every test once missed."""

import os
import shutil
import sys
from importlib.resources import files
from typing import NamedTuple

from tests.mutation.instead import Instead, changed
from tests.support.servers import server

COHORTS, BATCHES = "cohort", "batch"
EXAMPLES = 400


class Named(NamedTuple):
    """One change: of a script, or of a module of the domain (`voting.py`)."""

    machine: str
    file: str
    old: str
    new: str


MUTANTS = [
    Named(COHORTS, "place.lua", "if lately or up_s() < 5 then", "if lately then"),
    Named(COHORTS, "place.lua", "local size, cast = tonumber(known[2] or group_size)", "local size, cast = group_size"),
    Named(COHORTS, "expire.lua", "if redis.call('HGET', key, 's') == 'open' then", "if true then"),
    Named(BATCHES, "expire_waits.lua", "        redis.call('HDEL', key, 'b:' .. batch)\n", ""),
    Named(COHORTS, "elections.py", "winner.votes < parameters.min_vote", "winner.votes <= parameters.min_vote"),
    Named(COHORTS, "expire.lua", "  redis.call('ZREM', deadlines, cohort)\n", ""),
    Named(COHORTS, "join.lua", "if known and known ~= ballot.value then", "if false then"),
    Named(COHORTS, "join.lua", "if cast + count > needed then", "if cast + count >= needed then"),
    Named(COHORTS, "join.lua", "tonumber(counts[1] or cohort.size)", "cohort.size"),
    Named(COHORTS, "join.lua", "if not known and not rewarded then", "if not known then"),
    Named(COHORTS, "join.lua", " + tonumber(counts[3] or '0')", ""),
    Named(COHORTS, "join.lua", "cast + (settled.cast[view] or 0) end", "cast end"),
    Named(COHORTS, "join.lua", "settled.sizes[view] or needed", "needed"),
    Named(COHORTS, "join.lua", "+ opening > most_open", "+ opening >= most_open"),
    Named(COHORTS, "join.lua", "(#cohort.ballots > 0 or not cohort.record)", "true"),
    Named(COHORTS, "join.lua", "redis.call('HSET', cohort.key, 'w:' .. replica, 1)", ""),
    Named(COHORTS, "settle_cohort.lua", "redis.call('HGET', cohort, 'k') ~= tostring(seen_size)", "false"),
    Named(COHORTS, "settle_cohort.lua", "if not settled then", "if true then"),
    Named(COHORTS, "settle_cohort.lua", "redis.call('DEL', cohort)", ""),
    Named(COHORTS, "settle_cohort.lua", "record, 'PX', ttl_ms)", "record)"),
    Named(COHORTS, "cohort.lua", "    redis.call('ZREM', deadlines, cohort)\n", ""),
    Named(COHORTS, "cohort.lua", "cast < needed then return false", "cast <= needed then return false"),
    Named(COHORTS, "place.lua", "if noted[1] then", "if false then"),
    Named(COHORTS, "place.lua", "owner == ABANDONED or state ~= 'open'", "state ~= 'open'"),
    Named(COHORTS, "place.lua", "owner == ABANDONED or state ~= 'open'", "owner == ABANDONED"),
    Named(COHORTS, "place.lua", "if unsure then return {'unsure'} end", ""),
    Named(COHORTS, "place.lua", "if cast >= size then", "if cast > size then"),
    Named(COHORTS, "place.lua", "'k', known[4] + 1", "'k', known[4]"),
    Named(COHORTS, "place.lua", "known[1] == 'open' and cast < needed", "cast < needed"),
    Named(COHORTS, "leave.lua", "if leaving[2 * n] == 'abandoned' and", "if false and"),
    Named(COHORTS, "leave.lua", "if #gone > 0 then", "if false then"),
    Named(BATCHES, "submit.lua", "if known then return {'known', known} end", ""),
    Named(BATCHES, "submit_taught.lua", "slot.rollouts > 0 and not has(slot.key, slot.need)", "slot.rollouts > 0"),
    Named(BATCHES, "submit_taught.lua", "or announced", "or 0"),
    Named(BATCHES, "keep_label.lua", "if not has(slot, version) then", "if true then"),
    Named(BATCHES, "keep_label.lua", "if tonumber(need) <= newest then", "if tonumber(need) < newest then"),
    Named(BATCHES, "take_labels.lua", "tonumber(known[1]) <= version", "true"),
    Named(BATCHES, "labels.lua", "or redis.call('ZSCORE', taken, slot) then", "then"),
    Named(BATCHES, "settle_batches.lua", "known:sub(1, 1) == 'P'", "true"),
    Named(BATCHES, "renew_labels.lua", "== teacher and redis", "== teacher or redis"),
    Named(BATCHES, "give_back.lua", "== teacher and", "~= '' and"),
]


def text_of(mutant: Named) -> str:
    """The file that a mutant is of."""
    folder = ("domain",) if mutant.file.endswith(".py") else ("store", "lua")
    return files("reward_service").joinpath(*folder, mutant.file).read_text()


def found(mutant: Named, url: str) -> bool:
    """Whether histories find it, in a child of this process that has not imported what is changed."""
    assert mutant.old in text_of(mutant), f"{mutant.file} has no {mutant.old!r}"
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        os._exit(0 if _survives(mutant, url) else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != 0


def _survives(mutant: Named, url: str) -> bool:
    change = str
    if mutant.file.endswith(".py"):
        name = f"reward_service.domain.{mutant.file.removesuffix('.py')}"
        sys.meta_path.insert(0, Instead(name, text_of(mutant).replace(mutant.old, mutant.new)))
    else:
        change = changed(mutant.file, mutant.old, mutant.new)
    from tests.contract import test_batch_machine, test_cohort_machine
    from tests.contract.histories import play

    machines = {COHORTS: test_cohort_machine.CohortMachine, BATCHES: test_batch_machine.BatchMachine}
    try:
        play(machines[mutant.machine], url, change, EXAMPLES)
    except Exception:
        return False
    return True


def run_all() -> None:
    """Says of each whether it was found; fails if one was not."""
    binary = shutil.which("redis-server")
    assert binary is not None, "needs redis-server"
    missed = 0
    with server(binary) as url:
        for mutant in MUTANTS:
            was_found = found(mutant, url)
            missed += not was_found
            print(
                "found   " if was_found else "SURVIVED",
                mutant.file,
                repr(mutant.old.strip()),
                "->",
                repr(mutant.new),
                flush=True,
            )
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} found")
    sys.exit(min(missed, 1))
