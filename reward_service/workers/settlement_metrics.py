"""What a settlement adds to the metrics: how it ended, how clear its labels were, and who went without a reward."""

from collections import Counter
from collections.abc import Sequence

from reward_service.store.records import ABSTENTIONS, CohortRecord
from reward_service.telemetry import Metrics

TRUTH = {None: "unknown", True: "right", False: "wrong"}


def count_settled(metrics: Metrics, run: str, age_s: float | None, records: Sequence[CohortRecord]) -> None:
    """Counts the cohorts of one job that was just settled; `age_s` ago it was queued, where that is known."""
    if age_s is not None:
        metrics.settle.observe(age_s)
    rewarded = votes = ballots = undecided = 0
    truths: Counter[bool | None] = Counter()
    for record in records:
        with_reward = record.abstentions_B.count(-1)
        rewarded += with_reward
        if with_reward < len(record.abstentions_B):
            _count_abstentions(metrics, run, record.abstentions_B)
        undecided += record.undecided
        for label in record.labels:
            truths[label.matches_truth] += 1
            votes += label.votes
            ballots += label.of
    for state, count in Counter(record.state for record in records).items():
        metrics.count(metrics.settled, count, state)
    for truth, count in truths.items():
        metrics.count(metrics.labels, count, run, TRUTH[truth])
    metrics.count(metrics.undecided, undecided)
    metrics.count(metrics.rewarded, rewarded, run)
    metrics.count(metrics.label_votes, votes, run)
    metrics.count(metrics.label_ballots, ballots, run)


def _count_abstentions(metrics: Metrics, run: str, abstentions_B: Sequence[int]) -> None:
    for index, count in Counter(abstentions_B).items():
        if index >= 0:
            metrics.count(metrics.abstentions, count, run, ABSTENTIONS[index].value)
