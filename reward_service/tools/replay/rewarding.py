"""Send batches to the service, and write a line for each rollout: its reward, or why it has none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from co_rewarding_client import Evidence, InvalidRequest, Label, Rewards, Rollout, Statistics
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.limits import MAX_ANSWER_CHARS

from reward_service.domain.extraction import first_turn
from reward_service.tools.replay.batches import Batch, Place
from reward_service.tools.replay.errors import ScoringError
from reward_service.tools.replay.rollout_files import FileRollout


class BatchRewarder(Protocol):
    """Who rewards a batch: the client of a service."""

    def rewards(
        self, rollouts: Sequence[Rollout], *, step: int | None = None, method: str | None = None, complete: bool = True
    ) -> Rewards:
        """The rewards of the rollouts, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch of B rollouts and their rewards, in the same order."""

    batch: Batch
    rewards: Rewards


def score(batch: Batch, rewarder: BatchRewarder, method: str | None, place: Place) -> Scored:
    """Has one batch rewarded; it holds its groups whole.

    Raises:
        ScoringError: the service refuses it, or is away. `place` tells where a row is.
    """
    rollouts = [_sent(rollout) for rollout in batch.rollouts_B]
    try:
        return Scored(batch, rewarder.rewards(rollouts, step=batch.step, method=method, complete=True))
    except CoRewardingError as cause:
        if not isinstance(cause, InvalidRequest):  # not for what is in these rows: a key, a run, a service that is away
            raise ScoringError(f"the service did not reward the rollouts: {cause}") from cause
        last = batch.rollouts_B[-1].row
        raise ScoringError(f"{place(batch.rollouts_B[0].row)}: rollouts from here to row {last}: {cause}") from cause


def lines(scored: Scored, *, plain_answers: bool = False) -> Iterator[dict[str, Any]]:
    """Yields a line for each rollout, with the same keys in each.

    Of `answer` and `why` one is null, of `reward` and `abstention` too. `row` is the rollout's place in the file.
    """
    rewards = scored.rewards
    label_of = {(label.question_id, label.view): _label(label) for label in rewards.labels}
    columns = zip(scored.batch.rollouts_B, rewards.answers, rewards.rewards, rewards.abstentions, strict=True)
    for rollout, answer, reward, abstention in columns:
        yield {
            "row": rollout.row,
            "question_id": rollout.question_id,
            "step": rollout.step,
            "view": rollout.view,
            "rollout": rollout.rollout,
            "answer": answer,
            "why": why_no_answer(rollout.response, plain=plain_answers) if answer is None else None,
            "reward": reward,
            "abstention": abstention,
            "label": label_of.get((rollout.question_id, rollout.view)),
        }


def why_no_answer(response: str, *, plain: bool = False) -> str:
    r"""Why the service found no answer in a response. `plain` says that it was an answer, boxed here."""
    if not response.strip():
        return "no answer given" if plain else "empty response"
    if "\\boxed" not in response:
        return "no \\boxed{}"
    if "\\boxed" not in first_turn(response):
        return "no \\boxed{} before the token that ends the turn"
    return f"no complete \\boxed{{}} that holds 1 to {MAX_ANSWER_CHARS} characters"


def _sent(rollout: FileRollout) -> Rollout:
    statistics = evidence = None
    if rollout.verified is not None or rollout.confidence is not None:
        evidence = Evidence(verified=rollout.verified, confidence=rollout.confidence)
    if rollout.self_certainty is not None or rollout.entropy is not None:
        statistics = Statistics(self_certainty=rollout.self_certainty, entropy=rollout.entropy)
    return Rollout(
        question_id=rollout.question_id,
        view=rollout.view,
        rollout=rollout.rollout,
        response=rollout.response,
        ground_truth=rollout.ground_truth,
        statistics=statistics,
        evidence=evidence,
    )


def _label(label: Label) -> dict[str, Any]:
    return {"answer": label.answer, "votes": label.votes, "of": label.of, "voter": label.voter}
