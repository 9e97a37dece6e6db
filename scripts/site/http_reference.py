"""Write the reference of the HTTP API as Markdown, from the OpenAPI document of the service."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reward_service.api.app import ApiService
from reward_service.settings import Settings

INTRODUCTION = """# HTTP API

Every route of the service, from its own OpenAPI document: a running service shows the same at `/openapi.json`, `/docs`
(to try calls) and `/redoc` (to read). A service with keys asks for one: `Authorization: Bearer KEY`, or HTTP Basic with
the key as the password. Refusals are [problem documents](../client.md#problems). Every example here is sent by
`tests/api/test_openapi_examples.py`.
"""

URL = "http://127.0.0.1:8000"
PLAIN = ("string", "integer", "number", "boolean", "null")


def openapi() -> dict[str, Any]:
    """Return the document, as clients read it."""
    return json.loads(json.dumps(ApiService(Settings()).openapi()))


def reference(document: Mapping[str, Any]) -> str:
    """Return the page: the routes by tag, then the structures that they name."""
    return "\n".join([INTRODUCTION, *_routes(document), "## Structures", "", *_structures(document)])


def _routes(document: Mapping[str, Any]) -> Iterator[str]:
    operations = [
        (method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    for tag in document["tags"]:
        yield f"## {tag['name'].capitalize()}\n\n{tag['description']}\n"
        for method, path, operation in operations:
            if tag["name"] in operation["tags"]:
                yield from _route(document, method, path, operation)


def _route(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n\n**{operation['summary']}.** {operation.get('description', '')}\n"
    if operation.get("parameters"):
        yield "| parameter | in | type | what |\n|---|---|---|---|"
        for each in operation["parameters"]:
            yield f"| `{each['name']}` | {each['in']} | {_kind(each['schema'])} | {_cell(each['description'])} |"
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from _body(document, method, path, media, content["schema"])
    responses = sorted(operation["responses"].items())
    problems = ", ".join(status for status, _ in responses if status >= "400")
    yield "Answer: " + ", ".join(_answer(status, each) for status, each in responses if status < "400") + ".\n"
    yield f"Problems: {problems or 'none'}.\n"


def _body(document: Mapping[str, Any], method: str, path: str, media: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if media != "application/json":
        yield f"Body, as `{media}`: {_kind(schema)}.\n"
        return
    whole = _referred(document, schema)
    yield f"Body: {_kind(schema)}.\n" if "$ref" in schema else f"Body: {whole.get('description', 'an object.')}\n"
    if "$ref" not in schema:
        yield from fields_of(whole)
    if whole.get("examples"):
        example = json.dumps(whole["examples"][0], indent=2, ensure_ascii=False)
        yield f"For example:\n\n```json\n{example}\n```\n"


def _structures(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name}\n\n{schema.get('description', '')}\n"
        if "enum" in schema:
            yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
        yield from fields_of(schema)


def fields_of(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table of the schema's fields; nothing for a schema without any."""
    if not schema.get("properties"):
        return
    yield "| field | type | default | what | for example |\n|---|---|---|---|---|"
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        parts = [field, *field.get("anyOf", ())]
        what = next((part["description"] for part in parts if "description" in part), "")
        example = next((part["examples"][0] for part in parts if part.get("examples")), None)
        default = "required" if name in required else _value(field.get("default"))
        yield f"| `{name}` | {_kind(field)} | {default} | {_cell(what)} | {_value(example)} |"
    yield ""


def _kind(schema: Mapping[str, Any]) -> str:
    """Return what a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema and "properties" not in schema:
        kinds = list(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
        return " or ".join(kinds)
    if "enum" in schema:
        return "one of " + ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, Sequence) and not isinstance(kind, str) else f"{kind}"


def _answer(status: str, response: Mapping[str, Any]) -> str:
    kinds = {_kind(content["schema"]) for content in response.get("content", {}).values() if "schema" in content}
    return f"{status} {' or '.join(sorted(kinds))}".strip()


def _referred(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _value(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{_cell(text if len(text) <= 80 else text[:77] + '...')}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
