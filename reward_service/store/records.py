"""Define what is kept in Redis, as arrays: a name for each field would double the memory of a million cohorts."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Abstention, Conventions, Quarantine, View, Voter

from reward_service.domain.cohort import CohortState, ElectedLabel
from reward_service.domain.elections import MethodParameters

VIEWS = tuple(View)
VOTERS = tuple(Voter)
ABSTENTIONS = tuple(Abstention)


class BallotRow(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """A ballot as it is stored: indices into VIEWS and VOTERS, the answer, and what else may decide its reward.

    `evidence` is whether the rollout was verified, its confidence, and the tokens of its response.
    """

    view: int
    voter: int
    rollout: int | None
    answer: str | None
    ground_truth: str | None = None
    self_certainty: float | None = None
    entropy: float | None = None
    counted: bool = True
    evidence: tuple[bool | None, float | None, int | None] | None = None

    def uncounted(self) -> "BallotRow":
        """The same ballot, to be rewarded and not to vote."""
        return msgspec.structs.replace(self, counted=False)


class LabelRow(msgspec.Struct, array_like=True, frozen=True):
    """A label as it is stored; `answer_class` indexes the record's classes."""

    view: int
    answer: str
    answer_class: int
    votes: int | float
    of: int | float
    voter: str
    voted_on: list[int]
    matches_truth: bool | None = None
    version: int | None = None
    instability: float | None = None

    def label(self, classes: Sequence[str]) -> ElectedLabel:
        """The label of the domain."""
        views = tuple(VIEWS[view] for view in self.voted_on)
        answer_class = classes[self.answer_class]
        return ElectedLabel(
            VIEWS[self.view],
            self.answer,
            answer_class,
            self.votes,
            self.of,
            self.voter,
            views,
            self.matches_truth,
            self.version,
            self.instability or 0.0,
        )


class PeerRules(msgspec.Struct, array_like=True, frozen=True):
    """Whose ballots label a cohort: how far behind they may lie, what holds without any, for how long to wait."""

    runs: tuple[str, ...]
    max_lag: int
    absent: str
    patience_s: float


class Rules(msgspec.Struct, array_like=True, frozen=True):
    """What decides a cohort besides its ballots. Rules kept by an earlier release end sooner.

    `parameters` are the settings that rules of the method read, by their names: those only that are not the defaults,
    and `peers` under a method that asks for peers.
    `history`: the labels are kept among the last of their question.
    """

    method: str
    min_votes: int
    min_vote_share: float
    conventions: str = Conventions.LENIENT.value
    quarantine: str = Quarantine.OFF.value
    parameters: tuple[tuple[str, float | int | PeerRules | None], ...] = ()
    history: bool = False

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, method: str, settings: RunSettings) -> "Rules":
        """A run's rules under a method. Each rollout asks for them."""
        row = method_named(method)
        quarantine = settings.quarantine if row.apart is not None else Quarantine.OFF.value
        history = settings.history or row.needs_history
        read: list[tuple[str, Any]] = [(name, getattr(settings, name)) for name in _READ_BY_RULES]
        parameters = tuple(each for each in read if each[1] != _READ_BY_RULES[each[0]])
        if row.needs_peers and settings.peers:
            patience = settings.peer_absent, settings.cohort_deadline_s
            parameters += (("peers", PeerRules(settings.peers, settings.max_peer_lag, *patience)),)
        needed = settings.min_votes, settings.min_vote_share
        return cls(method, *needed, settings.conventions, quarantine, parameters, history)

    @property
    def watched(self) -> bool:
        """Whether it is noted if the two views disagree."""
        return self.quarantine != Quarantine.OFF

    @property
    def of_method(self) -> MethodParameters:
        """The settings as the domain's rules read them."""
        read: dict[str, Any] = {name: value for name, value in self.parameters if not isinstance(value, PeerRules)}
        return MethodParameters(self.min_votes, self.min_vote_share, **read)

    @property
    def peers(self) -> PeerRules | None:
        """Whose ballots are waited for; None where none are."""
        if not self.parameters:  # as of most runs: each cohort asks
            return None
        return next((value for _, value in self.parameters if isinstance(value, PeerRules)), None)


_READ_BY_RULES = {
    name: default for name, default in MethodParameters._field_defaults.items() if name not in Rules.__struct_fields__
}


class CohortHead(msgspec.Struct, array_like=True, frozen=True):
    """What a cohort is of."""

    question_id: str
    step: int | None
    attempt: int
    rules: Rules


class CohortRecord(msgspec.Struct, array_like=True, frozen=True):
    """A settled cohort: ballots, classes, labels, rewards; everything that explains a reward.

    Attributes:
        ids_B: the ballots' identities, in the order of `rows_B`.
        classes: the distinct classes of the cohort's answers.
        classes_B: each ballot's class as an index into `classes`; -1 for no answer.
        rewards_B: None where the ballot's group abstained.
        abstentions_B: indices into ABSTENTIONS, -1 for none.
        undecided: comparisons that the grader left open.
        electors_E, elector_classes_E: the ballots of teacher and peers, which vote and earn nothing, and their classes.
        group_sizes: of a cohort that joined across requests, how many rollouts each view's group has, by its letter.
        elector_peers_E: which of the peers of the cohort's rules cast each of these ballots, -1 for the teacher; empty
            where no peer voted.
    """

    state: str
    ids_B: list[str]
    head: CohortHead
    rows_B: list[BallotRow]
    classes: list[str]
    classes_B: list[int]
    labels: list[LabelRow]
    rewards_B: list[float | None]
    abstentions_B: list[int]
    undecided: int = 0
    electors_E: list[BallotRow] = []
    elector_classes_E: list[int] = []
    group_sizes: dict[str, int] = {}
    elector_peers_E: list[int] = []

    @property
    def final_state(self) -> CohortState:
        """The state as a word of the domain."""
        return CohortState(self.state)

    def electors(self) -> list[tuple[BallotRow, str | None, str | None]]:
        """Return the ballots that earn nothing, each with the name of its class and the peer run that cast it."""
        peers = self.head.rules.peers
        classes, runs = (*self.classes, None), (*(peers.runs if peers else ()), None)  # -1 is None
        places = zip(self.elector_classes_E, self.elector_peers_E or [-1] * len(self.electors_E), strict=True)
        return [(row, classes[place], runs[peer]) for row, (place, peer) in zip(self.electors_E, places, strict=True)]


class CohortRows(msgspec.Struct, array_like=True, frozen=True):
    """One cohort of a self-contained batch; `positions_B` say where its rollouts stood in the request.

    `slots` names the teacher's labels that it waits for.
    """

    head: CohortHead
    rows_B: list[BallotRow]
    positions_B: list[int]
    slots: list[str] = []


class BatchJob(msgspec.Struct, array_like=True, frozen=True):
    """A self-contained batch on its way to a worker."""

    run: str
    step: int | None
    method: str
    cohorts: list[CohortRows]


class BatchRecord(msgspec.Struct, array_like=True, frozen=True):
    """A self-contained batch, settled: its cohorts in order, with the positions of their rollouts in the request."""

    run: str
    step: int | None
    method: str
    cohorts: list[CohortRecord]
    positions: list[list[int]]


class TicketRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a ticket stands for when its cohorts are joined by others: (cohort, ballot id) for each rollout.

    `fingerprint` is that of the request; empty where it came without a key, and for tickets of an earlier release.
    """

    run: str
    step: int | None
    method: str
    places_N: list[tuple[str, str]]
    fingerprint: str = ""


class OpenCohort(msgspec.Struct, frozen=True):
    """A cohort that is not settled, as the store holds it; `late` ballots came after it closed.

    `group_sizes` are known of one that was not settled before.
    """

    state: CohortState
    head: CohortHead
    ballots: dict[str, BallotRow]
    late: dict[str, BallotRow]
    size: int
    group_sizes: dict[str, int] = {}

    def all_rows(self) -> list[BallotRow]:
        """Return the ballots; those that came late do not vote."""
        return [*self.ballots.values(), *(row.uncounted() for row in self.late.values())]


def packed(value: msgspec.Struct) -> bytes:
    """The value as MessagePack."""
    return msgspec.msgpack.encode(value)


def unpack_row(data: bytes) -> BallotRow:
    """A ballot."""
    return msgspec.msgpack.decode(data, type=BallotRow)


def unpack_head(data: bytes) -> CohortHead:
    """A cohort's head."""
    return msgspec.msgpack.decode(data, type=CohortHead)


def unpack_cohort(data: bytes) -> CohortRecord:
    """A settled cohort."""
    return msgspec.msgpack.decode(data, type=CohortRecord)


def unpack_job(data: bytes) -> BatchJob:
    """A batch to settle."""
    return msgspec.msgpack.decode(data, type=BatchJob)


def unpack_batch(data: bytes) -> BatchRecord:
    """A settled batch."""
    return msgspec.msgpack.decode(data, type=BatchRecord)


def unpack_ticket(data: bytes) -> TicketRecord:
    """A ticket."""
    return msgspec.msgpack.decode(data, type=TicketRecord)


def open_cohort(fields: dict[bytes, bytes]) -> OpenCohort:
    """A cohort's hash, read."""
    ballots: dict[str, BallotRow] = {}
    late: dict[str, BallotRow] = {}
    group_sizes: dict[str, int] = {}
    for name, value in fields.items():
        if name.startswith(b"b:"):
            ballots[name[2:].decode()] = unpack_row(value)
        elif name.startswith(b"l:"):
            late[name[2:].decode()] = unpack_row(value)
        elif name.startswith(b"n:"):
            group_sizes[name[2:].decode()] = int(value)
    state = CohortState(fields[b"s"].decode())
    return OpenCohort(state, unpack_head(fields[b"m"]), ballots, late, int(fields[b"k"]), group_sizes)
