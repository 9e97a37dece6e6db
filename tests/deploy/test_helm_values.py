"""The chart's values, their schema and their page say the same, and the settings are the service's; without helm."""

import re
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from reward_service import __version__
from reward_service.settings import Settings
from tests.deploy.helm_chart import CHART, ROOT, VALUE_SETS
from tests.deploy.helm_values import PAGE, default_of, defaults, leaves, schema, with_table

OF_THE_CHART = {
    *("host", "port", "redis_url", "redis_password_file", "data_dir", "workers", "api_processes"),
    *("api_keys", "api_keys_file", "weights_root", "teacher", "teacher_dir", "paraphraser"),
    *("metrics_port", "metrics_host"),
    *("teacher_api_key", "paraphraser_api_key"),  # no secret is in a ConfigMap: `env` takes them
}
"""Settings that follow from other values."""


def test_the_settings_are_those_of_the_service() -> None:
    assert set(schema()["properties"]["settings"]["properties"]) == Settings.model_fields.keys() - OF_THE_CHART
    assert Settings.model_fields.keys() >= OF_THE_CHART


def test_each_value_has_a_default_and_a_description() -> None:
    values = defaults()
    for path, found in leaves(schema()):
        assert found["description"].endswith("."), path
        if path != ("global",):
            default_of(path, values)


@pytest.mark.parametrize("file", [CHART / "values.yaml", *VALUE_SETS], ids=lambda file: file.stem)
def test_the_defaults_and_the_five_sets_are_valid(file: Path) -> None:
    assert list(jsonschema_rs.validator_for(schema()).iter_errors(yaml.safe_load(file.read_text()))) == []


def test_every_object_of_the_schema_is_closed() -> None:
    """A misspelt value would else be taken for none."""
    text = (CHART / "values.schema.json").read_text()
    assert text.count('"additionalProperties": false') == text.count('"properties": {')


def test_the_page_has_the_table_of_values() -> None:
    page = PAGE.read_text()
    assert page == with_table(page), "run: python -m tests.deploy.helm_values"


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__


def test_what_is_fetched_is_locked() -> None:
    lock = (ROOT / "deploy" / "locks" / "helm" / "tools.txt").read_text()
    packages = re.findall(r"^[\w.-]+==[\w.]+ \\$\n    --hash=sha256:[0-9a-f]{64}$", lock, re.MULTILINE)
    assert len(packages) == sum(not line.startswith(("#", " ")) for line in lock.splitlines()) >= 4
