"""Dashboards, alerts, runbooks and pages know the metrics by the names and labels that the table gives them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana import panels
from reward_service.metrics import Kind, Metric

ROOT = Path(__file__).parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
RUNBOOKS = ROOT / "docs" / "runbooks.md"
SERIES = re.compile(r"\b(co_rewarding_\w+)(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|on|without) ?\(([^)]*)\)")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def expressions() -> Iterator[Any]:
    """What dashboards and alerts ask Prometheus."""
    for dashboard in panels.DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield pytest.param(query.expression, id=f"{dashboard.name}: {panel.title}, {query.legend}")
    for alert in ALERTS:
        yield pytest.param(alert["expr"], id=alert["alert"])


def test_the_dashboards_are_what_the_table_makes_of_them():
    files = {path: path.read_text() for path in panels.FOLDER.glob("*.json")}
    assert files == panels.documents(), "run `make dashboards`"


def test_a_dashboard_shows_every_metric():
    asked = " ".join(each.values[0] for each in expressions())
    assert {metric.series for metric in Metric} - set(re.findall(r"\w+", asked)) == set()


def test_every_panel_says_what_its_curves_are_and_no_two_queries_share_a_name():
    for path, text in panels.documents().items():
        made = json.loads(text)
        assert [panel["id"] for panel in made["panels"]] == list(range(1, len(made["panels"]) + 1))
        for panel in made["panels"]:
            names = [target["refId"] for target in panel["targets"]]
            assert names == sorted(set(names)), path
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


def test_a_label_that_a_metric_does_not_have_is_refused():
    with pytest.raises(ValueError, match="co_rewarding_rollouts has the labels route, and not reason"):
        panels.rate(Metric.ROLLOUTS, "reason")


@pytest.mark.parametrize("expression", list(expressions()))
def test_what_is_asked_of_prometheus_is_in_the_table(expression: str):
    table = {metric.series: metric for metric in Metric}
    asked = SERIES.findall(expression)
    known = {"instance", "job", "le"}
    for name, selector in asked:
        metric = table[name]
        assert set(re.findall(r"(\w+) ?=", selector)) <= {*metric.labels}, name
        known |= {*metric.labels}
    for labels in BY.findall(expression):
        assert {label.strip() for label in labels.split(",")} <= known, labels
    assert expression.count("(") == expression.count(")")
    assert asked or "up" in expression


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_links_to_its_section_of_the_runbooks(alert: dict[str, Any]):
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert ROOT / page == RUNBOOKS
    sections = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=\n## |\Z)", RUNBOOKS.read_text(), re.MULTILINE | re.DOTALL))
    assert anchor == alert["alert"].lower()
    told = sections[alert["alert"]]
    assert all(f"**{part}.**" in told for part in ("Means", "Look", "Do")), told


def test_the_runbooks_are_those_of_alerts_that_there_are():
    told = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert told == [alert["alert"] for alert in ALERTS]


def test_the_page_has_the_labels_of_the_table():
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = "\n".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `co_rewarding_"))
    told = re.findall(r"`(co_rewarding_\w+)(?:\{([^}]*)\})?`", rows)
    suffix = {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.HISTOGRAM: ""}
    assert sorted(told) == sorted((f"{each.family}{suffix[each.kind]}", ",".join(each.labels)) for each in Metric)


def test_grafana_gets_what_is_in_the_repository_and_the_prometheus_beside_it():
    grafana = COMPOSE["grafana"]
    assert grafana["profiles"] == ["observe"]
    mounts = dict(each.split(":")[:2] for each in grafana["volumes"] if each.startswith("./"))
    assert all((ROOT / source).is_dir() for source in mounts)
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "co-rewarding.yml").read_text())["providers"]
    assert provider["options"]["path"] == mounts["./deploy/grafana/dashboards"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (panels.FOLDER / home.name).is_file()
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(grafana["networks"]) & set(COMPOSE["prometheus"]["networks"])
