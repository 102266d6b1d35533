"""`POST /predict` and `GET /info` as text-embeddings-inference has them.

The shapes are those of its router: router/src/http/types.rs, http/server.rs, lib.rs.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import JsonSchemaMode

from models.labels import LABELS
from service import openapi, schemas
from service.access import ERROR_SHAPE
from service.body import json_type
from service.compat import shared
from service.errors import InternalError, InvalidRequest, InvalidText, NotReady, Problem

if TYPE_CHECKING:
    from service.app import Service

_SHAPES = "a string, a pair of strings, or a batch of them: [[string], [string, string], …]"
_ONE_OR_TWO: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "maxItems": 2,
}


class PredictRequest(BaseModel):
    """What `POST /predict` takes. Other fields are ignored, as they are there."""

    model_config = ConfigDict(strict=True)

    inputs: Any = Field(
        description=f"{_SHAPES.capitalize()}. A pair is read as one text of two lines.",
        json_schema_extra={
            "anyOf": [
                {"type": "string"},
                _ONE_OR_TWO,
                {"type": "array", "items": _ONE_OR_TWO},
            ]
        },
    )
    truncate: bool | None = Field(
        None, description="Cut a text that is too long, instead of refusing it."
    )
    truncation_direction: Annotated[
        Literal["Left", "Right"],
        BeforeValidator(lambda given: given.title() if isinstance(given, str) else given),
    ] = Field("Right", description="The side that is cut.")
    raw_scores: bool = Field(False, description="Logits instead of probabilities.")


class LabelNames(BaseModel):
    """The labels by number, and their numbers."""

    id2label: dict[str, str]
    label2id: dict[str, int]


class ModelType(BaseModel):
    """A classifier, always."""

    classifier: LabelNames


class Info(BaseModel):
    """The model and the limits."""

    model_id: str
    model_sha: str | None = Field(description="The model's version.")
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: int = Field(description="Texts that may wait, at most.")
    max_input_length: int = Field(description="Characters a text; long ones are read in windows.")
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None


PATH = "/predict"
MODELS: list[tuple[type[BaseModel], JsonSchemaMode]] = [
    (PredictRequest, "validation"),
    (Info, "serialization"),
]


def add_routes(app: FastAPI, service: "Service") -> None:
    """Add the routes to `app`."""
    one: dict[str, Any] = {"type": "array", "items": openapi.ref(shared.Prediction)}
    many = {"type": "array", "items": one}

    # A code of this route alone. A rate misses the event with which its series appears.
    service.metrics.requests.labels(PATH, str(_status(InternalError())))

    @app.post(
        PATH,
        summary="Labels as text-embeddings-inference gives them",
        tags=[shared.TAG],
        openapi_extra=shared.describe_request(
            PredictRequest,
            one={"inputs": schemas.EXAMPLE_TEXT},
            many={"inputs": [[schemas.EXAMPLE_TEXT], ["很好"]]},
        ),
        responses=shared.describe_answers({"anyOf": [one, many]}, _status),
    )
    async def predict(request: Request) -> Response:
        """Labels and scores, the highest first; for a batch a list of them."""
        request.scope[ERROR_SHAPE] = _error

        def texts_of(asked: PredictRequest) -> list[str]:
            texts = _texts(asked.inputs)
            limit = service.settings.max_chars
            if not asked.truncate:
                return texts
            if asked.truncation_direction == "Right":
                return [text[:limit] for text in texts]
            return [text[-limit:] for text in texts]

        asked, results = await shared.answer(request, service, PredictRequest, texts_of)
        function = "none" if asked.raw_scores else "softmax"
        answers = [shared.predictions(result, function) for result in results]
        return shared.to_response(answers if _is_batch(asked.inputs) else answers[0])

    @app.get(
        "/info",
        summary="The model as text-embeddings-inference tells of it",
        tags=[shared.TAG],
        responses={
            200: openapi.json_answer("The model.", openapi.ref(Info)),
            503: openapi.json_answer(NotReady.title, openapi.ref(shared.CompatError)),
        },
    )
    async def info(request: Request) -> Response:
        """The labels, and the limits of a request."""
        request.scope[ERROR_SHAPE] = _error
        if service.classifier is None:
            raise NotReady
        manifest, settings = service.classifier.manifest, service.settings
        names = LabelNames(
            id2label={str(number): label for number, label in enumerate(LABELS)},
            label2id={label: number for number, label in enumerate(LABELS)},
        )
        return shared.to_response(
            Info(
                model_id=manifest.name,
                model_sha=manifest.version,
                model_dtype=manifest.precision,
                model_type=ModelType(classifier=names),
                # The queue counts tokens, and no text has less than three.
                max_concurrent_requests=settings.max_queue_tokens // 3,
                max_input_length=settings.max_chars,
                max_batch_tokens=settings.batch_tokens,
                max_batch_requests=None,
                max_client_batch_size=settings.max_texts,
                auto_truncate=False,
                tokenization_workers=1,
                version=app.version,
                sha=None,
                docker_label=None,
            )
        )


def _is_batch(inputs: object) -> bool:
    return isinstance(inputs, list) and not isinstance(inputs[0], str)


def _texts(inputs: object) -> list[str]:
    """The texts of `inputs`.

    Raises:
        EmptyBatch, InvalidRequest
    """
    match inputs:
        case str():
            return [inputs]
        case []:
            raise shared.EmptyBatch
        case [*items] if _is_batch(inputs):
            return [_text(item) for item in items]
        case [*_]:
            return [_text(inputs)]
        case _:
            raise InvalidRequest(f"inputs must be {_SHAPES}, not {json_type(inputs)}.")


def _text(item: object) -> str:
    match item:
        case [str(text)]:
            return text
        case [str(first), str(second)]:
            return f"{first}\n{second}"
        case _:
            raise InvalidRequest(f"inputs must be {_SHAPES}. Three texts: [[…], […], […]].")


def _error(problem: Problem) -> Response:
    return shared.error_response(problem, _status(problem))


def _status(problem: Problem) -> int:
    """The status that text-embeddings-inference gives."""
    match problem:
        case InternalError():
            return 424
        case InvalidText():  # its own limit is one of the tokenizer, hence of the size
            return 413
        case _:
            return problem.status
