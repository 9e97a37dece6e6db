"""OpenRLHF's and slime's formats: what their requests hold, what their labels say, and how they are answered."""

from collections.abc import Sequence
from typing import Any

import msgspec

from reward_service.api.problems import Problem
from reward_service.api.rendering import Seat
from reward_service.api.wire import LabelIdentity, OpenRLHFRequest, RemoteRMRequest


class Item(msgspec.Struct, frozen=True):
    """One rollout of a compatibility call: its prompt, its response, and a label of one of the three kinds."""

    prompt: str
    response: str
    label: str


class Verdict(msgspec.Struct, frozen=True):
    """What a rollout came to on the compatibility routes, where an abstention is 0 for its whole group alike."""

    reward: float
    abstained: float
    vote_share: float
    undecided: float
    label_matches_truth: float | None

    @classmethod
    def of(cls, seat: Seat) -> "Verdict":
        """From its seat in a settled cohort; a truth that was sent is matched by no label where none was elected."""
        record, row = seat.record, seat.record.rows_B[seat.place]
        label = next((each for each in record.labels if each.view == row.view), None)
        # There whenever a truth was sent: OpenRLHF ends a run in whose logs a name comes and goes.
        matches = None if row.ground_truth is None else 0.0
        if label is not None and label.matches_truth is not None:
            matches = float(label.matches_truth)
        share = label.votes / label.of if label is not None and label.of else 0.0
        return cls(seat.reward or 0.0, float(seat.reward is None), share, float(record.undecided), matches)


def items_of(request: OpenRLHFRequest) -> list[Item]:
    """The rollouts of an OpenRLHF request; the response is what follows the prompt in the query.

    Raises:
        Problem: 409 where the lists have different lengths.
    """
    queries = _as_list(request.query)
    prompts = _as_list(request.prompts) or [None] * len(queries)
    labels = _as_list(request.labels) or [None] * len(queries)
    if not len(queries) == len(prompts) == len(labels):
        raise Problem(
            409,
            "uneven",
            f"query, prompts and labels hold {len(queries)}, {len(prompts)} and {len(labels)} entries: send one each.",
        )
    return [
        Item(prompt or "", (query or "").removeprefix(prompt or ""), label or "")
        for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]


def item_of(request: RemoteRMRequest) -> Item:
    """The rollout of a slime or miles request."""
    return Item(_text(request.prompt), request.response, _text(request.label))


def label_identity(label: str) -> LabelIdentity | None:
    """The identity in a label; None for a ground truth or an empty one.

    Raises:
        Problem: 422 for a JSON object that names a question and is wrong in another field.
    """
    if not label.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(label, type=LabelIdentity)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return _identity_or_truth(label)


def _identity_or_truth(label: str) -> LabelIdentity | None:
    """What begins like an identity and is none: a set as a ground truth, or a mistake."""
    try:
        content = msgspec.json.decode(label)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    if not isinstance(content, dict) or "question_id" not in content:
        return None
    try:
        return msgspec.convert(content, LabelIdentity)
    except msgspec.ValidationError as cause:
        raise Problem(422, "invalid-label", f"the label names a cohort, but {cause}; see docs/openrlhf.md.") from cause


def openrlhf_answer(verdicts: list[Verdict]) -> dict[str, Any]:
    """Scalars for one rollout, lists for many, empty lists for none."""
    rewards = [verdict.reward for verdict in verdicts]
    logs = [_logs(verdict) for verdict in verdicts]
    names = [name for name in (logs[0] if logs else {}) if all(name in each for each in logs)]
    if len(verdicts) == 1:
        return {"rewards": rewards[0], "scores": rewards[0], "extra_logs": logs[0]}
    return {
        "rewards": rewards,
        "scores": rewards,
        "extra_logs": {name: [each[name] for each in logs] for name in names},
    }


def remote_rm_answer(verdicts: list[Verdict]) -> dict[str, Any]:
    """The reward, and beside it what OpenRLHF gets as extra logs."""
    (verdict,) = verdicts
    return {"reward": verdict.reward} | _logs(verdict)


def _logs(verdict: Verdict) -> dict[str, float]:
    logs = {"vote_share": verdict.vote_share, "abstained": verdict.abstained, "undecided": verdict.undecided}
    if verdict.label_matches_truth is not None:
        logs["label_matches_truth"] = verdict.label_matches_truth
    return logs


def _text(raw: msgspec.Raw) -> str:
    """A field that may be text, an object or anything else: text as it is, nothing as empty, the rest as its JSON."""
    value = msgspec.json.decode(raw)
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _as_list(value: Sequence[str | None] | str | None) -> list[str | None]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
