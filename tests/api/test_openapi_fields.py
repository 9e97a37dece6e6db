"""What OpenAPI says of the routes: every field of those of rewards, runs and cohorts is told, with an example."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reward_service.api.app import ApiService
from reward_service.settings import Settings

TOLD = ("/v1/rewards", "/v1/rollouts", "/get_reward", "/v1/remote_rm", "/v1/runs", "/v1/cohorts")
KNOWN = Path(__file__).with_name("openapi.json")
"""The wire as it was when it was last looked at: `python -m tests.api.test_openapi_fields` writes it anew."""

WORDS = frozenset({"description", "examples", "summary", "title", "version"})


def document() -> dict[str, Any]:
    """The OpenAPI document, as clients read it."""
    return json.loads(json.dumps(ApiService(Settings()).openapi()))


def wire(part: object) -> object:
    """A part of the document without what is there for people."""
    if isinstance(part, dict):
        return {name: wire(value) for name, value in part.items() if name not in WORDS or isinstance(value, dict)}
    return [wire(each) for each in part] if isinstance(part, list) else part


def known_wire() -> dict[str, Any]:
    """Routes and schemas by name."""
    whole = document()
    return {name: wire(part) for name, part in (whole["paths"] | whole["components"]["schemas"]).items()}


def named(part: object) -> Iterator[str]:
    """The names of the schemas that a part of the document refers to."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from named(value)
    elif isinstance(part, list):
        for value in part:
            yield from named(value)


def told_schemas() -> dict[str, Any]:
    whole = document()
    schemas = whole["components"]["schemas"]
    found: dict[str, Any] = {}
    waiting = [name for path, item in whole["paths"].items() if path.startswith(TOLD) for name in named(item)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting += named(schemas[name])
    return found


FIELDS = [
    (name, field, told)
    for name, schema in sorted(told_schemas().items())
    for field, told in schema.get("properties", {}).items()
    if "anyOf" not in schema or "type" in schema
]


@pytest.mark.parametrize(("name", "field", "told"), FIELDS, ids=[f"{name}.{field}" for name, field, _ in FIELDS])
def test_each_field_is_told_with_an_example(name: str, field: str, told: dict[str, Any]) -> None:
    parts = [told, *told.get("anyOf", [])]
    assert any("description" in part for part in parts), f"{name}.{field} is not described"
    if not list(named(told)):  # what it refers to has examples of its own
        assert any("examples" in part for part in parts), f"{name}.{field} has no example"


def test_the_wire_is_as_it_was() -> None:
    """A change is looked at before it is written down: the wire may gain, and nothing of it may go or mean another."""
    assert known_wire() == json.loads(KNOWN.read_text())


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(part, sort_keys=True)}" for name, part in sorted(known_wire().items()))
    KNOWN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
