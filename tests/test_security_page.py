"""What docs/security.md says of settings is so, and no bound is left out."""

import re
from pathlib import Path

from co_rewarding_schema.run_settings import RunSettings

from reward_service.settings import Settings

REPOSITORY = Path(__file__).parents[1]
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
BOUND = re.compile(r"^max_|_timeout_s$|_ttl_s$|retention_s$|patience_s$|^judge_|^keep_alive_s$")


def told() -> dict[str, float | None]:
    """The settings of the page's table with their defaults; None where the page names no number alone."""
    page = (REPOSITORY / "docs/security.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    return {name: number(default) for name, default in rows}


def number(text: str) -> float | None:
    found = re.fullmatch(r"([\d,.]+) ?(\w*)", text)
    return None if found is None else float(found[1].replace(",", "")) * UNITS[found[2]]


def test_each_setting_exists_and_has_the_default_that_is_told() -> None:
    assert len(told()) > 20
    assert told() == {name: Settings.model_fields[name].default for name in told()}


def test_each_setting_that_bounds_something_is_told() -> None:
    assert {name for name in Settings.model_fields if BOUND.search(name)} <= told().keys()


def test_the_proxy_is_as_patient_as_the_service() -> None:
    config = (REPOSITORY / "deploy/proxy/nginx.conf").read_text()

    def seconds(directive: str) -> float:
        return float(re.findall(rf"^ *{directive} (\d+)s;", config, re.MULTILINE)[0])

    default = {name: field.default for name, field in Settings.model_fields.items()}
    assert seconds("proxy_read_timeout") >= RunSettings().cohort_deadline_s + 60
    assert seconds("keepalive_timeout") < default["keep_alive_s"]
    assert seconds("client_header_timeout") == default["header_timeout_s"]
    assert seconds("client_body_timeout") == default["body_timeout_s"]
    assert f"client_max_body_size {default['max_paraphrase_bytes'] // 2**20}m;" in config
