"""What slime's adapter reads of flags, labels and folders; its rewards are tested with slime's own code."""

import asyncio
import json
import threading
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow.parquet
import pytest
from client_world import rewards_document
from co_rewarding_client import (
    AsyncRewardClient,
    InvalidRequest,
    RewardClient,
    RunSettings,
    slime,
    slime_data,
    slime_settings,
)
from co_rewarding_client.slime_weights import publish
from co_rewarding_client.training import Endpoint

from tests.api.test_publishing import model
from tests.support.service import running

QUESTIONS = [
    {"question_id": "a", "question": "1+1?", "paraphrase": "one and one?", "ground_truth": "2"},
    {"question_id": "b", "question": "1+2?", "paraphrase": "one and two?"},
]


def flags(**changed: Any) -> Namespace:
    usual = {"reward_key": None, "rollout_shuffle": False, "partial_rollout": False, "rollout_batch_size": 4}
    return Namespace(**(usual | {"over_sampling_batch_size": 4, "co_rewarding": {}} | changed))


def sample(label: Any, group_index: int | None = 0, **more: Any) -> Any:
    return SimpleNamespace(label=label, group_index=group_index, index=0, metadata={}, **more)


@pytest.mark.parametrize("name", ["train.jsonl", "train.parquet"])
def test_both_views_of_a_question_stand_side_by_side_in_each_epoch(name: str, tmp_path: Path) -> None:
    questions, out = tmp_path / "questions.jsonl", tmp_path / name
    questions.write_text("\n".join(map(json.dumps, QUESTIONS)))

    slime_data.main([str(questions), str(out), "--n", "8", "--epochs", "3"])

    parquet = out.suffix == ".parquet"
    rows = pyarrow.parquet.read_table(out).to_pylist() if parquet else list(map(json.loads, out.open()))
    labels = [row["label"] for row in rows]
    assert len(rows) == 12
    assert [label["view"] for label in labels] == ["original", "paraphrase"] * 6
    assert all(one["question_id"] == other["question_id"] for one, other in zip(labels[::2], labels[1::2], strict=True))
    first = next(row for row in rows if row["label"]["question_id"] == "a")
    assert first == {
        "prompt": "1+1?",
        "label": {"question_id": "a", "view": "original", "ground_truth": "2", "n": 8},
    }


def test_an_evaluation_set_has_the_originals_and_says_so() -> None:
    rows = slime_data.rows(QUESTIONS, 2, evaluate=True)
    without_truth = [{"question_id": "q", "question": "?", "paraphrase": "so?"}]
    with pytest.raises(InvalidRequest, match="the vote of one response is always right"):
        slime_data.rows(without_truth, 1, evaluate=True)

    assert [row["label"]["view"] for row in rows] == ["original", "original"]
    assert all(slime_data.label_of(sample(row["label"], None)) == row["label"] for row in rows)


def test_plain_labels_are_ground_truths_of_an_evaluation_and_refused_in_training() -> None:
    assert slime_data.label_of(sample("204", None)) == {"ground_truth": "204", "evaluate": True}
    with pytest.raises(InvalidRequest, match="question_id, view and n"):
        slime_data.label_of(sample("204"))
    for label in ({"question_id": "a"}, None, " \n"):
        with pytest.raises(InvalidRequest, match="evaluate = true"):
            slime_data.label_of(sample(label, None))


@pytest.mark.parametrize("more", [{}, {"n": 1}, {"ground_truth": " "}])
def test_an_evaluation_by_the_vote_of_one_is_refused(more: dict[str, Any]) -> None:
    label = {"question_id": "a", "evaluate": True} | more
    args = flags(n_samples_per_prompt=4, n_samples_per_eval_prompt=1)
    given = sample(label, None, prompt="1+1?", response="2")
    with pytest.raises(InvalidRequest, match="--n-samples-per-eval-prompt and n above 1"):
        slime.SlimeReward()._rollout(args, given, label)
    for enough in ({"n": 2}, {"ground_truth": 0}):
        assert slime.SlimeReward()._rollout(args, given, label | enough).rollout == 0


def sampling(service: str, **place: Any) -> Namespace:
    sizes = {"n_samples_per_prompt": 2, "n_samples_per_eval_prompt": 2, "num_rollout": 10}
    return flags(rollout_batch_size=2, over_sampling_batch_size=2, co_rewarding={"url": service} | place, **sizes)


def sampled(number: int, question_id: str, **label: Any) -> Any:
    """The rollout of that number; in training two are of a view."""
    group = None if label.get("evaluate") else number // 2
    label = {"question_id": question_id, "view": ("original", "paraphrase")[number // 2 % 2]} | label
    return SimpleNamespace(
        label=label,
        group_index=group,
        index=number,
        metadata={},
        prompt="1+1?",
        response="\\boxed{2}",
        remove_sample=False,
    )


def test_event_loops_side_by_side_are_rewarded() -> None:
    """Fully asynchronous rollouts have a loop of their own beside that of an evaluation."""
    with running() as service:
        reward, args, turn = slime.SlimeReward(), sampling(service.url, run="loops"), threading.Barrier(3)
        found: list[Any] = []

        async def step(number: int) -> Any:
            turn.wait()
            return await asyncio.gather(*(reward(args, sampled(4 * number + each, f"q{number}")) for each in range(4)))

        threads = [threading.Thread(target=lambda n=n: found.append(asyncio.run(step(n)))) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [[1.0] * 4] * 3


def test_rollouts_that_are_evaluated_at_once_have_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fully asynchronous training goes on beside an evaluation."""
    steps: list[tuple[bool, int]] = []

    async def scenario() -> None:
        begun, whole = asyncio.Event(), asyncio.Event()

        async def answer(request: httpx.Request) -> httpx.Response:
            if request.method == "PUT":
                return httpx.Response(200, json={})
            body = json.loads(request.content)
            steps.append((body.get("evaluate", False), body["step"]))
            if body.get("evaluate"):
                begun.set()
                await whole.wait()
            return httpx.Response(200, json=rewards_document(1))

        client = AsyncRewardClient("http://service", transport=httpx.MockTransport(answer))
        monkeypatch.setattr(Endpoint, "async_client", lambda _: client)
        reward, args = slime.SlimeReward(), sampling("http://service")
        for occasion in range(2):
            begun.clear()
            whole.clear()
            first = asyncio.create_task(reward(args, sampled(0, "e", evaluate=True)))
            await begun.wait()
            await reward(args, sampled(20 + 4 * occasion, "q"))
            second = asyncio.create_task(reward(args, sampled(1, "e", evaluate=True)))
            whole.set()
            await asyncio.gather(first, second)

    asyncio.run(scenario())
    assert steps == [(True, 0), (False, 5), (True, 0), (True, 6), (False, 6), (True, 6)]


def test_a_label_may_be_the_text_of_its_object() -> None:
    assert slime_data.label_of(sample('{"question_id": "a", "n": 8}'))["n"] == 8


@pytest.mark.parametrize("group_index", [0, None])
def test_a_label_that_only_begins_as_an_object_is_refused_with_the_cure(group_index: int | None) -> None:
    with pytest.raises(
        InvalidRequest, match=r"'\{1,2\}', which begins with .*\"ground_truth\": \"\{1,2\}\""
    ) as refusal:
        slime_data.label_of(sample("{1,2}", group_index))
    cure = json.loads(str(refusal.value).partition(" begins so as ")[2])
    assert slime_data.label_of(sample(json.dumps(cure), None)) == cure


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"rollout_shuffle": True}, "--rollout-shuffle"),
        ({"partial_rollout": True}, "--partial-rollout"),
        ({"rollout_batch_size": 3}, "--rollout-batch-size"),
        ({"over_sampling_batch_size": 5}, "--over-sampling-batch-size"),
        ({"reward_key": "reward"}, "--reward-key"),
    ],
)
def test_flags_that_part_the_views_are_refused(changed: dict[str, Any], flag: str) -> None:
    slime_settings.check(flags())
    with pytest.raises(InvalidRequest, match=flag):
        slime_settings.check(flags(**changed))


def test_a_method_within_a_view_may_be_shuffled() -> None:
    slime_settings.check(flags(rollout_shuffle=True, co_rewarding={"settings": {"method": "majority-voting"}}))


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(InvalidRequest, match="urll"):
        slime_settings.config(flags(co_rewarding={"urll": "http://x"}))


def test_logs_tell_what_was_left_out() -> None:
    samples = [sample(None) for _ in range(4)]
    for place, each in enumerate(samples):
        each.metadata = {slime.NOTE: {"abstained": "expired" if place == 0 else None, "vote_share": 0.5}}
    metrics: dict[str, Any] = {}

    assert slime.log_rollout(0, flags(), samples, metrics, 1.0) is False
    assert metrics == {"rollout/co_rewarding/abstained": 0.25, "rollout/co_rewarding/vote_share": 0.5}


def test_weights_are_published_for_the_rollout_that_they_will_sample(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("6")
    with running(weights_root=tmp_path / "root") as service:
        place = {"url": service.url, "run": "slime"}
        disk = {"update_weight_mode": "full", "update_weight_disk_keep_files": False, "update_weights_interval": 1}
        args = flags(co_rewarding=place, start_rollout_id=0, load=str(tmp_path), **disk)
        resumed = Namespace(**(vars(args) | {"start_rollout_id": None}))
        seldom = Namespace(**(vars(args) | {"update_weights_interval": 10}))
        with RewardClient(service.url, run="slime") as client:
            client.put_run("slime", RunSettings(method="co-rewarding-ii"))
            for given, version, step in ((args, 1, 0), (args, 3, 2), (resumed, 1, 7), (seldom, 2, 10)):
                publish(given, str(model(tmp_path / f"{step}" / f"weight_v{version:06d}", 10)), [])
                assert client.teacher().step == step


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"update_weight_mode": "delta"}, "--update-weight-mode full"),
        ({"co_rewarding": {"weights_root": "/w"}}, "--update-weight-disk-keep-files"),
    ],
)
def test_weights_that_a_teacher_could_not_read_are_refused(changed: dict[str, Any], words: str) -> None:
    args = {"update_weight_mode": "full", "update_weight_disk_keep_files": False} | changed
    with pytest.raises(InvalidRequest, match=words):
        publish(flags(**args), "/w/weight_v000001", [])
