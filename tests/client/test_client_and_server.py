"""Rewards that the server writes are the rewards that the client reads."""

import msgspec
from co_rewarding_client import Label, Rewards, decoding, encoding
from co_rewarding_schema.vocabulary import View

REQUEST = encoding.get("/")


def test_an_answer_is_read_whole() -> None:
    label = Label(
        question_id="q",
        view=View.ORIGINAL,
        answer="4",
        votes=6,
        of=8,
        voter="teacher",
        voted_on=[View.PARAPHRASE],
        cohort="r~c",
        matches_truth=False,
        teacher_version=3,
    )
    answer = Rewards(
        run="r",
        step=1,
        method="co-rewarding-iii",
        rewards=[1.0, None],
        abstentions=[None, "no-label"],
        answers=["4", None],
        labels=[label],
        metrics={"reward_mean": None, "undecided": 2.0, "label_accuracy": 0.0},
    )
    assert decoding.decoded(decoding.HttpReply(200, {}, msgspec.json.encode(answer)), REQUEST, Rewards) == answer
