"""Make Grafana's dashboards from the table of metrics: `make dashboards` writes deploy/grafana/dashboards.

A panel names members of `Metric` and no texts, so a metric that is renamed or loses a label changes or stops this.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reward_service.metrics import Metric

FOLDER = Path(__file__).with_name("dashboards")
OF_PROMETHEUS = frozenset({"instance", "job", "le"})
"""Labels that Prometheus adds to those of the table."""
SOON, CALM, LONG = "1m", "5m", "1h"
"""Over how long growth is taken: of load, of ratios that would else jump from step to step, and of what is rare."""
WIDTH, HEIGHT = 12, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """A question to Prometheus, and how its curves are named."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves over time, in one unit."""

    title: str
    unit: str
    queries: Sequence[Query]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels, two in a row."""

    name: str
    title: str
    panels: Sequence[Panel]


def rate(metric: Metric, *by: str, over: str = SOON, where: str = "") -> str:
    """Return the sum over all processes of what a metric counts in a second, by these labels.

    Raises:
        ValueError: the metric has no such label.
    """
    _check(metric, by)
    return f"sum{_by(by)} (rate({metric.series}{_selector(metric, where)}[{over}]))"


def growth(metric: Metric, *by: str) -> str:
    """Return how much a metric counted in the last hour over all processes, by these labels.

    Raises:
        ValueError: the metric has no such label.
    """
    _check(metric, by)
    return f"sum{_by(by)} (increase({metric.series}{_selector(metric)}[{LONG}]))"


def gauge(metric: Metric, *by: str) -> str:
    """Return the value of a gauge by these labels; every API replica shows the same one, read from the same Redis.

    Raises:
        ValueError: the metric has no such label.
    """
    _check(metric, by)
    return f"max{_by(by)} ({metric.series}{_selector(metric)})"


def ratio(over: Metric, under: Metric, *, of: str = "", to: str = "") -> str:
    """Return, by run, how much of what `under` counts `over` counts; `of` and `to` choose among their series."""
    return f"{rate(over, 'run', over=CALM, where=of)} / {rate(under, 'run', over=CALM, where=to)}"


def quantiles(metric: Metric, *by: str) -> list[Query]:
    """Return the median and the 99th percentile of a histogram, by these labels."""
    names = " ".join(f"{{{{{label}}}}}" for label in by)
    rates = rate(metric, "le", *by, over=CALM)
    return [Query(f"histogram_quantile({q / 100:g}, {rates})", f"{names} p{q}".strip()) for q in (50, 99)]


def _check(metric: Metric, by: Sequence[str]) -> None:
    if missing := set(by) - set(metric.labels) - OF_PROMETHEUS:
        raise ValueError(f"{metric.family} has the labels {', '.join(metric.labels)}, and not {', '.join(missing)}")


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _selector(metric: Metric, where: str = "") -> str:
    chosen = [*(['run=~"$run"'] if "run" in metric.labels else []), *([where] if where else [])]
    return f"{{{', '.join(chosen)}}}" if chosen else ""


SERVICE = Dashboard(
    "service",
    "Co-rewarding: the service",
    [
        Panel("Rollouts accepted", "ops", [Query(rate(Metric.ROLLOUTS, "route"), "{{route}}")]),
        Panel(
            "Answers", "reqps", [Query(rate(Metric.REQUESTS, "route", "status"), "{{route}} {{status}}")],
            "503 and 429 ask clients to come again.",
        ),
        Panel("Time to answer, waiting included", "s", quantiles(Metric.REQUEST_SECONDS, "route")),
        Panel("From a cohort's last ballot to its settlement", "s", quantiles(Metric.SETTLE_SECONDS)),
        Panel(
            "Age of the job that waits longest", "s", [Query(gauge(Metric.OLDEST_JOB_SECONDS, "run"), "{{run}}")],
            "What workers are scaled by.",
        ),
        Panel("What waits", "short", [
            Query(gauge(Metric.WAITING, "run", "what"), "{{run}} {{what}}"),
            Query(gauge(Metric.PEER_GROUPS_AWAITED, "run", "peer"), "{{run}} groups of {{peer}}"),
            Query(gauge(Metric.PEER_ABSENT, "run", "peer"), "{{run}} no more for {{peer}}"),
        ]),
        Panel("Who is there", "short", [
            Query('count(up{job="reward-service"} == 1)', "API replicas"),
            Query(gauge(Metric.WORKERS), "workers"),
            Query(
                f"max by (run) (sum by (instance, run) ({Metric.TEACHERS.series}{_selector(Metric.TEACHERS)}))",
                "teachers of {{run}}",
            ),
            Query(gauge(Metric.PARAPHRASERS), "paraphrasers"),
            Query(f"sum by (role) ({Metric.PROCESSES.series})", "processes: {{role}}"),
            Query(f"min({Metric.STORE_UP.series})", "store"),
        ]),
        Panel("Processes that died, in the last hour", "short", [
            Query(growth(Metric.PROCESS_RESTARTS, "job", "role"), "started again: {{job}}, {{role}}"),
            Query(f"max(increase({Metric.WORKERS_LOST.series}[{LONG}]))", "workers lost"),
            Query(f"max by (run) (increase({Metric.TEACHERS_LOST.series}[{LONG}]))", "teachers lost by {{run}}"),
        ], "Lost: seen no more for 10 s, wherever they ran."),
        Panel("Time since the last start", "s", [
            Query(f"time() - max by (job, role) ({Metric.PROCESS_START_TIME_SECONDS.series})", "{{job}}, {{role}}"),
            Query(gauge(Metric.STORE_UPTIME_SECONDS), "store"),
        ]),
        Panel("Cohorts settled and expired", "ops", [
            Query(rate(Metric.COHORTS_SETTLED, "state"), "{{state}}"),
            Query(rate(Metric.COHORTS_EXPIRED), "expired"),
        ]),
        Panel("Trouble", "ops", [
            Query(rate(Metric.CONNECTIONS_CLOSED, "reason"), "connections closed: {{reason}}"),
            Query(rate(Metric.QUOTA_REFUSALS, "key", "quota"), "over {{quota}}: {{key}}"),
            Query(rate(Metric.JOBS_CLAIMED), "jobs taken over"),
            Query(rate(Metric.JOB_FAILURES), "jobs that raised"),
            Query(rate(Metric.JUDGE_KILLS), "judge's children killed"),
            Query(rate(Metric.PROMPTS_NOT_FOUND), "prompts not found"),
        ]),
        Panel("Pairs of answers that keys leave open", "ops", [
            Query(rate(Metric.JUDGEMENTS, "verdict", "reason"), "{{verdict}} {{reason}}"),
            Query(rate(Metric.COMPARISONS_UNDECIDED), "undecided in cohorts"),
        ]),
        Panel("CPU", "short", [
            Query(rate(Metric.PROCESS_CPU_SECONDS, "role"), "{{role}}"),
            Query(f"max(rate({Metric.STORE_CPU_SECONDS.series}[{SOON}]))", "store"),
            Query(rate(Metric.JUDGE_CPU_SECONDS), "judge"),
        ], "In cores."),
        Panel("Memory", "bytes", [
            Query(f"sum by (role) ({Metric.PROCESS_RESIDENT_BYTES.series})", "{{role}}"),
            Query(gauge(Metric.STORE_BYTES), "store"),
        ]),
        Panel("Paraphrase jobs", "short", [
            Query(gauge(Metric.PARAPHRASE_JOBS, "state"), "jobs {{state}}"),
            Query(gauge(Metric.PARAPHRASE_QUESTIONS, "what"), "questions {{what}}"),
            Query(gauge(Metric.PARAPHRASE_OLDEST_JOB_SECONDS), "age of the oldest, seconds"),
        ]),
        Panel("Paraphrases", "ops", [
            Query(f"max by (fate) (rate({Metric.PARAPHRASES.series}[{CALM}]))", "{{fate}}"),
            Query(
                f"max by (prompt, verdict) (rate({Metric.PARAPHRASE_CANDIDATES.series}[{CALM}]))",
                "candidates of {{prompt}}, {{verdict}}",
            ),
            Query(f"max by (check) (rate({Metric.PARAPHRASE_REJECTIONS.series}[{CALM}]))", "rejected by {{check}}"),
        ]),
    ],
)  # fmt: skip

RUNS = Dashboard(
    "runs",
    "Co-rewarding: the runs",
    [
        Panel("Rollouts rewarded", "ops", [Query(rate(Metric.ROLLOUTS_REWARDED, "run"), "{{run}}")]),
        Panel("Rollouts without a reward", "ops", [
            Query(rate(Metric.ABSTENTIONS, "run", "reason"), "{{run}} {{reason}}"),
        ]),
        Panel("Votes for the label", "percentunit", [Query(ratio(Metric.LABEL_VOTES, Metric.LABEL_BALLOTS), "{{run}}")],
            "Rises in a collapse too: see the different answers beside it."),
        Panel("Different answers in a group", "short", [
            Query(ratio(Metric.DISTINCT_ANSWERS, Metric.GROUPS), "{{run}}"),
        ], "1: all rollouts of a group agree, and teach nothing."),
        Panel("The most frequent answer among all of a step", "percentunit", [
            Query(gauge(Metric.TOP_ANSWER_SHARE, "run"), "{{run}}"),
        ], "Whatever the question: near 1, the policy gives one answer to everything."),
        Panel("Agreement", "percentunit", [
            Query(ratio(Metric.LABEL_AGREEMENT, Metric.LABELS_ELECTED), "rollouts with their label, {{run}}"),
            Query(ratio(Metric.VIEW_PAIRS, Metric.VIEW_PAIRS, of='same="yes"'), "views with each other, {{run}}"),
        ]),
        Panel("Right labels, where the truth is known", "percentunit", [
            Query(ratio(Metric.LABELS, Metric.LABELS, of='truth="right"', to='truth=~"right|wrong"'), "{{run}}"),
        ]),
        Panel("Rollouts with an answer", "percentunit", [
            Query(ratio(Metric.GROUP_ANSWERED, Metric.GROUP_ROLLOUTS), "{{run}}"),
        ]),
        Panel("The teacher", "short", [
            Query(gauge(Metric.TEACHER_VERSION, "run"), "version, {{run}}"),
            Query(gauge(Metric.TEACHER_LAG_STEPS, "run"), "steps behind, {{run}}"),
            Query(gauge(Metric.TEACHER_LABELS, "run", "what"), "labels {{what}}, {{run}}"),
        ]),
        Panel("Pairs in quarantine", "ops", [Query(rate(Metric.PAIRS, "run", "verdict"), "{{verdict}}, {{run}}")]),
        Panel("Cohorts", "short", [Query(gauge(Metric.COHORTS, "run", "state"), "{{state}}, {{run}}")]),
    ],
)  # fmt: skip

DASHBOARDS = (SERVICE, RUNS)


def document(dashboard: Dashboard) -> str:
    """Return a dashboard as Grafana reads it."""
    panels = [_panel(place, panel) for place, panel in enumerate(dashboard.panels)]
    made = {
        "title": dashboard.title,
        "uid": f"co-rewarding-{dashboard.name}",
        "tags": ["co-rewarding"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [_link()],
        "templating": {"list": _variables()},
        "panels": panels,
    }
    return json.dumps(made, indent=2) + "\n"


def documents() -> Mapping[Path, str]:
    """Return each dashboard by its file."""
    return {FOLDER / f"{each.name}.json": document(each) for each in DASHBOARDS}


def _panel(place: int, panel: Panel) -> dict[str, Any]:
    top = {"max": 1} if panel.unit == "percentunit" else {}
    targets = [
        {"expr": query.expression, "legendFormat": query.legend, "refId": chr(ord("A") + number)}
        for number, query in enumerate(panel.queries)
    ]
    return {
        "id": place + 1,
        "title": panel.title,
        "description": panel.description,
        "type": "timeseries",
        "datasource": SOURCE,
        "gridPos": {"x": place % 2 * WIDTH, "y": place // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **top}, "overrides": []},
        "targets": targets,
    }


def _link() -> dict[str, Any]:
    """Return the link from each dashboard to the others."""
    return {
        "type": "dashboards",
        "title": "Co-rewarding",
        "tags": ["co-rewarding"],
        "keepTime": True,
        "includeVars": True,
        "asDropdown": False,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
    }


def _variables() -> list[dict[str, Any]]:
    runs = f"label_values({Metric.COHORTS.series}, run)"
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {
            "name": "run",
            "type": "query",
            "label": "run",
            "datasource": SOURCE,
            "query": {"query": runs, "refId": "run"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def main() -> None:
    """Write the dashboards that there are, and none that is gone."""
    FOLDER.mkdir(exist_ok=True)
    made = documents()
    for stale in set(FOLDER.glob("*.json")) - set(made):
        stale.unlink()
    for path, text in made.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
