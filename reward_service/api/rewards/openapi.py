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
_UNUSED = ("HTTPValidationError", "ValidationError")
"""FastAPI's own forms of refusals, in whose place problem documents are answered."""

_TAGS = {
    "rewards": "Rollouts in, rewards out. The last two routes have formats of trainers.",
    "runs": "A run holds the settings by which its rollouts are rewarded, and what it has come to.",
    "events": "Runs as they change: server-sent events, which the page at / shows.",
    "cohorts": "Why a rollout got its reward: the ballots, the classes of equal answers, the votes, the labels.",
    "teacher": "A slow average of the policy, which labels the rollouts of methods with a teacher.",
    "paraphrases": "Second views of questions, written by a model and checked.",
    "service": "Whether the service is alive and able to serve, its metrics, and its version.",
}


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
    described = {name: schema for name, schema in components.get("schemas", {}).items() if name not in _UNUSED}
    components["schemas"] = schemas["$defs"] | {
        name: schema for name, schema in described.items() if name not in schemas["$defs"]
    }
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
    whole["tags"] = [{"name": name, "description": description} for name, description in _TAGS.items()]
    whole["paths"] = _paths() | whole["paths"]


def _paths() -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body get the same answer, and vote once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS},
    }
    run = {
        "name": "run",
        "in": "query",
        "description": "The run of rollouts whose labels name none.",
        "schema": {"type": "string", "pattern": RUN_NAME_PATTERN, "examples": ["qwen3-8b-math"]},
    }
    wait = {
        "name": "wait_s",
        "in": "query",
        "description": "How long to wait for the rewards, in seconds; at most the server's limit.",
        "schema": {"type": "number", "minimum": 0, "default": 0},
    }
    ticket = {
        "name": "ticket",
        "in": "path",
        "required": True,
        "description": "As POST /v1/rollouts, or POST /v1/rewards with 202, gave it.",
        "schema": {"type": "string", "minLength": 1, "examples": ["default~b5d4045c3f466fa91fe2cc6a"]},
    }
    rewards: Mapping[str, type[BaseModel]] = {"200": m.RewardDocument, "202": m.ProgressDocument}
    return {
        "/v1/rewards": {
            "post": _operation(
                "Rewards for a batch",
                "Waits until the rollouts are rewarded. After `wait_s` the answer is 202, with a ticket and what is "
                "missing.",
                "rewards",
                [key],
                m.RewardForm,
                rewards,
            )
        },
        "/v1/rollouts": {
            "post": _operation(
                "Submit rollouts",
                "Keeps the rollouts and answers at once, with a ticket for their rewards.",
                "rollouts",
                [key],
                m.RewardForm,
                {"202": m.AcceptedDocument},
            )
        },
        "/v1/rewards/{ticket}": {
            "get": _operation(
                "Rewards of a ticket",
                "The rewards of rollouts that were sent before; 202 while some are missing.",
                "ticket",
                [ticket, wait],
                None,
                rewards,
            )
        },
        "/get_reward": {
            "post": _operation(
                "OpenRLHF",
                "OpenRLHF's own format (`--reward.remote_url`). Held until the rollouts are rewarded.",
                "get_reward",
                [run],
                m.OpenRLHFForm,
                {"200": m.OpenRLHFDocument},
            )
        },
        "/v1/remote_rm": {
            "post": _operation(
                "slime, miles",
                "The format of slime and miles (`--rm-url`). Held for `remote_rm_hold_s`, then 503: come again.",
                "remote_rm",
                [run],
                m.RemoteRMForm,
                {"200": m.RemoteRMDocument},
            )
        },
    }


def _operation(
    summary: str,
    description: str,
    name: str,
    parameters: list[dict[str, Any]],
    form: type[BaseModel] | None,
    answers: Mapping[str, type[BaseModel]],
) -> dict[str, Any]:
    responses = {status: _response("Success.", model, "application/json") for status, model in answers.items()}
    responses |= {status: _response("A problem.", ProblemDocument, MEDIA_TYPE) for status in _PROBLEMS}
    operation: dict[str, Any] = {
        "summary": summary,
        "description": description,
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
