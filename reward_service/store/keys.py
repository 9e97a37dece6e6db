"""Name the Redis keys. Every key of a run carries the run as its hash tag, so a cluster keeps a run together."""

import hashlib
from dataclasses import dataclass

from co_rewarding_schema.run_names import EVALUATION_SUFFIX, evaluated_run

GROUP = "settlers"
"""The consumer group of every run's jobs."""

RUNS = "cr:runs"
"""Sorted set of the runs in use, by the time (s) of their last use: how workers learn which jobs to read."""

RUN_RETENTION_S = 30 * 24 * 3600.0
"""A run that nobody has used for so long is forgotten."""

RUN_TTL_MS = round(RUN_RETENTION_S * 1000)

SEPARATOR = "~"
"""Between a run and an id in tickets and cohort ids; never part of a run's name."""


def channel(replica: str) -> str:
    """The channel on which one API replica is woken."""
    return f"cr:wake:{replica}"


def presence(channel: str) -> str:
    """The channel to which a replica that is woken by another listens at every node of a cluster: it lives."""
    return f"{channel}:alive"


@dataclass(frozen=True, slots=True)
class RunKeys:
    """The keys of one run."""

    run: str

    @property
    def prefix(self) -> str:
        """What every key of the run begins with."""
        evaluated = evaluated_run(self.run)
        return f"cr:{{{self.run}}}:" if evaluated is None else f"cr:{{{evaluated}}}{EVALUATION_SUFFIX}:"

    @property
    def settings(self) -> str:
        """Hash: the settings and their revision. A run and its evaluation have one: what changes it is seen by both."""
        return f"cr:{{{evaluated_run(self.run) or self.run}}}:settings"

    @property
    def clock(self) -> str:
        """Hash: the run's time, as lua/clock.lua keeps it."""
        return f"{self.prefix}clock"

    @property
    def jobs(self) -> str:
        """Stream: what is to be settled."""
        return f"{self.prefix}jobs"

    @property
    def deadlines(self) -> str:
        """Sorted set: open cohorts by deadline (ms of the run's time)."""
        return f"{self.prefix}deadlines"

    @property
    def stats(self) -> str:
        """Hash: counts of what was settled."""
        return f"{self.prefix}stats"

    @property
    def history(self) -> str:
        """Hash: the last labels of each question."""
        return f"{self.prefix}history"

    @property
    def orders(self) -> str:
        """What the sorted sets begin with of the questions with a history: by flips, disagreement and share."""
        return f"{self.prefix}questions:"

    @property
    def series(self) -> str:
        """Hash: sums of what settled groups came to, by step and attempt."""
        return f"{self.prefix}series"

    @property
    def steps(self) -> str:
        """Sorted set: the names in `series`, by step."""
        return f"{self.prefix}steps"

    @property
    def waiting_sums(self) -> str:
        """List: sums of settled jobs that are not in `series` yet."""
        return f"{self.prefix}waiting-sums"

    @property
    def answers(self) -> str:
        """What the hashes begin with in which the answers of a step are counted, for the latest steps."""
        return f"{self.prefix}answers:"

    @property
    def waits(self) -> str:
        """Sorted set: batches that wait for the teacher, by deadline (ms of the run's time)."""
        return f"{self.prefix}waits"

    @property
    def peer_waits(self) -> str:
        """Sorted set: cohorts and batches that wait for ballots of peers, by deadline (ms of the run's time)."""
        return f"{self.prefix}peer-waits"

    @property
    def awaited_peers(self) -> str:
        """Hash: of each peer, how many groups of its ballots are waited for."""
        return f"{self.prefix}awaited-peers"

    @property
    def standing(self) -> str:
        """Hash: the newest step of which the run has cast ballots for others, and the first since it was named."""
        return f"{self.prefix}standing"

    @property
    def lagging(self) -> str:
        """Sorted set: who takes ballots of an earlier step once the run has gone on, by the step that lacks them."""
        return f"{self.prefix}lagging"

    @property
    def missing(self) -> str:
        """Hash: of each run that waits for this one's ballots, since when (ms of this one's time), or `absent`."""
        return f"{self.prefix}missing"

    @property
    def asks(self) -> str:
        """Sorted set: labels that the teacher is asked for, by how many rollouts wait for each."""
        return f"{self.prefix}asks"

    @property
    def taken(self) -> str:
        """Sorted set: labels that a teacher is at work on, by the end of its lease (ms of the run's time)."""
        return f"{self.prefix}taken"

    @property
    def teacher(self) -> str:
        """Hash: what the run's teacher stands at, the step of the last weights that were announced, teachers lost."""
        return f"{self.prefix}teacher"

    @property
    def teachers(self) -> str:
        """Hash: what each teacher process at the run's service said last."""
        return f"{self.prefix}teachers"

    @property
    def updates(self) -> str:
        """Sorted set: weights that were announced and are not in the average yet, by step."""
        return f"{self.prefix}updates"

    @property
    def pairs(self) -> str:
        """Hash: what was seen of each pair, by question."""
        return f"{self.prefix}pairs"

    @property
    def pairs_base(self) -> str:
        """Hash: how often the views of pairs have disagreed that nothing is held against."""
        return f"{self.prefix}pairs_base"

    @property
    def quarantined(self) -> str:
        """Sorted set: the questions whose pairs are in quarantine, by the evidence against them."""
        return f"{self.prefix}quarantined"

    @property
    def found(self) -> str:
        """What the lists begin with in which cohorts are found by their question."""
        return f"{self.prefix}f:"

    def slot(self, slot: str) -> str:
        """Hash: one view of a question as the teacher sees it: its text, its label, and who waits for one."""
        return f"{self.prefix}l:{slot}"

    def waiting(self, batch: str) -> str:
        """Hash: a batch that waits for labels."""
        return f"{self.prefix}w:{batch}"

    def awaiting(self, name: str) -> str:
        """Hash: a cohort or batch that waits for ballots of peers."""
        return f"{self.prefix}p:{name}"

    def cast_steps(self, slot: str) -> str:
        """Sorted set: the steps of which the run has ballots for others on one view of a question."""
        return f"{self.prefix}v:{slot}"

    def cast(self, slot: str, step: str) -> str:
        """Hash: the ballots of one of these steps; '' is that of rollouts without a step."""
        return f"{self.prefix}v:{slot}:{step}"

    def open_cohort(self, cohort: str) -> str:
        """Hash: a cohort's ballots until it is settled, and those that come late."""
        return f"{self.prefix}c:{cohort}"

    def record(self, cohort: str) -> str:
        """String: a settled cohort."""
        return f"{self.prefix}r:{cohort}"

    def batch(self, batch: str) -> str:
        """String: a self-contained batch, pending or settled."""
        return f"{self.prefix}b:{batch}"

    def ticket(self, ticket: str) -> str:
        """String: which ballots of which cohorts a ticket stands for."""
        return f"{self.prefix}t:{ticket}"

    def alive(self, channel: str) -> str:
        """String: when the replica behind a channel last said that it holds rollouts of the run (ms of its time)."""
        return f"{self.prefix}alive:{channel}"

    def rounds(self, question: str) -> str:
        """Hash: of a question whose rollouts come without identity, the current rounds, and who holds which place."""
        return f"{self.prefix}rounds:{question}"

    def texts(self, question: str) -> str:
        """Sorted set: the places of the same question by their text."""
        return f"{self.prefix}texts:{question}"


def qualified(run: str, identifier: str) -> str:
    """An id as clients see it: it carries its run, so that it can be looked up alone."""
    return f"{run}{SEPARATOR}{identifier}"


def split_qualified(name: str) -> tuple[str, str] | None:
    """The run and the id of a qualified id; None if it is not one."""
    run, separator, identifier = name.partition(SEPARATOR)
    return (run, identifier) if separator and run and identifier else None


DIGEST_BYTES = 6


def mark_of(question_id: str, step: int | None) -> bytes:
    """What a cohort's name begins with where it is looked up. Of two questions that share it, the record tells."""
    return question_mark(question_id) + step_mark(step)


def question_mark(question_id: str) -> bytes:
    """The part of the mark that is the same for every step."""
    return hashlib.sha256(question_id.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES]


def step_mark(step: int | None) -> bytes:
    """The part of the mark that is the step's."""
    return b"\n" if step is None else b"%d\n" % step


def digest(*parts: str | bytes, size: int = 16) -> str:
    """A name for content: `size` bytes in hexadecimal, the same for the same parts."""
    hasher = hashlib.sha256()  # which processors have instructions for
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[: 2 * size]


def question_of_prompt(prompt: str) -> str:
    """How a question that is known by its text alone is named."""
    return f"prompt:{digest(prompt, size=12)}"
