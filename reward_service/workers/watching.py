"""What a settlement adds to the metrics: how it ended, how clear its labels were, and who went without a reward."""

import time
from collections import Counter
from collections.abc import Sequence

from reward_service.store.gauges import queued_at_s
from reward_service.store.jobs import Delivery
from reward_service.store.records import ABSTENTIONS, CohortRecord
from reward_service.telemetry import Metrics

TRUTH = {None: "unknown", True: "right", False: "wrong"}


def count_settled(metrics: Metrics, delivery: Delivery, records: Sequence[CohortRecord]) -> None:
    """Counts the cohorts of one job that was just settled.

    How long it took is told by two clocks, of Redis and of this machine, which are assumed to agree.
    """
    metrics.settle.observe(max(0.0, time.time() - queued_at_s(delivery.job.entry)))
    for record in records:
        metrics.count(metrics.settled, 1, record.state)
        metrics.count(metrics.undecided, record.undecided)
        for index, count in Counter(record.abstentions_B).items():
            if index < 0:
                metrics.count(metrics.rewarded, count, delivery.run)
            else:
                metrics.count(metrics.abstentions, count, delivery.run, ABSTENTIONS[index].value)
        for label in record.labels:
            metrics.count(metrics.labels, 1, delivery.run, TRUTH[label.matches_truth])
            metrics.count(metrics.label_votes, label.votes, delivery.run)
            metrics.count(metrics.label_ballots, label.of, delivery.run)
