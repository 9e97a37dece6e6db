"""The client's values hold every field of the server's wire, and read them all."""

from dataclasses import asdict, fields

import msgspec
import pytest
from co_rewarding_client import decoding, encoding, model
from co_rewarding_schema.vocabulary import View
from pydantic import BaseModel

from reward_service.api.paraphrases import models as paraphrase_models
from reward_service.api.rewards import models as reward_models
from reward_service.api.rewards import wire
from reward_service.api.runs import models as run_models
from reward_service.api.teacher import routes as teacher_routes

REQUEST = encoding.get("/")
PAIRS: list[tuple[type, type]] = [
    (model.Label, wire.WireLabel),
    (model.Label, reward_models.LabelDocument),
    (model.Rewards, wire.RewardAnswer),
    (model.Rewards, reward_models.RewardDocument),
    (model.Pending, wire.Progress),
    (model.Ticket, wire.Accepted),
    (model.Rollout, wire.WireRollout),
    (model.Statistics, wire.WireStatistics),
    (model.RunSettings, run_models.RunForm),
    (model.TeacherState, teacher_routes.TeacherDocument),
    (model.TeacherUpdate, teacher_routes.UpdateDocument),
    (model.Paraphrase, paraphrase_models.ParaphraseDocument),
]
LEFT_OUT: dict[type, set[str]] = {
    teacher_routes.TeacherDocument: {"run"},  # the one that was asked for
    paraphrase_models.ParaphraseDocument: {"candidates"},  # what the accepted one was chosen from
}


def names(kind: type) -> set[str]:
    if issubclass(kind, BaseModel):
        return set(kind.model_fields)
    return {each.name for each in (msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else fields(kind))}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda kind: kind.__name__)
def test_the_fields_are_the_same(ours: type, theirs: type) -> None:
    assert names(ours) == names(theirs) - LEFT_OUT.get(theirs, set())


def test_an_answer_is_read_whole() -> None:
    label = wire.WireLabel(
        "q", View.ORIGINAL, "4", 6, 8, "teacher", [View.PARAPHRASE], "r~c", matches_truth=False, teacher_version=3
    )
    metrics: dict[str, float | None] = {"reward_mean": None, "undecided": 2.0, "label_accuracy": 0.0}
    answer = wire.RewardAnswer(
        "r", 1, "co-rewarding-iii", [1.0, None], [None, "no-label"], ["4", None], [label], metrics
    )
    data = msgspec.json.encode(answer)
    value = decoding.rewards(decoding.fields(decoding.HttpReply(200, {}, data), REQUEST))
    assert msgspec.json.decode(msgspec.json.encode(asdict(value))) == msgspec.json.decode(data)
