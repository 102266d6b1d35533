"""What the routes of other servers share: reading, classifying, labels, errors."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import JsonSchemaMode
from pydantic_core import to_json

from models import Result
from models.labels import Label
from service import openapi
from service.body import check_media_type, disconnected, json_type, parse_json, read_body
from service.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    InternalError,
    InvalidHeader,
    InvalidJSON,
    InvalidRequest,
    InvalidText,
    NotReady,
    Problem,
    QueueFull,
    Unavailable,
    UnsupportedMediaType,
)
from service.record import current

if TYPE_CHECKING:
    from service.app import Service

TAG = "other servers' clients"

Asked = TypeVar("Asked", bound=BaseModel)


class Prediction(BaseModel):
    """A label and its score."""

    score: float
    label: Label


class CompatError(BaseModel):
    """What is wrong."""

    error: str
    error_type: Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Empty"]


MODELS: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (Prediction, "serialization"),
    (CompatError, "serialization"),
]


# Kinds of InvalidRequest, with the status of the servers whose clients ask here.
class EmptyBatch(InvalidRequest):
    status = 400
    example = "inputs must not be empty."


class BatchTooLarge(InvalidRequest):
    status = 413
    example = "inputs holds 300 texts; the limit is 256."


async def answer(
    request: Request,
    service: "Service",
    kind: type[Asked],
    texts_of: Callable[[Asked], list[str]],
) -> tuple[Asked, list[Result]]:
    """The request in the body, and the results of its texts. One wrong text fails it all.

    Raises:
        Problem: the request cannot be answered.
        ClientGone: nobody waits for the answer any more.
    """
    pipeline = service.ready()
    settings = service.settings
    deadline = asyncio.get_running_loop().time() + settings.deadline_seconds
    check_media_type(request)
    body = await read_body(
        request, limit=settings.max_body_bytes, seconds=settings.deadline_seconds
    )
    asked = _parse(body, kind)
    texts = texts_of(asked)
    if not texts:
        raise EmptyBatch
    if len(texts) > settings.max_texts:
        raise BatchTooLarge(f"inputs holds {len(texts)} texts; the limit is {settings.max_texts}.")
    current(service.metrics).form = "text" if len(texts) == 1 else "texts"
    results = await pipeline.classify(
        texts, field="inputs", deadline=deadline, hung_up=lambda: disconnected(request)
    )
    good = list[Result]()
    for result in results:
        if isinstance(result, Problem):
            raise result
        good.append(result)
    return asked, good


def _parse(body: bytes, kind: type[Asked]) -> Asked:
    value = parse_json(body)
    if not isinstance(value, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {json_type(value)}.")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        field = ".".join(map(str, wrong["loc"]))
        # The type and not the input itself, which may be a text.
        given = "" if wrong["type"] == "missing" else f", given {json_type(wrong['input'])}"
        sentence = wrong["msg"][:1].lower() + wrong["msg"][1:]
        raise InvalidRequest(f"{field}: {sentence}{given}.") from None


def predictions(result: Result, function: str = "softmax") -> list[dict[str, Any]]:
    """Labels and scores, the highest first; `function` of the logits, or "none"."""
    scores: dict[Label, float]
    match function:
        case "softmax":
            scores = result.scores
        case "sigmoid":
            scores = {label: 1 / (1 + math.exp(-x)) for label, x in result.logits.items()}
        case _:
            scores = result.logits
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return [{"score": round(score, 6), "label": label} for label, score in ordered]


def to_response(value: object) -> Response:
    """`value` as JSON."""
    return Response(to_json(value), media_type="application/json")


def error_response(problem: Problem, status: int | None = None) -> Response:
    """The problem in the shape that these clients read; with its own status, if not another."""
    match problem:
        case QueueFull() | DeadlineExceeded():
            kind = "Overloaded"
        case Unavailable():
            kind = "Unhealthy"
        case InternalError():
            kind = "Backend"
        case EmptyBatch():
            kind = "Empty"
        case _:
            kind = "Validation"
    content = to_json({"error": problem.detail, "error_type": kind})
    return Response(content, status or problem.status, problem.headers, "application/json")


def describe_request(model: type[BaseModel], **examples: object) -> dict[str, Any]:
    """The request body for /openapi.json."""
    shown = {name: {"value": value} for name, value in examples.items()}
    content = {"schema": openapi.ref(model), "examples": shown}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def describe_answers(
    schema: dict[str, Any], status_of: Callable[[Problem], int] = lambda problem: problem.status
) -> dict[int | str, dict[str, Any]]:
    """The responses for /openapi.json."""
    kinds: Sequence[type[Problem]] = (
        EmptyBatch,
        BatchTooLarge,
        BodyTooLarge,
        InvalidHeader,
        InvalidJSON,
        InvalidRequest,
        InvalidText,
        NotReady,
        UnsupportedMediaType,
    )
    problems = [*(kind() for kind in kinds), QueueFull(1), InternalError()]
    titles: dict[int | str, set[str]] = {}
    for problem in problems:
        titles.setdefault(status_of(problem), set()).add(problem.title)
    wrong = openapi.ref(CompatError)
    return {200: openapi.json_answer("Labels and scores.", schema)} | {
        status: openapi.json_answer("; or: ".join(sorted(said)), wrong)
        for status, said in sorted(titles.items())
    }
