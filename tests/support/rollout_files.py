"""Files of rollouts that tests make, and a service at the Rewarder protocol that knows the rules and no HTTP."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result
from co_rewarding_client import CoRewardingError, Label, Rewards, Rollout
from co_rewarding_schema.methods import method_named
from co_rewarding_schema.vocabulary import View, Voter

from reward_service.cli import main
from reward_service.domain.cohort import Ballot
from reward_service.domain.cohort import ElectedLabel as DomainLabel
from reward_service.domain.extraction import last_boxed
from reward_service.domain.settlement import settle
from reward_service.domain.summary import GroupOutcome, summarise
from reward_service.tools.replay.fields import FieldNames, layout_of
from reward_service.tools.replay.rollout_files import FileRollout, RolloutFile
from reward_service.tools.replay.sources import open_source, sample_of
from tests.support.answers import key_of


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def opened(path: Path, **names: Any) -> RolloutFile:
    source = open_source(path)
    return RolloutFile(source, layout_of(sample_of(source), FieldNames(**names), str(path)))


def read(path: Path, **names: Any) -> list[FileRollout]:
    return list(opened(path, **names).rollouts())


def boxed(answer: object) -> str:
    return f"so it is \\boxed{{{answer}}}"


def place(row: int) -> str:
    return f"file:{row}"


def co_rewarding(*words: object) -> Result:
    """The command line as a person calls it, not at a terminal."""

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def console(arguments: tuple[str, ...]) -> None:
        main(list(arguments))

    return CliRunner().invoke(console, list(map(str, words)))


@dataclass
class Rules:
    """Rewards a batch by the domain's own functions. Refuses with `trouble`, if it is given one."""

    trouble: CoRewardingError | None = None

    def rewards(
        self, rollouts: Sequence[Rollout], *, step: int | None = None, method: str | None = None, complete: bool = True
    ) -> Rewards:
        if self.trouble is not None:
            raise self.trouble
        assert complete
        assert method is not None
        return rewards_of(rollouts, step, method)


def rewards_of(rollouts: Sequence[Rollout], step: int | None, method: str) -> Rewards:
    """What the service answers to a batch that holds its groups whole."""
    row = method_named(method)
    answers = [last_boxed(rollout.response) for rollout in rollouts]
    rewards: dict[int, float | None] = {}
    abstentions: dict[int, str | None] = {}
    labels: list[tuple[str, DomainLabel]] = []

    def cohort_of(index: int) -> tuple[str, tuple[View, ...]]:
        return rollouts[index].question_id or "", row.views_decided_with(View(rollouts[index].view))

    for (question, _), members in groupby(sorted(range(len(rollouts)), key=cohort_of), key=cohort_of):
        indices = list(members)
        settled = settle(row, [_ballot(rollouts[index], answers[index]) for index in indices])
        rewards.update(zip(indices, settled.rewards_B, strict=True))
        abstentions.update(zip(indices, settled.abstentions_B, strict=True))
        labels += [(question, label) for label in settled.labels]
    groups: dict[tuple[str | None, str], list[int]] = {}
    for index, rollout in enumerate(rollouts):
        groups.setdefault((rollout.question_id, rollout.view), []).append(index)
    outcomes = [
        GroupOutcome(
            len({key_of(answers[index] or "") for index in indices if answers[index]}),
            sum(bool(answers[index]) for index in indices),
            [rewards[index] for index in indices],
        )
        for indices in groups.values()
    ]
    summary = summarise(outcomes, [label for _, label in labels])
    metrics = {"answers_distinct_mean": summary.answers_distinct_mean, "undecided": 0.0}
    if summary.label_accuracy is not None:
        metrics["label_accuracy"] = summary.label_accuracy
    return Rewards(
        run="default",
        step=step,
        method=method,
        rewards=tuple(rewards[index] for index in range(len(rollouts))),
        abstentions=tuple(abstentions[index] for index in range(len(rollouts))),
        answers=tuple(answers),
        labels=tuple(
            Label(
                question_id=question,
                view=label.view,
                answer=label.answer,
                votes=label.votes,
                of=label.of,
                voter=label.voter,
                voted_on=tuple(label.voted_on),
                cohort="c",
            )
            for question, label in labels
        ),
        metrics=metrics,
    )


def _ballot(rollout: Rollout, answer: str | None) -> Ballot:
    truth = rollout.ground_truth
    return Ballot(
        View(rollout.view),
        Voter.POLICY,
        rollout.rollout,
        answer,
        answer and key_of(answer),
        truth,
        truth and key_of(truth),
        rollout.statistics.self_certainty if rollout.statistics else None,
        rollout.statistics.entropy if rollout.statistics else None,
    )
