"""What OpenAPI says of the routes: every parameter is described, and every field, with an example or a default."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reward_service.api.app import ApiService
from reward_service.settings import Settings

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


def within(part: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields of a schema that is written in place, and of the schemas in it."""
    if isinstance(part, dict):
        for name, field in part.get("properties", {}).items():
            if "title" in field:  # a condition on a field has none
                yield name, field
        for value in part.values():
            yield from within(value)
    elif isinstance(part, list):
        for value in part:
            yield from within(value)


def told() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of the document, with where it is."""
    whole = document()
    for name, schema in whole["components"]["schemas"].items():
        for field, said in schema.get("properties", {}).items():
            yield f"{name}.{field}", said
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            for field, said in within(operation.get("requestBody", {})):
                yield f"{method} {path} {field}", said


FIELDS = dict(told())


def test_there_are_many_fields() -> None:
    assert len(FIELDS) > 200


@pytest.mark.parametrize("where", FIELDS)
def test_each_field_is_described_with_an_example(where: str) -> None:
    parts = [FIELDS[where], *FIELDS[where].get("anyOf", [])]
    assert any("description" in part for part in parts), f"{where} is not described"
    if not list(named(FIELDS[where])):  # what it refers to has examples of its own
        known = {"examples", "default", "enum", "const"}
        assert any(known & part.keys() for part in parts), f"{where} has neither example nor default"


def test_each_parameter_is_described() -> None:
    operations = [(path, operation) for path, item in document()["paths"].items() for operation in item.values()]
    told = {(path, each["name"]): "description" in each for path, op in operations for each in op.get("parameters", ())}
    assert len(told) > 25
    assert [where for where, described in told.items() if not described] == []


def test_the_routes_of_rewards_come_first() -> None:
    whole = document()
    tags = [operation["tags"][0] for item in whole["paths"].values() for operation in item.values()]
    assert tags[0] == "rewards"
    assert set(tags) == {each["name"] for each in whole["tags"]}
    assert whole["tags"][0]["name"] == "rewards"


def test_the_wire_is_as_it_was() -> None:
    """A change is looked at before it is written down: the wire may gain, and nothing of it may go or mean another."""
    assert known_wire() == json.loads(KNOWN.read_text())


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(part, sort_keys=True)}" for name, part in sorted(known_wire().items()))
    KNOWN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
