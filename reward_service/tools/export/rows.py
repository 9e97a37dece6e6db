"""Turn cohorts, as the service tells them, into rows of a table."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from co_rewarding_schema.vocabulary import Voter

Row = dict[str, Any]

SCHEMA = pa.schema([
    ("run", pa.string()),
    ("cohort", pa.string()),
    ("method", pa.string()),
    ("question_id", pa.string()),
    ("step", pa.int64()),
    ("attempt", pa.int64()),
    ("view", pa.string()),
    ("rollout", pa.int64()),
    ("voter", pa.string()),
    ("counted", pa.bool_()),
    ("response", pa.string()),
    ("answer_class", pa.string()),
    ("ground_truth", pa.string()),
    ("self_certainty", pa.float64()),
    ("entropy", pa.float64()),
    ("length", pa.int64()),
    ("verified", pa.bool_()),
    ("confidence", pa.float64()),
    ("reward", pa.float64()),
    ("abstention", pa.string()),
    ("elected", pa.string()),
    ("elected_by", pa.string()),
    ("votes", pa.float64()),
    ("of", pa.float64()),
    ("matches_truth", pa.bool_()),
    ("teacher_version", pa.int64()),
    ("instability", pa.float64()),
])  # fmt: skip
"""No column is named so that `replay` takes it for something else: `label` and `answer` would be ground truths."""

SETTLED = frozenset({"settled", "abstained"})
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Selection:
    """Which ballots are written: of a question's step and view the latest cohort, and ballots that voted; or all."""

    def __init__(self, *, every: bool) -> None:
        """Nothing was seen. Of one question, the latest cohort comes first."""
        self._every = every
        self._cohort_of: dict[tuple[object, ...], str] = {}

    def rows(self, cohort: Mapping[str, Any]) -> Iterator[Row]:
        """Yield a row for each ballot of a settled cohort that is written, those of the teacher too."""
        if cohort["state"] not in SETTLED:
            return
        labels = {label["view"]: label for label in cohort["labels"]}
        for ballot in cohort["ballots"]:
            if self._is_written(cohort, ballot):
                yield _row(cohort, ballot, labels.get(ballot["view"], NOTHING))

    def _is_written(self, cohort: Mapping[str, Any], ballot: Mapping[str, Any]) -> bool:
        if self._every:
            return True
        place = cohort["question_id"], cohort["step"], ballot["view"]
        return ballot["counted"] and self._cohort_of.setdefault(place, cohort["cohort"]) == cohort["cohort"]


def _row(cohort: Mapping[str, Any], ballot: Mapping[str, Any], label: Mapping[str, Any]) -> Row:
    measured, known = ballot.get("statistics") or NOTHING, ballot.get("evidence") or NOTHING
    is_policys = ballot["voter"] == Voter.POLICY
    return {
        **{name: cohort[name] for name in ("run", "cohort", "method", "question_id", "step", "attempt")},
        **{name: ballot[name] for name in ("view", "rollout", "voter", "counted", "answer_class")},
        "response": "" if ballot["answer"] is None else f"\\boxed{{{ballot['answer']}}}",
        "ground_truth": ballot.get("ground_truth"),
        **{name: measured.get(name) for name in ("self_certainty", "entropy", "length")},
        **{name: known.get(name) for name in ("verified", "confidence")},
        "reward": ballot["reward"] if is_policys else None,
        "abstention": ballot["abstention"] if is_policys else None,
        "elected": label.get("answer"),
        "elected_by": label.get("voter"),
        **{name: label.get(name) for name in ("votes", "of", "matches_truth", "teacher_version", "instability")},
    }
