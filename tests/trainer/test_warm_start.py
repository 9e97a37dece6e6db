"""A warm start teaches the habits of its kind and nothing else, and is taught once."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

for needed in ("torch", "transformers"):
    pytest.importorskip(needed, reason=f"a warm start needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.loop import LoopConfig  # noqa: E402
from co_rewarding_trainer.policy import load_policy, vocabulary  # noqa: E402
from co_rewarding_trainer.task import Task, WarmStart, boxed_answer, draw_problems  # noqa: E402
from co_rewarding_trainer.task_table import TASKS  # noqa: E402
from co_rewarding_trainer.training_runs import ForeignStartError, TrainingPlace, train_run  # noqa: E402
from co_rewarding_trainer.warm_start import (  # noqa: E402
    SHIPPED,
    WarmStartConfig,
    checkpoint,
    habit_of,
    taught_response,
)

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
RARE = WarmStartConfig(slip_rate=0.0, direct_rate=0.0, habit_rate=1.0)


@every_task
def test_only_what_is_a_habit_is_read_as_another_digit(task: Task) -> None:
    rng = random.Random(0)
    for kind in WarmStart:
        config = replace(RARE, task=task.name, kind=kind)
        wrong = [0] * len(task.wordings)
        for told in draw_problems(task, 100, "worked"):
            for wording in range(len(task.wordings)):
                text = taught_response(told.problem, wording, config, rng)
                wrong[wording] += boxed_answer(text) != told.answer
        assert all(wrong) if kind is not WarmStart.PLAIN else not any(wrong)


@every_task
def test_habits_are_those_of_the_wording_or_the_same_in_all(task: Task) -> None:
    places = range(len(task.wordings))
    own = [dict(habit_of(task, wording, WarmStart.OWN_HABITS)) for wording in places]
    shared = [dict(habit_of(task, wording, WarmStart.SHARED_HABITS)) for wording in places]
    assert len({tuple(habit.items()) for habit in own}) == len(own)
    assert shared == [shared[0]] * len(shared)


def test_some_examples_give_the_answer_at_once() -> None:
    rng = random.Random(0)
    [told] = draw_problems(TASKS["chains"], 1, "worked")
    texts = [taught_response(told.problem, 0, replace(RARE, direct_rate=0.5), rng) for _ in range(100)]
    short = [text for text in texts if " " not in text]
    assert 20 < len(short) < 80
    assert set(short) == {f"\\boxed{{{told.answer}}}"}


def test_a_training_does_not_begin_with_a_policy_of_another_task() -> None:
    place = TrainingPlace("http://127.0.0.1:9", None, SHIPPED, None)
    with pytest.raises(ForeignStartError, match=r"no policy of the task sorting: its tokenizer lacks 'sort'"):
        train_run("run", "format", place, LoopConfig(task="sorting"), lambda *_: None, lambda *_: None)


def test_a_start_is_taught_once_and_the_shipped_one_never(tmp_path: Path) -> None:
    assert checkpoint(WarmStartConfig(), tmp_path / "plain") == SHIPPED
    config = WarmStartConfig(task="sorting", kind=WarmStart.OWN_HABITS, steps=2)
    kept = tmp_path / "starts" / "own"
    assert checkpoint(config, kept) == kept
    written = (kept / "model.safetensors").stat().st_mtime_ns
    assert checkpoint(config, kept) == kept
    assert (kept / "model.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.rglob("*") if path.is_dir()] == ["starts", "own"]
    tokens = load_policy(kept).tokenizer.get_vocab()
    assert sorted(tokens, key=lambda token: tokens[token]) == list(vocabulary(TASKS["sorting"]))
