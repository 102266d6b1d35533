"""/openapi.json is complete and true."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import ConfigDict

from service import schemas
from service.errors import problem_types
from tests.service.support import EXAMPLE

pytestmark = pytest.mark.slow


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_route_of_the_contract_is_described(document: dict[str, Any]) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    assert described == {
        ("post", "/v1/classify"),
        ("get", "/v1/model"),
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/metrics"),
        ("post", "/"),
        ("post", "/predict"),
        ("get", "/info"),
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for child in value.values():
                yield from references(child)
        elif isinstance(value, list):
            for child in value:
                yield from references(child)

    found = set(references(document))
    assert found
    schemas_ = document["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in found} <= set(schemas_)


def test_every_error_of_classify_is_described_with_an_example(document: dict[str, Any]) -> None:
    answers = document["paths"]["/v1/classify"]["post"]["responses"]
    described = {
        (int(status), name)
        for status, answer in answers.items()
        for name in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    elsewhere = {"not-found", "method-not-allowed"}
    assert described == {(k.status, k.slug) for k in problem_types() if k.slug not in elsewhere}
    for status in ("429", "503"):
        assert "Retry-After" in answers[status]["headers"]


def test_the_examples_are_of_their_schemas(document: dict[str, Any]) -> None:
    post = document["paths"]["/v1/classify"]["post"]
    bodies = post["requestBody"]["content"]["application/json"]["examples"]
    assert bodies["one"]["value"] == {"text": EXAMPLE}
    for body in bodies.values():
        schemas.ClassifyRequest.model_validate(body["value"])
    results = post["responses"]["200"]["content"]["application/json"]["examples"]
    schemas.Result.model_validate(results["one"]["value"])
    schemas.Results.model_validate(results["many"]["value"])
    for _, _, operation in operations(document):
        for answer in operation["responses"].values():
            problem = answer.get("content", {}).get("application/problem+json", {})
            for example in problem.get("examples", {}).values():
                schemas.Problem.model_validate(example["value"], strict=True)


def test_real_answers_are_of_their_schemas(client: httpx.Client) -> None:
    def strict(model: type, body: Any) -> None:
        class Strict(model):  # type: ignore[misc]
            model_config = ConfigDict(extra="forbid")

        Strict.model_validate(body)

    one = client.post("/v1/classify", json={"text": EXAMPLE})
    strict(schemas.Result, one.json())
    many = client.post("/v1/classify", json={"texts": [EXAMPLE, ""]})
    strict(schemas.Results, many.json())
    schemas.ModelInfo.model_validate(client.get("/v1/model").json())
    strict(schemas.Health, client.get("/health/ready").json())
    for body in ({"texts": ["好"] * 300}, {"x": 1}, {"text": ""}):
        answer = client.post("/v1/classify", json=body)
        strict(schemas.Problem, answer.json())
        for error in answer.json()["errors"]:
            strict(schemas.FieldProblem, error)


def test_the_request_schema_says_what_the_service_does(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/classify"]["post"]["requestBody"]["content"]["application/json"]
    names = [one["$ref"].rpartition("/")[2] for one in body["schema"]["oneOf"]]
    one, many = (document["components"]["schemas"][name] for name in names)
    for schema, field in ((one, "text"), (many, "texts")):
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"]) == [field]
    assert one["properties"]["text"]["type"] == "string"
    assert many["properties"]["texts"]["items"] == {"type": "string"}
