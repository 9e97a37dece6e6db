"""What the panels of Grafana's dashboards ask Prometheus, and traffic that gives each of them something to show."""

from collections.abc import Iterator

import httpx
from compose_project import Project

from deploy.grafana.panels import DASHBOARDS
from reward_service.metrics import Metric
from tests.support.service import pair

OF_OTHER_PARTS = frozenset(
    metric.series
    for metric in Metric
    if metric.name.startswith(
        ("TEACHER", "PEER", "PAIRS", "PARAPHRASE_CANDIDATES", "PARAPHRASE_REJECTIONS", "QUOTA_REFUSALS")
    )
)
"""Metrics without series where there is no teacher, peer, quarantine or paraphraser, and no key with quotas."""


def panel_queries() -> Iterator[tuple[str, bool]]:
    """Each query as Grafana sends it for all runs, and whether it has data where no other part runs."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                asked = query.expression.replace("$run", ".*")
                yield asked, not any(series in asked for series in OF_OTHER_PARTS)


def has_data(project: Project, asked: str) -> bool:
    """Whether Prometheus answers with a number.

    Raises:
        httpx.HTTPStatusError: it does not understand the query.
    """
    return any(each["value"][1] != "NaN" for each in project.query(asked))


def send_what_panels_show(client: httpx.Client, run: str, wave: int) -> None:
    """Send rollouts with truths, with answers that only the judge can compare and without any, and an endless URL."""
    known = [each | {"ground_truth": "4"} for each in pair(f"known-{wave}", ["4", "4", "5"], ["4", "4", "4"])]
    sums = rf"\sum_{{n}} f(n)+{wave}", f"{wave}"
    for rollouts in (known, pair(f"sums-{wave}", [*sums], [*sums]), pair(f"none-{wave}", [None], [None])):
        client.post("/v1/rewards", json={"run": run, "step": wave, "rollouts": rollouts}).raise_for_status()
    assert client.get("/" + "x" * 20_000).status_code == 414
