"""Describe the hot routes in the OpenAPI document, because FastAPI does not see them."""

from collections.abc import Mapping
from typing import Any

from co_rewarding_schema.limits import MAX_KEY_CHARS
from co_rewarding_schema.run_names import RUN_NAME_PATTERN
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reward_service.api.http.problems import MEDIA_TYPE
from reward_service.api.rewards import models as m
from reward_service.api.runs.models import ProblemDocument

_PROBLEMS = ("400", "401", "403", "404", "409", "413", "415", "422", "429", "501", "503")
_REFS = "#/components/schemas/{model}"


def document(app: FastAPI) -> None:
    """Makes the app's OpenAPI document hold the hot routes and the keys too."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = described()
            _add(whole)
            app.openapi_schema = whole
        return app.openapi_schema

    app.openapi = openapi


def _add(whole: dict[str, Any]) -> None:
    forms: tuple[type[BaseModel], ...] = (m.RewardForm, m.OpenRLHFForm, m.RemoteRMForm)
    documents: tuple[type[BaseModel], ...] = (
        m.RewardDocument,
        m.ProgressDocument,
        m.AcceptedDocument,
        m.OpenRLHFDocument,
        m.RemoteRMDocument,
        ProblemDocument,
    )
    _, schemas = models_json_schema([(f, "validation") for f in forms + documents], ref_template=_REFS)
    components = whole.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | schemas["$defs"]
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The key is the password."},
    }
    whole["security"] = [{}, {"bearer": []}, {"basic": []}]
    for item in whole["paths"].values():
        for operation in item.values():
            responses = operation["responses"]
            for status in ("401", "403"):
                responses.setdefault(status, _response("A key is missing or wrong.", ProblemDocument, MEDIA_TYPE))
            for media_type, content in responses.get("200", {}).get("content", {}).items():
                if media_type == "text/event-stream":
                    content["schema"].pop("type")  # FastAPI says string beside the reference
            for status, response in responses.items():
                if int(status) >= 400:
                    responses[status] = _response(
                        response.get("description", "A problem."), ProblemDocument, MEDIA_TYPE
                    )
    whole["paths"] |= _paths()


def _paths() -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body get the same answer, and vote once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    }
    run = {"name": "run", "in": "query", "schema": {"type": "string", "pattern": RUN_NAME_PATTERN}}
    wait = {"name": "wait_s", "in": "query", "schema": {"type": "number", "minimum": 0, "default": 0}}
    ticket = {"name": "ticket", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    rewards: Mapping[str, type[BaseModel]] = {"200": m.RewardDocument, "202": m.ProgressDocument}
    return {
        "/v1/rewards": {"post": _operation("Rewards for a batch", "rewards", [key], m.RewardForm, rewards)},
        "/v1/rollouts": {
            "post": _operation("Submit rollouts", "rollouts", [key], m.RewardForm, {"202": m.AcceptedDocument})
        },
        "/v1/rewards/{ticket}": {"get": _operation("Ask for a ticket", "ticket", [ticket, wait], None, rewards)},
        "/get_reward": {
            "post": _operation("OpenRLHF", "get_reward", [run], m.OpenRLHFForm, {"200": m.OpenRLHFDocument})
        },
        "/v1/remote_rm": {
            "post": _operation("slime, miles", "remote_rm", [run], m.RemoteRMForm, {"200": m.RemoteRMDocument})
        },
    }


def _operation(
    summary: str,
    name: str,
    parameters: list[dict[str, Any]],
    form: type[BaseModel] | None,
    answers: Mapping[str, type[BaseModel]],
) -> dict[str, Any]:
    responses = {status: _response("Success.", model, "application/json") for status, model in answers.items()}
    responses |= {status: _response("A problem.", ProblemDocument, MEDIA_TYPE) for status in _PROBLEMS}
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": name,
        "tags": ["rewards"],
        "parameters": parameters,
        "responses": responses,
    }
    if form is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(form)}}}
    return operation


def _response(description: str, model: type[BaseModel], media_type: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": _ref(model)}}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFS.format(model=model.__name__)}
