"""Refuse rollouts that have no place of their own in their group, or lack the evidence that weighs their ballot."""

from dataclasses import dataclass

from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.rollouts import RewardRequest, Rollout
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import Voter

from reward_service.api.http.problems import Problem


def check_seat(rollout: Rollout, position: int, settings: RunSettings, key: str | None) -> None:
    """Refuse a rollout that has no place of its own in its group.

    Raises:
        Problem: 409 for an index beyond the group or a ballot of the teacher; 422 without an index and a key.
    """
    if rollout.voter is not Voter.POLICY:
        raise Problem(
            ProblemKind.NOT_YOURS,
            f"rollouts[{position}]: the ballots of teachers and peers are cast by the service; send the policy's.",
        )
    if rollout.rollout is None and key is None:
        raise Problem(
            ProblemKind.NO_IDENTITY,
            f"rollouts[{position}] of a part has no `rollout` and its request no Idempotency-Key: sent again, it would "
            "vote again. Number the rollouts of a group from 0, or send another key with each request.",
        )
    if rollout.rollout is not None and rollout.rollout >= settings.group_size:
        raise Problem(
            ProblemKind.NO_SUCH_ROLLOUT,
            f"rollouts[{position}]: rollout {rollout.rollout} of a group of {settings.group_size}: indices begin at 0, "
            "and group_size, or evaluation_group_size for an evaluation, is set by PUT /v1/runs/{run}.",
        )


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """The check that rollouts bring the evidence by which a method weighs their ballots."""

    method: Method

    @classmethod
    def of(cls, request: RewardRequest, method: Method) -> "EvidenceCheck | None":
        """Return the check for a request; None where nothing is checked, as in an evaluation."""
        return None if request.evaluate or method.evidence is None else cls(method)

    def check(self, rollout: Rollout, position: int) -> None:
        """Refuse a rollout of the policy that lacks the evidence.

        Raises:
            Problem: 422, with what to send.
        """
        name = self.method.evidence
        if name is None or rollout.voter is not Voter.POLICY:
            return
        if rollout.evidence is None or getattr(rollout.evidence, name) is None:
            raise Problem(
                ProblemKind.NO_EVIDENCE,
                f"rollouts[{position}] has no evidence.{name}, and {self.method.name} weighs each ballot by it: send "
                "it with every rollout, or choose another method.",
            )
