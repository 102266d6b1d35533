"""`POST /` as the pipeline `text-classification` of the Hugging Face servers.

So asks `huggingface_hub.InferenceClient(url).text_classification(…)`: it adds no path
to its URL, and takes the first of the lists that come
(huggingface_hub/inference/_client.py, _providers/hf_inference.py).
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import JsonSchemaMode

from service import openapi, schemas
from service.access import ERROR_SHAPE
from service.body import json_type, without_most_unknown
from service.compat import shared
from service.errors import InvalidRequest

if TYPE_CHECKING:
    from service.app import Service


class PipelineParameters(BaseModel):
    """How to answer."""

    model_config = ConfigDict(strict=True, extra="forbid")

    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = Field(
        None, description="To the logits; `softmax` without it."
    )
    top_k: Annotated[int, Field(ge=1)] | None = Field(
        None, description="The most probable labels only, so many."
    )
    truncation: bool = Field(
        False, description="Cut a text that is too long, instead of refusing it."
    )

    @model_validator(mode="before")
    @classmethod
    def _few(cls, given: object) -> object:
        return without_most_unknown(given, cls) if isinstance(given, dict) else given


class PipelineRequest(BaseModel):
    """What `POST /` takes. Other fields, such as `options`, are ignored."""

    model_config = ConfigDict(strict=True)

    inputs: Any = Field(
        description="A text, or several.",
        json_schema_extra={
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        },
    )
    parameters: PipelineParameters = Field(PipelineParameters())


PATH = "/"
MODELS: list[tuple[type[BaseModel], JsonSchemaMode]] = [(PipelineRequest, "validation")]


def add_routes(app: FastAPI, service: "Service") -> None:
    """Add the route to `app`."""
    one: dict[str, Any] = {"type": "array", "items": openapi.ref(shared.Prediction)}

    @app.post(
        PATH,
        summary="Labels as the pipeline text-classification gives them",
        tags=[shared.TAG],
        openapi_extra=shared.describe_request(
            PipelineRequest,
            one={"inputs": schemas.EXAMPLE_TEXT},
            many={"inputs": [schemas.EXAMPLE_TEXT, "很好"], "parameters": {"top_k": 1}},
        ),
        responses=shared.describe_answers({"type": "array", "items": one}),
    )
    async def pipeline(request: Request) -> Response:
        """For each input its labels and scores, the highest first; always a list of lists."""
        request.scope[ERROR_SHAPE] = shared.error_response

        def texts_of(asked: PipelineRequest) -> list[str]:
            limit = service.settings.max_chars if asked.parameters.truncation else None
            return [text[:limit] for text in _texts(asked.inputs)]

        asked, results = await shared.answer(request, service, PipelineRequest, texts_of)
        function, top = asked.parameters.function_to_apply, asked.parameters.top_k
        return shared.to_response(
            [shared.predictions(result, function or "softmax")[:top] for result in results]
        )


def _texts(inputs: object) -> list[str]:
    match inputs:
        case str():
            return [inputs]
        case list() if all(isinstance(text, str) for text in inputs):
            return inputs
        case list():
            raise InvalidRequest("inputs must be a string or an array of strings only.")
        case _:
            given = json_type(inputs)
            raise InvalidRequest(f"inputs must be a string or an array of strings, not {given}.")
