"""Read and answer the formats of OpenRLHF and slime."""

from collections.abc import Sequence
from typing import Any

import msgspec
from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.trainer_formats import OpenRLHFRequest, RemoteRMRequest

from reward_service.api.http.problems import Problem, text_too_long
from reward_service.api.http.surrogates import read_part
from reward_service.api.rewards.openrlhf_labels import TrainerLabel, label_in, labels_in
from reward_service.api.rewards.rendering import Seat
from reward_service.domain.extraction import response_in

REWRITTEN_BYTES = 2**16
"""JSON in a prompt's place up to this size is compared without its spaces; larger values are compared as they came."""


BYTES_A_CHAR = 6
"""Of a text in JSON, where every character is an escape."""


class SingleRollout(msgspec.Struct, frozen=True):
    """One rollout of a compatibility call: its prompt, its response, and a label of one of the three kinds."""

    prompt: str
    response: str
    label: TrainerLabel
    prompt_found: bool = True


class SeatReward(msgspec.Struct, frozen=True):
    """What a rollout came to on the compatibility routes, where an abstention is 0 for its whole group alike."""

    cohort: str
    reward: float
    abstained: float
    vote_share: float
    undecided: float
    label_matches_truth: float | None

    @classmethod
    def of(cls, seat: Seat) -> "SeatReward":
        """From its seat in a settled cohort; a truth that was sent is matched by no label where none was elected."""
        record, row = seat.record, seat.record.rows_B[seat.place]
        label = next((each for each in record.labels if each.view == row.view), None)
        # There whenever a truth was sent: OpenRLHF ends a run in whose logs a name comes and goes.
        matches = None if row.ground_truth is None else 0.0
        if label is not None and label.matches_truth is not None:
            matches = float(label.matches_truth)
        share = label.votes / label.of if label is not None and label.of else 0.0
        abstained = float(seat.reward is None)
        return cls(seat.cohort, seat.reward or 0.0, abstained, share, float(record.undecided), matches)


def items_of(request: OpenRLHFRequest, most: int, most_chars: int) -> list[SingleRollout]:
    """Return the rollouts of an OpenRLHF request; the response is what follows the prompt in the query.

    Raises:
        Problem: 413 for more than `most` rollouts or a prompt of more than `most_chars` characters, 409 where the lists
            have different lengths, 422 for a label that is none.
    """
    queries = _as_list(request.query)
    if len(queries) > most:
        raise Problem(ProblemKind.TOO_MANY, f"{len(queries)} rollouts in a request: at most {most}.")
    prompts = [None] * len(queries) if request.prompts is None else _as_list(request.prompts)
    labels = labels_in(request.labels, most)
    if labels is None:
        labels = [None] * len(queries)
    if not len(queries) == len(prompts) == len(labels):
        raise Problem(
            ProblemKind.UNEVEN,
            f"query, prompts and labels hold {len(queries)}, {len(prompts)} and {len(labels)} entries: send one each.",
        )
    for place, (query, prompt) in enumerate(zip(queries, prompts, strict=True)):
        if len(query or "") > 2 * most_chars or len(prompt or "") > most_chars:
            raise text_too_long(f"the prompt or the query at {place}", most_chars)
    return [
        _item(query or "", prompt or "", label) for query, prompt, label in zip(queries, prompts, labels, strict=True)
    ]


def _item(query: str, prompt: str, label: TrainerLabel) -> SingleRollout:
    response = response_in(query, prompt)
    return SingleRollout(prompt, response.text, label, response.prompt_found)


def item_of(request: RemoteRMRequest, most_chars: int) -> SingleRollout:
    """Return the rollout of a slime or miles request.

    Raises:
        Problem: 413 for a prompt of more than `most_chars` characters, 422 for a label that is none.
    """
    if _bytes_of(request.prompt) > BYTES_A_CHAR * most_chars:
        raise text_too_long("prompt", most_chars)
    prompt = read_part(bytes(request.prompt), "prompt", _text)
    if len(prompt) > most_chars:
        raise text_too_long("prompt", most_chars)
    return SingleRollout(prompt, request.response, label_in(bytes(request.label), "label"))


def size_bytes(request: OpenRLHFRequest | RemoteRMRequest) -> int:
    """Return about how much has to be looked through to make the rollouts of a request."""
    if isinstance(request, RemoteRMRequest):
        return len(request.response) + _bytes_of(request.prompt) + _bytes_of(request.label)
    texts = (*_as_list(request.query), *_as_list(request.prompts))
    return sum(len(text) for text in texts if text) + _bytes_of(request.labels)


def _bytes_of(value: msgspec.Raw) -> int:
    return memoryview(value).nbytes


def openrlhf_answer(found: Sequence[bool], verdicts: Sequence[SeatReward]) -> dict[str, Any]:
    """Return scalars for one rollout, lists for many, empty lists for none; `found` says whose prompt was found.

    OpenRLHF makes numbers of all that is in the logs, so the cohorts are beside them.
    """
    logs = [
        _logs(verdict) | {"prompt_not_found": float(not prompt_found)}
        for prompt_found, verdict in zip(found, verdicts, strict=True)
    ]
    if len(verdicts) == 1:
        reward = verdicts[0].reward
        return {"rewards": reward, "scores": reward, "extra_logs": logs[0], "cohort": verdicts[0].cohort}
    rewards = [verdict.reward for verdict in verdicts]
    names = [name for name in (logs[0] if logs else {}) if all(name in each for each in logs)]
    return {
        "rewards": rewards,
        "scores": rewards,
        "extra_logs": {name: [each[name] for each in logs] for name in names},
        "cohorts": [verdict.cohort for verdict in verdicts],
    }


def remote_rm_answer(_: Sequence[bool], verdicts: Sequence[SeatReward]) -> dict[str, Any]:
    """The reward, and beside it what OpenRLHF gets as extra logs, and the cohort."""
    (verdict,) = verdicts
    return {"reward": verdict.reward} | _logs(verdict) | {"cohort": verdict.cohort}


def _logs(verdict: SeatReward) -> dict[str, float]:
    logs = {"vote_share": verdict.vote_share, "abstained": verdict.abstained, "undecided": verdict.undecided}
    if verdict.label_matches_truth is not None:
        logs["label_matches_truth"] = verdict.label_matches_truth
    return logs


def _text(data: bytes) -> str:
    """Return a field that may be anything: text as it is, nothing as empty, the rest as its JSON."""
    if len(data) > REWRITTEN_BYTES and not data.startswith(b'"'):
        return data.decode()
    value = msgspec.json.decode(data)
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _as_list(value: Sequence[str | None] | str | None) -> list[str | None]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
