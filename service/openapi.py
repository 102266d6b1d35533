"""The parts of /openapi.json that FastAPI cannot infer: bodies read by hand, problems."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service import schemas
from service.body import JSON_LINES
from service.errors import (
    MEDIA_TYPE,
    FieldError,
    InternalError,
    InvalidRequest,
    InvalidText,
    MethodNotAllowed,
    NotFound,
    Problem,
    QueueFull,
    Unavailable,
    problem_types,
)

_REF = "#/components/schemas/{model}"
_MODELS: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (schemas.OneText, "validation"),
    (schemas.ManyTexts, "validation"),
    (schemas.Result, "serialization"),
    (schemas.Results, "serialization"),
    (schemas.ModelInfo, "serialization"),
    (schemas.Health, "serialization"),
    (schemas.Problem, "serialization"),
]
_HEADERS = {
    "X-Request-ID": {
        "description": "The request's own X-Request-ID, or a new one.",
        "schema": {"type": "string"},
    }
}


def ref(model: type[BaseModel]) -> dict[str, Any]:
    """The schema that refers to `model`."""
    return {"$ref": _REF.format(model=model.__name__)}


def json_answer(description: str, schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    """A response of JSON."""
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {
        "description": description,
        "headers": _HEADERS,
        "content": {"application/json": content},
    }


def problem_answers(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The responses of `kinds`, by status, each kind with its example."""
    by_status: dict[int, list[type[Problem]]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind)
    return {
        status: {
            "description": "; or: ".join(kind.title for kind in same),
            "headers": _HEADERS | _retry_after(same[0]),
            "content": {
                MEDIA_TYPE: {
                    "schema": ref(schemas.Problem),
                    "examples": {kind.slug: {"value": _example(kind)} for kind in same},
                }
            },
        }
        for status, same in by_status.items()
    }


def _retry_after(kind: type[Problem]) -> dict[str, Any]:
    if not issubclass(kind, QueueFull | Unavailable):
        return {}
    return {
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer"},
        }
    }


def _example(kind: type[Problem]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": kind.type_uri(),
        "title": kind.title,
        "status": kind.status,
        "detail": kind.example,
    }
    if kind is InvalidRequest:
        wrong = FieldError("txet", "is not a field of the request (did you mean text?)")
        shown["detail"] = f"The request is not valid: {wrong.field} {wrong.detail}."
        shown["errors"] = [wrong.as_dict()]
    if kind is InvalidText:
        shown["errors"] = [FieldError("text", "the text is blank", given=3).as_dict()]
    return shown


def classify_request() -> dict[str, Any]:
    """The request body of `POST /v1/classify`."""
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [ref(schemas.OneText), ref(schemas.ManyTexts)]},
                "examples": {
                    "one": {"value": {"text": schemas.EXAMPLE_TEXT}},
                    "many": {"value": {"texts": [schemas.EXAMPLE_TEXT, ""]}},
                },
            },
            JSON_LINES: _lines({"text": schemas.EXAMPLE_TEXT}, {"text": ""}),
        },
    }


def classify_answers() -> dict[int | str, dict[str, Any]]:
    """The responses of `POST /v1/classify`."""
    item = {
        "error": {
            "type": InvalidText.type_uri(),
            "title": InvalidText.title,
            "status": InvalidText.status,
            "detail": InvalidText.example,
        }
    }
    schema = {"oneOf": [ref(schemas.Result), ref(schemas.Results)]}
    done = json_answer(
        "For text a result, for texts a list of results.",
        schema,
        one=schemas.EXAMPLE_RESULT,
        many={"results": [schemas.EXAMPLE_RESULT, item]},
    )
    done["content"][JSON_LINES] = _lines(schemas.EXAMPLE_RESULT, item)
    own = (kind for kind in problem_types() if kind not in {NotFound, MethodNotAllowed})
    return {200: done, **problem_answers(*own)}


def _lines(*values: dict[str, Any]) -> dict[str, Any]:
    """The content of JSON Lines, for which JSON Schema has no words."""
    example = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    return {
        "schema": {"type": "string", "description": "JSON values, a line each."},
        "examples": {"lines": {"value": example}},
    }


def health_answers(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The responses of a health check that fails with `kinds`."""
    well = json_answer("All is well.", ref(schemas.Health), ok={"status": "ok"})
    return {200: well, **problem_answers(*kinds, InternalError)}


def _restore_contents(app: FastAPI, document: dict[str, Any]) -> None:
    """Put back the nulls of examples, which FastAPI drops as if nothing were said."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                answers = document["paths"][route.path][method.lower()]["responses"]
                for status, declared in route.responses.items():
                    answers[str(status)]["content"] = declared["content"]


def complete_openapi(
    app: FastAPI, more: Iterable[tuple[type[BaseModel], JsonSchemaMode]] = ()
) -> None:
    """Make `app` answer /openapi.json with every schema that its routes refer to.

    Args:
        more: the models of routes that are not of the contract.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            _, definitions = models_json_schema([*_MODELS, *more], ref_template=_REF)
            components = document.setdefault("components", {}).setdefault("schemas", {})
            components.update(definitions["$defs"])
            _restore_contents(app, document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
