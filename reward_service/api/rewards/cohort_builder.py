"""Make cohorts and ballots of a request; the text of a response goes no further. Pure: the store is not asked."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from co_rewarding_schema.limits import MAX_ROLLOUT
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import evaluated_by
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import RewardRequest, Rollout
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.trainer_formats import CohortLabel
from co_rewarding_schema.vocabulary import View, Voter

from reward_service.api.http.problems import Problem, text_too_long
from reward_service.api.rewards.rollout_checks import EvidenceCheck, check_seat
from reward_service.domain.extraction import extractor
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.keys import digest, mark_of, question_of_prompt
from reward_service.store.records import VIEWS, VOTERS, BallotRow, BatchJob, CohortHead, CohortRows, Rules, packed
from reward_service.store.submissions import JoiningCohort

Answers = Mapping[int, str | None]
"""Answers of rollouts by their position in a request."""

_VIEW_INDEX: Mapping[str, int] = {view: index for index, view in enumerate(VIEWS)}
_VOTER_INDEX: Mapping[str, int] = {voter: index for index, voter in enumerate(VOTERS)}


def views_of(method: Method, view: View) -> tuple[View, ...]:
    """The views of a rollout's cohort."""
    return method.views_decided_with(view)


def letters(views: Sequence[View]) -> str:
    """The views of a cohort as the store writes them."""
    return "".join(VIEW_LETTERS[_VIEW_INDEX[view]] for view in views)


@dataclass(slots=True)
class _Gathering:
    """One cohort of a batch while its rollouts are read."""

    question_id: str
    rows_B: list[BallotRow] = field(default_factory=list)
    positions_B: list[int] = field(default_factory=list)
    attempts_B: list[int] = field(default_factory=list)


def batch_of(
    request: RewardRequest,
    method: Method,
    settings: RunSettings,
    max_text_chars: int,
    found: Answers | None = None,
) -> BatchJob:
    """A self-contained batch as a job: what it holds of a question is that question's cohort.

    `found` holds the answers, by position, that were looked for before.

    Raises:
        Problem: 422 where a rollout names no question, 409 where two differ under one identity, 413 for a long text.
    """
    found = found or {}
    evidence = EvidenceCheck.of(request, method)
    by_text = method.is_drawn and not request.complete
    cohorts: list[_Gathering] = []
    seats = Counter[tuple[str, int, int]]() if any(each.rollout is None for each in request.rollouts) else None
    # A batch that brings the ballots of other voters holds them with all whose labels they elect.
    brings_others = method.needs_others and any(each.voter is not Voter.POLICY for each in request.rollouts)
    linked = method.views_elected_with if brings_others else method.views_decided_with
    by_views: dict[str, dict[str, _Gathering]] = {letters(linked(view)): {} for view in VIEWS}
    by_question = [by_views[letters(linked(view))] for view in VIEWS]  # views that are decided together share one
    answer_of = extractor(settings.answer_formats, settings.end_tokens, settings.thinking)
    for position, rollout in enumerate(request.rollouts):
        question_id = _question(rollout, position, max_text_chars)
        view, voter = _VIEW_INDEX[rollout.view], _VOTER_INDEX[rollout.voter]
        cohort = by_question[view].get(question_id)
        if cohort is None:
            cohort = by_question[view][question_id] = _Gathering(question_id)
            cohorts.append(cohort)
        index = rollout.rollout
        if seats is not None:
            group = (question_id, view, voter)
            if index is None:
                index = _index_by_text(rollout) if by_text else seats[group]
            seats[group] += 1
        if evidence is not None:
            evidence.check(rollout, position)
        answer = found[position] if position in found else answer_of(rollout.response)
        cohort.rows_B.append(_row(rollout, view, voter, index, answer))
        cohort.positions_B.append(position)
        cohort.attempts_B.append(rollout.attempt)
    rules = Rules.of(method.name, settings)
    by_truth = _rules_by_truth(request, rules, settings)
    made: list[CohortRows] = []
    for cohort in cohorts:
        compared = by_truth is not rules and any(row.ground_truth is not None for row in cohort.rows_B)
        own = by_truth if compared else rules
        head = CohortHead(cohort.question_id, request.step, max(cohort.attempts_B), own)
        made.append(CohortRows(head, _once_each(cohort), cohort.positions_B))
    return BatchJob(request.run, request.step, _method_of([each.head.rules for each in made], method), made)


def _index_by_text(rollout: Rollout) -> int:
    """Return the index of a rollout that came apart from its group without one: its text is its identity."""
    return int(digest(rollout.prompt or "", rollout.response, size=8), 16) % (MAX_ROLLOUT + 1)


def _rules_by_truth(request: RewardRequest, rules: Rules, settings: RunSettings) -> Rules:
    """Return the rules for what carries a ground truth: the same as for all else, but in an evaluation."""
    return Rules.of(evaluated_by(truth=True).name, settings) if request.evaluate else rules


def _method_of(rules: Iterable[Rules], method: Method) -> str:
    """Return the method that rewarded: that of all cohorts, or of an evaluation by several `method`."""
    names = {each.method for each in rules}
    return names.pop() if len(names) == 1 else method.name


def _once_each(cohort: _Gathering) -> list[BallotRow]:
    """The rows of a cohort, where each identity votes once: of several attempts the highest, of copies the first.

    Raises:
        Problem: 409 where two rollouts of one identity and attempt differ.
    """
    if len({(row.view, row.voter, row.rollout) for row in cohort.rows_B}) == len(cohort.rows_B):
        return cohort.rows_B
    identities = [(row.view, row.voter, row.rollout) for row in cohort.rows_B]
    chosen: dict[tuple[int, int, int | None], int] = {}
    for index, identity in enumerate(identities):
        other = chosen.get(identity)
        if other is None or cohort.attempts_B[index] > cohort.attempts_B[other]:
            chosen[identity] = index
        elif cohort.attempts_B[index] == cohort.attempts_B[other] and cohort.rows_B[index] != cohort.rows_B[other]:
            here, there = cohort.positions_B[index], cohort.positions_B[other]
            raise Problem(
                ProblemKind.TWO_BALLOTS,
                f"rollouts[{here}] and rollouts[{there}] are the same rollout of {cohort.question_id!r} with different "
                "content: number the rollouts of a group, or raise attempt when a step is done again.",
            )
    return [
        row if chosen[identity] == index else row.uncounted()
        for index, (row, identity) in enumerate(zip(cohort.rows_B, identities, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class RequestPart:
    """A part of some cohorts: what is to join, where each rollout of the request went, and the method of the answer."""

    cohorts: list[JoiningCohort]
    places_N: list[tuple[str, str]]
    method: str

    def named(self, request: RewardRequest, cohort: str, about: str) -> str:
        """Name the rollout of the request that a refusal is about: a ballot of a cohort, or the first of a view."""
        for position, (name, ballot) in enumerate(self.places_N):
            if name == cohort and (ballot == about or ballot[0] == about):
                rollout = request.rollouts[position]
                number = "a rollout" if rollout.rollout is None else f"rollout {rollout.rollout}"
                question = rollout.question_id or rollout.prompt or ""
                step = "" if request.step is None else f", step {request.step}"
                return f"rollouts[{position}], {number} of question {question[:60]!r} (view {rollout.view}{step}),"
        return "a rollout"


def part_of(
    request: RewardRequest,
    method: Method,
    settings: RunSettings,
    key: str | None,
    max_text_chars: int,
    found: Answers | None = None,
) -> RequestPart:
    """A request that holds a part of its cohorts (one rank's, say).

    A rollout with an index is known by it: sent twice it votes once. One without is known by the key of its request and
    its place there: whoever sends it is alone with it, and it votes once too. A rollout of an evaluation that carries a
    ground truth is a cohort by itself, which waits for no other.

    Raises:
        Problem: as `batch_of`; 409 for an index beyond the group or a ballot of the teacher; 422 for a rollout that has
            neither an index nor a key, and would vote again when it is sent again.
    """
    found = found or {}
    evidence = EvidenceCheck.of(request, method)
    rules = Rules.of(method.name, settings)
    by_truth = _rules_by_truth(request, rules, settings)
    answer_of = extractor(settings.answer_formats, settings.end_tokens, settings.thinking)
    heads: dict[str, tuple[CohortHead, str, bytes]] = {}
    ballots: dict[str, list[tuple[int, str, BallotRow]]] = {}
    seen: dict[tuple[str, str], BallotRow] = {}
    places_N: list[tuple[str, str]] = []
    for position, rollout in enumerate(request.rollouts):
        question_id = _question(rollout, position, max_text_chars)
        check_seat(rollout, position, settings, key)
        if evidence is not None:
            evidence.check(rollout, position)
        views = views_of(method, VIEWS[_VIEW_INDEX[rollout.view]])
        view = _VIEW_INDEX[rollout.view]
        ballot = f"{VIEW_LETTERS[view]}{f'{key}.{position}' if rollout.rollout is None else rollout.rollout}"
        answer = found[position] if position in found else answer_of(rollout.response)
        row = _row(rollout, view, _VOTER_INDEX[rollout.voter], rollout.rollout, answer)
        own = rules if row.ground_truth is None else by_truth
        head = CohortHead(question_id, request.step, rollout.attempt, own)
        name = identified_cohort(head, views, *((ballot,) if own is not rules else ()))
        places_N.append((name, ballot))
        earlier = seen.setdefault((name, ballot), row)
        if earlier != row:
            raise Problem(
                ProblemKind.TWO_BALLOTS,
                f"rollouts[{position}] is the same rollout of {question_id!r} as an earlier one with other content: "
                "number the rollouts of a group.",
            )
        if earlier is row:
            if name not in heads:
                heads[name] = head, letters(views), mark_of(question_id, request.step)
            ballots.setdefault(name, []).append((view, ballot, row))
    joining = [
        JoiningCohort(name, packed(head), views, ballots[name], mark, None if head.rules is rules else 1)
        for name, (head, views, mark) in heads.items()
    ]
    return RequestPart(joining, places_N, _method_of([head.rules for head, _, _ in heads.values()], method))


def identified_cohort(head: CohortHead, views: Sequence[View], *ballot: str) -> str:
    """The name of the cohort that everyone who knows its run, step, question, method and attempt arrives at.

    A ballot that is a cohort by itself is named too.
    """
    step = "" if head.step is None else str(head.step)
    return digest(step, head.question_id, letters(views), head.rules.method, str(head.attempt), *ballot, size=10)


def rollout_of_label(label: CohortLabel, response: str, prompt: str | None = None) -> Rollout:
    """A rollout of the compatibility routes, as one of /v1."""
    return Rollout(
        response=response,
        question_id=label.question_id,
        prompt=prompt or None,
        view=label.view,
        rollout=label.rollout,
        attempt=label.attempt,
        ground_truth=label.ground_truth,
        evidence=label.evidence,
    )


def row_of(rollout: Rollout, settings: RunSettings, found: Answers) -> BallotRow:
    """A rollout of a run with these settings as it is stored; `found` holds its answer if it was looked for before."""
    view, voter = _VIEW_INDEX[rollout.view], _VOTER_INDEX[rollout.voter]
    answer_of = extractor(settings.answer_formats, settings.end_tokens, settings.thinking)
    return _row(rollout, view, voter, rollout.rollout, found[0] if 0 in found else answer_of(rollout.response))


def _question(rollout: Rollout, position: int, max_text_chars: int) -> str:
    prompt, truth = rollout.prompt, rollout.ground_truth
    if (
        len(rollout.response) > max_text_chars
        or (prompt is not None and len(prompt) > max_text_chars)
        or (truth is not None and isinstance(truth, str) and len(truth) > max_text_chars)
    ):
        raise text_too_long(f"rollouts[{position}]", max_text_chars)
    if rollout.question_id is not None:
        return rollout.question_id
    if rollout.prompt is None:
        raise Problem(ProblemKind.NO_QUESTION, f"rollouts[{position}]: send question_id, or prompt in its place.")
    return question_of_prompt(rollout.prompt)


def text_of_truth(truth: str | float | None) -> str | None:
    """Return a ground truth as text; a blank one is none."""
    text = "" if truth is None else str(truth)
    return text if text and not text.isspace() else None


def _row(rollout: Rollout, view: int, voter: int, index: int | None, answer: str | None) -> BallotRow:
    statistics = rollout.statistics
    if rollout.ground_truth is None and statistics is None and rollout.evidence is None:
        return BallotRow(view, voter, index, answer)
    return BallotRow(
        view,
        voter,
        index,
        answer,
        None if rollout.ground_truth is None else text_of_truth(rollout.ground_truth),
        None if statistics is None else statistics.self_certainty,
        None if statistics is None else statistics.entropy,
        evidence=None if rollout.evidence is None and statistics is None else _evidence(rollout),
    )


def _evidence(rollout: Rollout) -> tuple[bool | None, float | None, int | None] | None:
    evidence, statistics = rollout.evidence, rollout.statistics
    length = None if statistics is None else statistics.length
    if evidence is None:
        return None if length is None else (None, None, length)
    return evidence.verified, evidence.confidence, length
