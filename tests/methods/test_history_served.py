"""Rewards under the gate `stability` are those of the specification, step after step, on one and on two workers."""

from typing import Any

import httpx
import pytest
from co_rewarding_schema.methods import METHODS

from tests.contract.election_model import settle
from tests.methods.drawn_cohorts import Shape, draw_cohort
from tests.methods.test_rows_served import DrawnRun, Told, assert_as_specified, client, make_run, note, post, shuffled

__all__ = ["client"]
STEPS = 9
WITH_HISTORY = [row.name for row in METHODS.values() if row.needs_history]


@pytest.mark.parametrize("complete", [True, False], ids=["whole batches", "parts"])
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("method", WITH_HISTORY)
def test_labels_of_earlier_steps_lower_the_reward(
    client: httpx.Client, method: str, number: int, *, complete: bool
) -> None:
    run = make_run(client, method, "history" if complete else "history-in-parts", number, group_size=4)
    earlier: dict[str, dict[str, list[str]]] = {cohort.question: {} for cohort in run.cohorts}
    changed = 0
    for step in range(STEPS):
        drawn = [
            draw_cohort(run.rng, method, cohort.question, cohort.needs._replace(earlier=earlier[cohort.question]), FOUR)
            for cohort in run.cohorts
        ]
        run = run._replace(cohorts=drawn)
        told, labels = sent(client, run, step, complete=complete)
        assert_as_specified(run, told, labels)
        for cohort in run.cohorts:
            for view, label in settle(cohort.method, cohort.votes, cohort.needs, expired=False).labels.items():
                before = earlier[cohort.question].setdefault(view, [])
                changed += bool(before) and before[-1] != label.answer
                before.append(label.answer)
    assert changed > STEPS


FOUR = Shape(4, is_served=True)


def sent(client: httpx.Client, run: DrawnRun, step: int, *, complete: bool) -> tuple[Told, list[dict[str, Any]]]:
    """A step of the run, its rollouts in any order: what each is told, and the labels."""
    seats, told = shuffled(run)
    rollouts = [cohort.on_wire(place) for cohort, place in seats]
    answer = post(client, "/v1/rewards", {"run": run.name, "step": step, "complete": complete, "rollouts": rollouts})
    note(told, seats, answer)
    return told, answer["labels"]
