"""The page's view of the service asks for metrics that there are: one that was renamed would be shown as unknown."""

import re

from reward_service.dashboard.files import page_files
from reward_service.metrics import Kind, Metric

PREFIX = "co_rewarding_"
ASKED = re.compile(r'(?:metrics\.(?:of|value|sum)\(|growth\(now, before, )"(\w+)"')
OF_A_HISTOGRAM = ("_sum", "_count")


def test_each_metric_that_the_page_asks_for_is_in_the_table() -> None:
    asked = set(ASKED.findall(page_files()["/page/views/service.js"].content.decode()))
    known = {metric.series.removeprefix(PREFIX) for metric in Metric}
    known |= {metric.name.lower() + end for metric in Metric if metric.kind is Kind.HISTOGRAM for end in OF_A_HISTOGRAM}
    assert len(asked) > 20
    assert asked - known == set()
