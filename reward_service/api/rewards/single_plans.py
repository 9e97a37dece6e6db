"""Plan how a single rollout of a trainer's own format is rewarded: alone, by its index, or by its text."""

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.methods import BY_GROUND_TRUTH, WITHIN_A_VIEW, evaluated_by
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import Rollout
from co_rewarding_schema.run_names import DEFAULT_RUN, evaluated_run
from co_rewarding_schema.trainer_formats import CohortLabel, TruthLabel

from reward_service.api.http.problems import Problem, text_too_long
from reward_service.api.rewards.cohort_builder import letters, rollout_of_label, text_of_truth, views_of
from reward_service.api.rewards.evaluation import evaluation_of
from reward_service.api.rewards.openrlhf import SingleRollout
from reward_service.api.rewards.peer_requests import no_peers
from reward_service.api.rewards.rollout_checks import EvidenceCheck, check_seat
from reward_service.api.rewards.run_cache import RunCache, usable_method
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.keys import digest, mark_of, question_of_prompt
from reward_service.store.records import VIEWS, BallotRow, CohortHead, Rules, packed
from reward_service.store.submissions import ArrivingRollout, Revised

KEPT_QUESTIONS = 4096


class Need(Enum):
    """What a rollout's reward needs: nothing, those of its group by index, or those that get a place beside it."""

    ALONE = auto()
    INDEXED = auto()
    PLACED = auto()


@dataclass(frozen=True, slots=True)
class SinglePlan:
    """How one rollout of a request is rewarded.

    `revision` is that of the settings that say so; None where the rollout says so by itself.
    """

    need: Need
    item: SingleRollout
    rollout: Rollout
    run: str
    method: Method
    label: CohortLabel
    revision: str | None = None


class SinglePlanner:
    """Plans the rollouts of trainers' own formats, before anything of their request is kept."""

    def __init__(self, run_cache: RunCache, max_text_chars: int) -> None:
        """Look up runs in the cache; refuse responses of more than `max_text_chars`."""
        self._run_cache = run_cache
        self._max_text_chars = max_text_chars
        self._question_of = lru_cache(KEPT_QUESTIONS)(_question_of)  # the rollouts of a group come together

    async def plan(self, item: SingleRollout, run: str | None, position: int) -> SinglePlan:
        """Return how the rollout at a position of a request is rewarded.

        Raises:
            Problem: it cannot be: for its length, its run, its index, or since nothing names its question.
        """
        self.check(item, position)
        named_run = run_of(item, run)
        if item.label is None:
            return self.planned(item, named_run, position, None)
        tries = self._run_cache.tries(named_run)
        while True:
            try:
                return self.planned(item, named_run, position, await tries.settings())
            except Problem:  # by old settings it may be none
                if not await tries.changed():
                    raise

    def check(self, item: SingleRollout, position: int) -> None:
        """Refuse a rollout whatever its run.

        Raises:
            Problem: its response is too long, or nothing names its question.
        """
        if len(item.response) > self._max_text_chars:
            raise text_too_long(f"the response at {position}", self._max_text_chars)
        if item.label is None and not item.prompt:
            raise Problem(
                ProblemKind.NO_QUESTION,
                f"the rollout at {position} has neither a label nor a prompt: nothing says whom it votes with.",
            )

    def planned(self, item: SingleRollout, run: str, position: int, revised: Revised | None) -> SinglePlan:
        """Return the plan of a checked rollout; `revised` are its run's settings, None for one without a label.

        Raises:
            Problem: its index is none of its group's.
        """
        match item.label:
            case None:
                label = CohortLabel(question_id=question_of_prompt(item.prompt))
                rollout = rollout_of_label(label, item.response)
                return SinglePlan(Need.PLACED, item, rollout, run, usable_method(WITHIN_A_VIEW), label)
            case TruthLabel(truth):
                label = CohortLabel(question_id=question_of_prompt(item.prompt), ground_truth=truth)
                rollout = rollout_of_label(label, item.response)
                return SinglePlan(Need.ALONE, item, rollout, run, usable_method(BY_GROUND_TRUTH), label)
            case CohortLabel() as label:
                assert revised is not None
                rollout = rollout_of_label(label, item.response, item.prompt)
                method = usable_method(revised.settings.method)
                if method.evidence is not None:
                    EvidenceCheck(method).check(rollout, position)
                if label.ground_truth is not None and _is_compared(run, label.ground_truth):
                    return SinglePlan(Need.ALONE, item, rollout, run, evaluated_by(truth=True), label)
                if method.needs_peers and not revised.settings.peers:
                    raise no_peers(method, run)
                if not method.is_gathered:
                    return SinglePlan(Need.ALONE, item, rollout, run, method, label, revised.revision)
                if label.rollout is None:
                    return SinglePlan(Need.PLACED, item, rollout, run, method, label, revised.revision)
                check_seat(rollout, position, revised.settings, None)
                return SinglePlan(Need.INDEXED, item, rollout, run, method, label, revised.revision)

    def arrival(self, plan: SinglePlan, row: BallotRow, revised: Revised, request: str) -> ArrivingRollout:
        """Return what the store is told of a rollout without an index; `request` is the one that waits for it."""
        method, label = plan.method, plan.label
        views = letters(views_of(method, VIEWS[row.view]))
        rules = Rules.of(method.name, revised.settings)
        question, head, mark = self._question_of(CohortHead(label.question_id, label.step, label.attempt, rules), views)
        return ArrivingRollout(
            question=question,
            digest=digest(VIEW_LETTERS[row.view], plan.item.prompt, plan.item.response, size=12),
            view=row.view,
            views=views,
            group_size=label.n or revised.settings.group_size,
            head=head,
            row=row,
            request=request,
            stepped=label.step is not None,
            mark=mark,
        )


def run_of(item: SingleRollout, run: str | None) -> str:
    """Return the run of a rollout: its label's, or that of its request.

    Raises:
        Problem: it is to be evaluated, and its run cannot be.
    """
    label = item.label
    if label is None:
        return run or DEFAULT_RUN
    named = label.run or run or DEFAULT_RUN
    return evaluation_of(named) if label.evaluate else named


def _is_compared(run: str, truth: str) -> bool:
    """Whether a rollout with this ground truth needs no other: in an evaluation."""
    return evaluated_run(run) is not None and text_of_truth(truth) is not None


def _question_of(head: CohortHead, views: str) -> tuple[str, bytes, bytes]:
    """How a question is named where rollouts come without identity, its cohorts' head as it is kept, and their mark."""
    step = "" if head.step is None else str(head.step)
    return (
        digest(step, head.question_id, views, head.rules.method, str(head.attempt), size=10),
        packed(head),
        mark_of(head.question_id, head.step),
    )
