"""Make rollouts of what TRL hands to a reward function, which tells no index: ranks hold a batch in its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import Rollout, View
from co_rewarding_client.pairing import numbered
from co_rewarding_client.training import last_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one rank has of a batch, in which the rollouts of a group stand side by side.

    Attributes:
        texts: the prompts as the policy reads them, where the service is to know them.
        columns: the columns of the data set.
        first: the place of the part in the batch.
        group_size: G.
    """

    completions: Sequence[Foreign]
    texts: Sequence[str] | None
    columns: Mapping[str, Any]
    ground_truth: str
    first: int
    group_size: int

    @property
    def truths(self) -> Sequence[Any]:
        """Return the ground truth of each rollout, None where there is none; a blank text is none to the service."""
        found = self.columns.get(self.ground_truth) or [None] * len(self.completions)
        return [None if isinstance(truth, str) and not truth.strip() else truth for truth in found]

    @property
    def question_ids(self) -> list[str | None]:
        """Return the question of each rollout, None where its text is its name."""
        found = self.columns.get("question_id")
        return [None] * len(self.completions) if found is None else [str(each) for each in found]

    @property
    def views(self) -> Sequence[str]:
        """Return the view of each rollout."""
        return self.columns.get("view") or [View.ORIGINAL.value] * len(self.completions)

    def trained(self, attempt: int) -> list[Rollout]:
        """Return the rollouts of a training step, numbered within their groups.

        Raises:
            InvalidRequest: a question was sampled twice.
        """
        groups = list(zip(self.question_ids, self.texts or self.question_ids, self.views, strict=True))
        responses = [last_text(each) for each in self.completions]
        return self._rollouts(attempt, self.question_ids, numbered(groups, responses, self.first, self.group_size))

    def evaluated(self, attempt: int, call: int, *, is_whole: bool) -> list[Rollout]:
        """Return the rollouts of an evaluation. Ranks fill their last call with rows from the beginning.

        So a question may come twice, and ranks that share a vote tell its groups by the places that these have.

        Raises:
            InvalidRequest: a vote would be that of one rollout, which is always right.
        """
        if self.group_size == 1 and None in self.truths:
            raise invalid(
                f"rows of the evaluation have no {self.ground_truth} to be compared with, and with one completion a "
                "prompt there is no vote: give ground truths, or set num_generations_eval above 1"
            )
        if is_whole:
            return self._rollouts(attempt, self.question_ids, [None] * len(self.completions))
        places = range(self.first, self.first + len(self.completions))
        ids = [
            f"{question_id or 'question'}#{call}.{place // self.group_size}"
            for question_id, place in zip(self.question_ids, places, strict=True)
        ]
        return self._rollouts(attempt, ids, [place % self.group_size for place in places])

    def _rollouts(
        self, attempt: int, question_ids: Sequence[str | None], numbers: Sequence[int | None]
    ) -> list[Rollout]:
        texts = self.texts or [None] * len(self.completions)
        rows = zip(question_ids, texts, self.views, numbers, self.completions, self.truths, strict=True)
        return [
            Rollout(
                question_id=question_id,
                prompt=text,
                view=view,
                rollout=number,
                attempt=attempt,
                response=last_text(completion),
                ground_truth=truth,
            )
            for question_id, text, view, number, completion, truth in rows
        ]
