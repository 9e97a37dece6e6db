"""What helm makes of the chart is valid, safe, and what the service understands."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from reward_service.api.app import ApiService
from reward_service.cli import app
from reward_service.serving.children import KILLED_AFTER_S, unknown_variables
from reward_service.settings import PREFIX, Settings, settings_given
from tests.deploy.helm_chart import CHART, ROOT, VALUE_SETS, HelmError, Rendered, Schemas, called, render

pytestmark = pytest.mark.usefixtures("helm")
SECRETS = "/run/secrets/co-rewarding"
PARTS = {"api", "worker", "teacher", "paraphraser"}


@pytest.fixture(scope="module", params=VALUE_SETS, ids=lambda file: file.stem)
def values(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def rendered(values: Path) -> Rendered:
    return render(values)


@pytest.fixture(scope="module", params=["1.27", "1.35"])
def schemas(request: pytest.FixtureRequest) -> Schemas:
    return Schemas(request.param)


@pytest.fixture(scope="module")
def of_models() -> Rendered:
    """With all parts."""
    return render(CHART / "ci" / "models.yaml")


@pytest.fixture(scope="module")
def scaled() -> Rendered:
    return render(CHART / "ci" / "scaled.yaml")


def test_helm_finds_nothing_to_say_of_the_chart(values: Path) -> None:
    assert "0 chart(s) failed" in called("lint", "--strict", str(CHART), "--values", str(values))


def test_every_object_is_valid(rendered: Rendered, schemas: Schemas) -> None:
    assert len(rendered.objects) >= 8
    assert [error for each in rendered.objects for error in schemas.errors(each)] == []


def test_the_six_sets_make_every_kind_of_object_that_the_chart_can() -> None:
    kinds = {each["kind"] for file in VALUE_SETS for each in render(file).objects}
    written = {kind for file in (CHART / "templates").glob("*.yaml") for kind in _kinds(file.read_text())}
    assert len(VALUE_SETS) == 6
    assert kinds == written


def _kinds(template: str) -> list[str]:
    return re.findall(r"^kind: (\w+)$", template, re.MULTILINE)


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0)),
        ("HorizontalPodAutoscaler", ("spec", "behavior", "scaleUp")),
        ("ScaledObject", ("spec", "triggers", 0)),
        ("ServiceMonitor", ("spec", "endpoints", 0)),
        ("PrometheusRule", ("spec", "groups", 0)),
    ],
)
def test_a_misspelt_field_is_found(scaled: Rendered, schemas: Schemas, kind: str, where: tuple[Any, ...]) -> None:
    wrong = copy.deepcopy(next(each for each in scaled.objects if each["kind"] == kind))
    inner = wrong
    for step in where:
        inner = inner[step]
    inner["misspelt"] = 1
    assert any("misspelt" in error for error in schemas.errors(wrong))


def test_no_pod_may_more_than_it_must(rendered: Rendered) -> None:
    for part, pod in rendered.pods.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False  # CO_REWARDING_PORT=tcp://… would be taken for the setting
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        container = rendered.container(part)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, part
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            *(volume["name"] for volume in spec["volumes"]),
            *(claim["metadata"]["name"] for claim in rendered.claims(part)),
        }


def test_every_part_is_probed_where_it_answers(rendered: Rendered) -> None:
    routes = ApiService(Settings()).openapi()["paths"]
    for part in rendered.pods:
        container = rendered.container(part)
        ports = {port["name"] for port in container["ports"]}
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container[name]
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in routes
                assert probe["httpGet"]["port"] in ports
            elif "tcpSocket" in probe:
                assert probe["tcpSocket"]["port"] in ports
            else:
                assert probe["exec"]["command"]


def test_a_call_that_waits_for_the_store_is_in_time_for_the_probe(rendered: Rendered) -> None:
    container = rendered.container("api")
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["readinessProbe"]["timeoutSeconds"] > Settings().redis_patience_s
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"  # a store that is away must restart nothing


def test_no_pod_is_killed_while_it_still_answers(rendered: Rendered) -> None:
    for part in rendered.of("Deployment"):
        spec = rendered.pods[part]["spec"]
        container = rendered.container(part)
        hook = container.get("lifecycle", {}).get("preStop", {"exec": {"command": ["sleep", "0"]}})
        program, seconds = hook["exec"]["command"]
        assert program == "sleep"
        assert (int(seconds) > 0) is (part == "api")
        stops_s = float(rendered.variables(part).get(f"{PREFIX}SHUTDOWN_S", Settings().shutdown_s)) + KILLED_AFTER_S
        assert spec["terminationGracePeriodSeconds"] > int(seconds) + stops_s


def test_the_service_understands_what_its_containers_are_given(
    rendered: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("api_keys", "redis_password"):
        (tmp_path / name).write_text("secret\n")
    command = typer.main.get_command(app)
    for part in rendered.of("Deployment"):
        container = rendered.container(part)
        variables = rendered.variables(part)
        assert unknown_variables(variables) == []
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value.replace(SECRETS, str(tmp_path)))
            assert (settings_given().redis_url or "").startswith(("redis://", "rediss://", "redis+sentinel://"))
            name, *options = container["args"]
            found = command.commands[name]  # type: ignore[attr-defined] - a group's
            assert found.make_context(name, options, parent=command.make_context("co-rewarding", [name]))


def test_settings_arrive_as_they_were_meant(of_models: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    given = yaml.safe_load((CHART / "ci" / "external.yaml").read_text())["settings"]
    external = render(CHART / "ci" / "external.yaml")
    for found, settings in (
        (external, given),
        (of_models, {"teacher_engine": {"tensor_parallel_size": 2, "gpu_memory_utilization": 0.8}}),
    ):
        with monkeypatch.context() as patched:
            for name, value in found.of("ConfigMap")["settings"]["data"].items():
                patched.setenv(name, value)
            read = settings_given()
        assert {name: getattr(read, name) for name in settings} == settings | (
            {"max_body_bytes": 128 * 2**20} if "max_body_bytes" in settings else {}
        )


def test_selectors_and_ports_meet(rendered: Rendered) -> None:
    for kind in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
        for part, each in rendered.of(kind).items():
            selector = each["spec"].get("podSelector", each["spec"]["selector"] if kind != "NetworkPolicy" else None)
            assert rendered.selected(selector.get("matchLabels", selector)) == [part]
    for part, each in rendered.of("Service").items():
        container = rendered.container(part)
        named = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= named
    for part, monitor in rendered.of("ServiceMonitor").items():
        service = rendered.of("Service")[part]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    for part, controller in rendered.controllers.items():
        assert rendered.selected(controller["spec"]["selector"]["matchLabels"]) == [part]


def test_what_is_scaled_has_no_number_of_its_own_and_a_request_to_measure_by(scaled: Rendered) -> None:
    targets = {
        part: scaled.of(kind)[part]["spec"]["scaleTargetRef"]["name"]
        for part, kind in (("api", "HorizontalPodAutoscaler"), ("worker", "ScaledObject"))
    }
    for part, target in targets.items():
        deployment = scaled.of("Deployment")[part]
        assert deployment["metadata"]["name"] == target
        assert "replicas" not in deployment["spec"]
        assert scaled.container(part)["resources"]["requests"]["cpu"]


def test_the_age_of_the_queue_is_a_metric_of_the_service(scaled: Rendered) -> None:
    by_age, by_cpu = scaled.of("ScaledObject")["worker"]["spec"]["triggers"]
    assert (by_age["type"], by_cpu["type"]) == ("prometheus", "cpu")
    assert by_age["metricType"] == "Value"  # an average over the workers would grow with their number
    metric = re.search(r"max\((\w+)\{", by_age["metadata"]["query"])
    assert metric is not None
    assert f"| `{metric[1]}{{run}}` | age of the job" in (ROOT / "docs" / "operations.md").read_text()
    service = scaled.of("Service")["api"]["metadata"]["name"]
    assert f'service="{service}"' in by_age["metadata"]["query"]
    assert by_age["metadata"]["threshold"] == "1.5"


def test_the_alerts_are_those_of_prometheus(scaled: Rendered) -> None:
    alerts = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    assert scaled.of("PrometheusRule")["alerts"]["spec"] == alerts
    jobs = set(re.findall(r'job="([\w-]+)"', json.dumps(alerts).replace('\\"', '"')))
    monitors = scaled.of("ServiceMonitor").values()
    given = {each["spec"]["endpoints"][0]["relabelings"][0]["replacement"] for each in monitors}
    assert jobs
    assert jobs <= given


def test_the_dashboards_are_the_repository_s(scaled: Rendered) -> None:
    data = scaled.of("ConfigMap")["dashboard"]["data"]
    files = (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")
    assert data == {f"co-rewarding-{file.name}": file.read_text() for file in files}


def test_nothing_is_let_in_by_an_empty_list(rendered: Rendered) -> None:
    """`from: []` would let everyone in."""
    for policy in rendered.of("NetworkPolicy").values():
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for rule in policy["spec"].get("ingress", ()):
            assert rule["from"]
            assert rule["ports"]


def test_the_smallest_release_lets_nobody_in() -> None:
    policies = render(CHART / "ci" / "smallest.yaml").of("NetworkPolicy")
    assert "ingress" not in policies["api"]["spec"]
    assert "ingress" not in policies["worker"]["spec"]


def test_only_the_parts_reach_the_store(of_models: Rendered) -> None:
    policies = of_models.of("NetworkPolicy")
    assert set(policies) == {*PARTS, "valkey"}
    (rule,) = policies["valkey"]["spec"]["ingress"]
    (peer,) = rule["from"]
    (expression,) = peer["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == PARTS
    assert policies["valkey"]["spec"]["egress"] == []
    external = render(CHART / "ci" / "external.yaml").of("NetworkPolicy")
    assert external["worker"]["spec"]["egress"][1] == {"ports": [{"port": 6380, "protocol": "TCP"}]}


@pytest.mark.parametrize(
    ("url", "port"), [("redis://redis-1/0", 6379), ("redis://u@redis-1:7000", 7000), ("rediss://[::1]:7001/0", 7001)]
)
def test_the_port_of_the_store_is_that_of_its_url(url: str, port: int) -> None:
    policies = render(store__bundled="false", store__url=url).of("NetworkPolicy")
    assert policies["api"]["spec"]["egress"][1]["ports"] == [{"port": port, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"store__bundled": "false"}, "store.url"),
        ({"store__bundled": "false", "store__url": "unix:///tmp/x"}, "store/url"),
        ({"teacher__enabled": "true", "teacher__model": "m"}, "weights.enabled"),
        ({"teacher__enabled": "true", "weights__enabled": "true"}, "teacher.model"),
        (
            {"teacher__enabled": "true", "weights__enabled": "true", "teacher__model": "m", "teacher__replicas": "2"},
            "teacher.averages.accessMode",
        ),
        ({"settings__retention": "1"}, "retention"),
        ({"settings__redis_url": "redis://x"}, "redis_url"),
        ({"worker__replica": "3"}, "replica"),
        ({"api__replicas": "0"}, "api/replicas"),
        ({"api__autoscaling__enabled": "true", "api__resources__requests": "null"}, "api.resources.requests.cpu"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, str], words: str) -> None:
    with pytest.raises(HelmError, match=re.escape(words)):
        render(**given)


def test_a_teacher_at_a_url_needs_neither_weights_nor_averages() -> None:
    made = render(teacher__enabled="true", teacher__model="openai:http://x/v1#m", teacher__replicas="2")
    assert {"weights", "averages"} & {volume["name"] for volume in made.pods["teacher"]["spec"]["volumes"]} == set()
    assert made.of("PersistentVolumeClaim") == {}
