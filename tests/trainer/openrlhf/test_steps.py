"""Optimizer steps, rollout batches and the step of a label."""

from types import SimpleNamespace
from typing import Any

import pytest
from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.pairs import labels_count_batches
from co_rewarding_trainer.openrlhf.publishing import step_sampled_next, updates_per_step


def args(
    update: int = 64, *, epochs: int = 1, freezing: int = -1, filtering: bool = False, drawn: int | None = 8
) -> Any:
    """OpenRLHF's: 8 prompts of 8 rollouts a batch."""
    return SimpleNamespace(
        rollout=SimpleNamespace(batch_size=8, n_samples_per_prompt=8, vllm_generate_batch_size=drawn),
        train=SimpleNamespace(batch_size=update, max_epochs=epochs),
        critic=SimpleNamespace(freezing_steps=freezing),
        algo=SimpleNamespace(dynamic_filtering_enable=filtering),
    )


@pytest.mark.parametrize(("update", "epochs", "updates"), [(64, 1, 1), (16, 1, 4), (32, 3, 6)])
def test_the_optimizer_steps_of_a_batch(update: int, epochs: int, updates: int):
    assert updates_per_step(args(update, epochs=epochs)) == updates


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (args(48), "does not divide the 64 rollouts"),
        (args(128), "does not divide"),
        (args(freezing=3), "freezing_steps"),
    ],
)
def test_a_batch_without_a_whole_number_of_them_is_refused(wrong: Any, told: str):
    with pytest.raises(TrainingSettingsError, match=told):
        updates_per_step(wrong)


def test_weights_are_those_of_the_batch_that_is_sampled_next():
    assert [step_sampled_next(updates, 1) for updates in range(4)] == [0, 1, 2, 3]
    assert [step_sampled_next(updates, 3) for updates in range(7)] == [0, None, None, 1, None, None, 2]


def test_labels_count_batches_unless_questions_are_filtered_or_drawn_ahead():
    assert labels_count_batches(args())
    assert labels_count_batches(args(drawn=None))
    assert not labels_count_batches(args(filtering=True))
    assert not labels_count_batches(args(drawn=16))
