"""Outcomes and jobs, as they are told on the wire."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from reward_service.api.paraphrases.models import CandidateDocument, JobDocument, ParaphraseDocument
from reward_service.domain.paraphrases.checks.registry import CHECKS
from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import Candidate, Outcome, RewritingRecipe
from reward_service.paraphrasing.rewriting_tally import reasons_of
from reward_service.store.paraphrases import ACCEPTED, DRAWN, FATE, REJECTED, JobQuestion, JobStanding


def outcome_document(outcome: Outcome, recipe: RewritingRecipe) -> ParaphraseDocument:
    """What became of a question, with what was seen of each candidate."""
    candidates = [_candidate(each, recipe) for each in outcome.candidates]
    accepted = [each for each in candidates if each.accepted and each.text == outcome.paraphrase]
    told = accepted[0] if accepted else candidates[-1] if candidates else None
    return ParaphraseDocument(
        question_id=outcome.question_id,
        paraphrase=outcome.paraphrase,
        accepted=bool(accepted),
        fate=outcome.fate,
        checks={} if told is None else told.checks,
        reasons=[] if told is None else told.reasons,
        candidates=candidates,
        error=outcome.error,
    )


def row_of(item: JobQuestion, outcome: Outcome) -> dict[str, Any]:
    """A pair in the columns that training reads, and the others of its row behind them."""
    question = item.question
    named = {
        "question_id": question.question_id,
        "question": question.question,
        "paraphrase": outcome.paraphrase,
        "ground_truth": question.ground_truth,
    }
    return named | {name: value for name, value in item.columns.items() if name not in named}


def job_document(standing: JobStanding, paraphrasers: int) -> JobDocument:
    """What a job has come to."""
    counts = standing.counts
    return JobDocument(
        job=standing.job,
        run=standing.order.run,
        source=standing.order.source,
        state=standing.state,
        questions=standing.of,
        done=standing.done,
        making=standing.taken,
        paraphrasers=paraphrasers,
        created_at=_when(standing.created_s),
        ended_at=None if standing.ended_s is None else _when(standing.ended_s),
        fates=_sorted(counts[FATE]),
        drawn=_sorted(counts[DRAWN]),
        accepted=_sorted(counts[ACCEPTED]),
        rejected=_sorted(counts[REJECTED]),
    )


def _candidate(candidate: Candidate, recipe: RewritingRecipe) -> CandidateDocument:
    return CandidateDocument(
        prompt=candidate.prompt,
        text=candidate.text,
        accepted=candidate.accepted,
        checks=dict(_checks(candidate, recipe.policy)),
        reasons=[*candidate.review.reasons, *_other_reasons(candidate, recipe)],
    )


def _other_reasons(candidate: Candidate, recipe: RewritingRecipe) -> Iterator[str]:
    """What rejects it besides the checks of its text."""
    for name, words in reasons_of(candidate, recipe):
        if name not in CHECKS:
            yield f"{name}: {words}"


def _checks(candidate: Candidate, policy: AcceptancePolicy) -> Iterator[tuple[str, bool | float]]:
    """Whether each check that was asked is content, by what it holds: numbers_kept. Behind a fatal one, none was."""
    objections = {each.check for each in candidate.review.objections}
    for name, row in CHECKS.items():
        if name in policy.deciding or name in policy.telling:
            yield row.check.__name__, name not in objections
            if name in objections and row.fatal:
                break
    yield "marked", candidate.marked
    for share, value in (("same_answer", candidate.same_answer), ("similarity", candidate.similarity)):
        if value is not None:
            yield share, value


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """The largest first; equal ones by name."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _when(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))
