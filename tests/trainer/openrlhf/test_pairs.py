"""The order of questions, their labels, and what a rollout batch must look like."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from co_rewarding_trainer.openrlhf.errors import BrokenPairsError, TrainingSettingsError
from co_rewarding_trainer.openrlhf.labels import labelled
from co_rewarding_trainer.openrlhf.pairs import (
    VIEWS,
    EpochOrder,
    QuestionDataset,
    QuestionOrder,
    QuestionPosition,
    check_whole_pairs,
    collate,
    halved,
    strategy_of_view,
    views_in,
)
from co_rewarding_trainer.openrlhf.rollout import pair_responses, pair_rollout
from co_rewarding_trainer.openrlhf.samples_generator import pair_generator
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

QUESTIONS, PER_STEP = 10, 4


def label(question: str, view: str) -> str:
    return json.dumps({"question_id": question, "view": view, "n": 2})


def epochs(order: QuestionOrder, count: int) -> list[list[QuestionPosition]]:
    return [list(order) for _ in range(count)]


def test_an_epoch_asks_each_question_once_and_the_next_in_another_order():
    first, second = epochs(QuestionOrder(QUESTIONS, PER_STEP, seed=3), 2)
    assert sorted(at.index for at in first) == sorted(at.index for at in second) == list(range(QUESTIONS))
    assert [at.index for at in first] != [at.index for at in second]
    assert {at.epoch for at in first} == {0}
    assert {at.epoch for at in second} == {1}


def test_a_seed_decides_the_order():
    assert epochs(QuestionOrder(QUESTIONS, PER_STEP, 3), 3) == epochs(QuestionOrder(QUESTIONS, PER_STEP, 3), 3)
    assert epochs(QuestionOrder(QUESTIONS, PER_STEP, 3), 3) != epochs(QuestionOrder(QUESTIONS, PER_STEP, 4), 3)


def test_steps_count_rollout_batches_and_no_question_has_one_twice():
    places = [place for epoch in epochs(QuestionOrder(QUESTIONS, PER_STEP, 0), 3) for place in epoch]
    assert [at.step for at in places] == sorted(at.step for at in places)
    assert [at.step for at in places[:QUESTIONS]] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert len({(at.step, at.index) for at in places}) == len(places)


def test_what_fills_no_step_is_left_out_and_is_others_each_time():
    order = QuestionOrder(QUESTIONS, PER_STEP, seed=3, whole_steps=True)
    first, second = epochs(order, 2)
    assert len(first) == len(second) == len(order) == 8
    assert {at.index for at in first} != {at.index for at in second}
    assert [at.step for at in first + second] == [step for step in range(4) for _ in range(PER_STEP)]


@pytest.mark.parametrize("drawn", [0, 1, 7, 10])
def test_a_resumed_order_goes_on_where_it_was_left(drawn: int):
    whole = QuestionOrder(QUESTIONS, PER_STEP, 5)
    iter(whole)
    epoch = iter(whole)
    before = [next(epoch) for _ in range(drawn)]
    state = json.loads(json.dumps(epoch.state_dict()))
    rest, third = list(epoch), list(whole)

    resumed = QuestionOrder(QUESTIONS, PER_STEP, 5)
    again: EpochOrder = iter(resumed)
    again.load_state_dict(state)
    assert list(again) == rest
    assert list(resumed) == third
    assert len(before + rest) == QUESTIONS


def test_a_question_comes_with_both_views_and_its_step_in_their_labels():
    prompts = [["o0", "o1"], ["p0", "p1"]]
    labels = [[label(f"q{index}", view) for index in range(2)] for view in VIEWS]
    dataset = QuestionDataset(prompts, labels, ["here", "there"], attempt=7)
    sources, asked, said, images = collate([dataset[QuestionPosition(0, 3, 1)], dataset[QuestionPosition(0, 3, 0)]])
    assert (sources, asked, images) == (["there", "here"], [("o1", "p1"), ("o0", "p0")], [None, None])
    assert [json.loads(each) for each in said[0]] == [
        {"question_id": "q1", "view": view, "n": 2, "step": 3, "attempt": 7} for view in VIEWS
    ]


def test_without_a_step_the_epochs_are_told_apart_by_their_attempt():
    dataset = QuestionDataset([["o"]], [[label("q", "original")]], ["here"], attempt=7, names_steps=False)
    first, second = (json.loads(dataset[QuestionPosition(epoch, 5 * epoch, 0)][1].labels_P[0]) for epoch in range(2))
    assert "step" not in first
    assert (first["attempt"], second["attempt"]) == (7, 8)


@pytest.mark.parametrize("plain", ["4", "", '{"ground_truth": "{1, 2}"}', "\\{1\\}", "[1]"])
def test_a_label_that_names_no_question_stays_as_it_is(plain: str):
    assert labelled(plain, step=3) == plain


def batch(*groups: tuple[str, str], size: int = 2) -> list[str]:
    return [label(question, view) for question, view in groups for _ in range(size)]


def test_whole_pairs_pass():
    check_whole_pairs(batch(("a", "original"), ("a", "paraphrase"), ("b", "original"), ("b", "paraphrase")), 2)
    check_whole_pairs([], 2)


@pytest.mark.parametrize(
    "labels",
    [
        batch(("a", "original"), ("a", "paraphrase"), ("b", "original")),
        batch(("a", "original"), ("b", "paraphrase")),
        batch(("a", "paraphrase"), ("a", "original")),
        batch(("a", "original"), ("a", "paraphrase"), ("a", "original"), ("a", "paraphrase"), size=1),
        ["4"] * 4,
    ],
    ids=["half a pair", "strangers", "the wrong way round", "interleaved", "no identity"],
)
def test_anything_else_stops_the_run(labels: list[str]):
    with pytest.raises(BrokenPairsError):
        check_whole_pairs(labels, 2)


class Executor:
    """Answers with what it was asked."""

    numbers_rollouts = False

    def __init__(self) -> None:
        self.running = self.most_at_once = 0

    async def execute(self, prompt: str, label: str, **_asked: Any) -> dict[str, Any]:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        return {"prompt": prompt, "label": label}


class NumberingExecutor(Executor):
    numbers_rollouts = True


def test_a_pair_is_answered_view_by_view_and_all_at_once():
    executor = Executor()
    prompts, labels = ["o", "p"], [label("q", view) for view in VIEWS]
    found = asyncio.run(pair_responses(executor, prompts, labels, 3))
    assert [each["prompt"] for each in found] == ["o"] * 3 + ["p"] * 3
    assert [each["label"] for each in found] == [labels[0]] * 3 + [labels[1]] * 3
    assert executor.most_at_once == 6


def test_one_prompt_is_answered_as_ever():
    found = asyncio.run(pair_responses(Executor(), "o", "4", 3))
    assert found == [{"prompt": "o", "label": "4"}] * 3


def test_an_agent_is_told_each_rollouts_index():
    labels = tuple(label("q", view) for view in VIEWS)
    found = asyncio.run(pair_responses(NumberingExecutor(), ("o", "p"), labels, 2))
    assert [(each["prompt"], json.loads(each["label"])["rollout"]) for each in found] == [
        ("o", 0),
        ("o", 1),
        ("p", 0),
        ("p", 1),
    ]


def test_the_rollout_actor_keeps_what_it_was():
    class Actor:
        executor = Executor()

    actor = pair_rollout(Actor)()
    found = asyncio.run(actor.generate_responses("o", "4", None, 64, None, num_samples=2))
    assert len(found) == 2
    assert isinstance(actor, Actor)


class Generator:
    """OpenRLHF's, with nothing behind it."""

    def __init__(self, views: int, labels: list[str], prompts: int = 2) -> None:
        self.strategy = SimpleNamespace(views=views)
        self.args = SimpleNamespace(rollout=SimpleNamespace(batch_size=prompts, n_samples_per_prompt=2))
        self._labels = labels

    def generate_samples(self, **_options: Any) -> tuple[Any, ...]:
        return [SimpleNamespace(labels=[each]) for each in self._labels], 50.0, 1, True

    def _dispatch_prompts_to_vllm(self, prompts: Any, labels: Any, *, images: Any = None, **options: Any) -> list[Any]:
        return [prompts, labels, images, options]


def generated(*of: Any) -> tuple[Any, ...]:
    return pair_generator(Generator)(*of).generate_samples(temperature=1.0)


WHOLE = batch(("a", "original"), ("a", "paraphrase"))


def test_a_batch_is_looked_at_before_it_is_learned_from():
    strangers = batch(("a", "original"), ("b", "paraphrase"))
    with pytest.raises(BrokenPairsError):
        generated(2, strangers)
    assert len(generated(1, strangers)[0]) == 4
    samples, *rest = generated(2, WHOLE)
    assert len(samples) == 4
    assert rest == [50.0, 1, True]


def test_what_is_left_of_an_epoch_is_not_learned_from(caplog: pytest.LogCaptureFixture):
    """Of an unequal share one rank of ZeRO-3 waits for the other, and the run stalls."""
    assert generated(2, WHOLE, 4) == ([], 50.0, 1, True)
    assert "4 rollouts at the end of an epoch" in caplog.text
    assert generated(2, [], 4)[0] == []
    assert len(generated(0, WHOLE, 4)[0]) == 4, "a data set that is not ours is OpenRLHF's own affair"


def test_prompts_are_dispatched_as_they_were():
    """And where a teacher labels, a service that is not there does not change that."""
    made = pair_generator(Generator)(2, WHOLE)
    asked = [("o", "p")], [tuple(WHOLE[::2])]
    for training in (None, TrainingSettings(), TrainingSettings(url="http://127.0.0.1:9", teacher=True)):
        if training is not None:
            made.strategy.training = training
        assert made._dispatch_prompts_to_vllm(*asked, images=[None], top_p=1.0) == [*asked, [None], {"top_p": 1.0}]


@pytest.fixture
def rows(tmp_path: Any) -> Any:
    def write(row: object) -> str:
        path = tmp_path / "train.jsonl"
        path.write_text(json.dumps(row) + "\n")
        return str(path)

    return write


def test_a_training_set_says_how_many_views_it_has(rows: Any):
    one = {"question_id": "q", "original": "o", "label_original": "l"}
    assert views_in(rows(one)) == 1
    assert views_in(rows(one | {"paraphrase": "p", "label_paraphrase": "l"})) == 2
    assert views_in(rows({"input": "o", "label": "4"})) == 0
    assert views_in(rows(["o"])) == 0
    assert views_in("somebody/a-data-set") == views_in("a.jsonl,b.jsonl") == views_in(None) == 0


def test_a_training_set_that_cannot_be_read_is_told(tmp_path: Any):
    with pytest.raises(TrainingSettingsError, match=r"nowhere\.jsonl"):
        views_in(str(tmp_path / "nowhere.jsonl"))


def test_an_odd_batch_loses_a_view():
    assert halved(8, "rollout.batch_size") == 4
    with pytest.raises(TrainingSettingsError, match=r"rollout\.batch_size is 7"):
        halved(7, "rollout.batch_size")


def test_the_columns_of_a_view_are_read_and_the_arguments_stay():
    args = SimpleNamespace(data=SimpleNamespace(input_key="original", label_key="label_original", image_key="i"))
    strategy = SimpleNamespace(args=args, is_rank_0=lambda: True)
    other = strategy_of_view(strategy, "paraphrase")
    assert (other.args.data.input_key, other.args.data.label_key) == ("paraphrase", "label_paraphrase")
    assert other.args.data.image_key == "i"
    assert args.data.input_key == "original"
