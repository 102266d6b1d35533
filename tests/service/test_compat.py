"""Clients of other servers get our labels by a change of the address alone."""

import asyncio
import json
import math
import subprocess
from typing import Any

import httpx2 as httpx
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.labels import LABELS
from service.compat.huggingface import PipelineRequest
from tests.service.support import Process, RunningApp, metric

pytestmark = pytest.mark.slow

TURN = "房间很干净，但是隔音太差了。"
PRAISE = "很好吃，下次还来。"


def served(client: httpx.Client, text: str) -> Any:
    """The scores that our own route gives, but for what neighbours in the batch change."""
    scores = client.post("/v1/classify", json={"text": text}).json()["scores"]
    return pytest.approx(scores, abs=0.02)


# --- huggingface_hub --------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", ["model", "base_url"])
def test_the_inference_client_gets_all_labels_highest_first(
    server: Process, client: httpx.Client, keyword: str
) -> None:
    said = InferenceClient(**{keyword: server.url}).text_classification(TURN)  # type: ignore[arg-type]
    assert {element.label: element.score for element in said} == served(client, TURN)
    assert said[0].label == "mixed"
    assert [e.score for e in said] == sorted((e.score for e in said), reverse=True)


def test_the_inference_client_gets_the_top_k(server: Process) -> None:
    said = InferenceClient(server.url).text_classification(PRAISE, top_k=1)
    assert [element.label for element in said] == ["positive"]


def test_the_inference_client_gets_another_function_of_the_logits(
    server: Process, client: httpx.Client
) -> None:
    hub = InferenceClient(server.url)
    raw = {e.label: e.score for e in hub.text_classification(TURN, function_to_apply="none")}
    total = sum(math.exp(score) for score in raw.values())
    assert {label: math.exp(score) / total for label, score in raw.items()} == served(client, TURN)
    for e in hub.text_classification(TURN, function_to_apply="sigmoid"):
        assert e.score == pytest.approx(1 / (1 + math.exp(-raw[e.label])), abs=1e-4)


def test_the_asynchronous_inference_client_is_answered_too(server: Process) -> None:
    async def ask() -> list[str]:
        async with AsyncInferenceClient(server.url) as hub:
            answers = await asyncio.gather(*map(hub.text_classification, (TURN, PRAISE)))
        return [answer[0].label for answer in answers]

    assert asyncio.run(ask()) == ["mixed", "positive"]


def test_the_inference_client_shows_why_a_text_was_refused(server: Process) -> None:
    with pytest.raises(HfHubHTTPError, match="the limit is 20000") as refused:
        InferenceClient(server.url).text_classification("好" * 20_001)
    assert refused.value.response.status_code == 422


def test_the_pipeline_takes_a_list_as_well(client: httpx.Client) -> None:
    body = {"inputs": [TURN, PRAISE], "parameters": {"top_k": 1}, "options": {"use_cache": False}}
    answer = client.post("/", json=body).json()
    assert [[p["label"] for p in one] for one in answer] == [["mixed"], ["positive"]]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"inputs": 7}, "inputs"),
        ({}, "inputs: field required"),
        ({"inputs": []}, "must not be empty"),
        ({"inputs": "好", "parameters": {"top_k": 0}}, "parameters.top_k"),
        ({"inputs": "好", "parameters": {"topk": 1}}, "parameters.topk"),
        ({"inputs": " "}, "blank"),
        ([1], "must be a JSON object, not array"),
    ],
    ids=str,
)
def test_the_pipeline_says_what_is_wrong(client: httpx.Client, body: Any, sentence: str) -> None:
    answer = client.post("/", json=body)
    assert answer.status_code in {400, 422}
    assert sentence in answer.json()["error"]


def test_of_very_many_unknown_parameters_only_some_are_looked_at() -> None:
    parameters = {"top_k": 0} | {f"x{i}": 1 for i in range(100_000)}
    with pytest.raises(ValidationError) as raised:
        PipelineRequest.model_validate({"inputs": "好", "parameters": parameters})
    assert raised.value.error_count() == 21
    assert raised.value.errors()[0]["loc"] == ("parameters", "top_k")


# --- text-embeddings-inference ------------------------------------------------------------------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Prediction(Strict):
    score: float
    label: str


class ClassifierLabels(Strict):
    id2label: dict[str, str]
    label2id: dict[str, int]


class ModelType(Strict):
    classifier: ClassifierLabels


class Info(Strict):
    """As the Rust struct `Info` is serialised."""

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: ModelType
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None


ONE, MANY = TypeAdapter(list[Prediction]), TypeAdapter(list[list[Prediction]])


def predict(client: httpx.Client, **body: Any) -> bytes:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


def scores(predictions: list[Prediction]) -> dict[str, float]:
    return {p.label: p.score for p in predictions}


def test_curl_as_in_its_documentation_is_answered(server: Process) -> None:
    body = json.dumps({"inputs": TURN})
    done = subprocess.run(
        f"curl -s {server.url}/predict -X POST -d '{body}' -H 'Content-Type: application/json'",
        shell=True,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert ONE.validate_json(done.stdout)[0].label == "mixed"


def test_one_input_gets_a_list_highest_first(client: httpx.Client) -> None:
    said = ONE.validate_json(predict(client, inputs=TURN))
    assert scores(said) == served(client, TURN)
    assert [p.score for p in said] == sorted((p.score for p in said), reverse=True)


def test_a_batch_gets_a_list_of_lists_in_order(client: httpx.Client) -> None:
    said = MANY.validate_json(predict(client, inputs=[[TURN], [PRAISE], [TURN]]))
    assert [one[0].label for one in said] == ["mixed", "positive", "mixed"]


def test_a_pair_is_one_input_of_two_lines(client: httpx.Client) -> None:
    pair = ["房间很干净，", "但是隔音太差了。"]
    expected = served(client, "\n".join(pair))
    assert scores(ONE.validate_json(predict(client, inputs=pair))) == expected
    batch = MANY.validate_json(predict(client, inputs=[pair, [PRAISE]]))
    assert scores(batch[0]) == expected
    assert scores(ONE.validate_json(predict(client, inputs=[TURN]))) == served(client, TURN)


def test_raw_scores_are_logits_whose_softmax_are_the_scores(client: httpx.Client) -> None:
    raw = scores(ONE.validate_json(predict(client, inputs=TURN, raw_scores=True)))
    assert min(raw.values()) < 0
    total = sum(map(math.exp, raw.values()))
    assert {label: math.exp(score) / total for label, score in raw.items()} == served(client, TURN)


def test_a_text_that_is_too_long_is_refused_or_truncated_as_asked(app: RunningApp) -> None:
    with app.client() as client:
        limit = client.get("/info").json()["max_input_length"]
        long = "好" * limit + "坏" * limit
        refused = client.post("/predict", json={"inputs": long})
        assert refused.status_code == 413
        assert refused.json()["error_type"] == "Validation"
        assert f"the limit is {limit}" in refused.json()["error"]
        start = predict(client, inputs=long, truncate=True)
        assert start == predict(client, inputs="好" * limit)
        end = predict(client, inputs=long, truncate=True, truncation_direction="Left")
        assert end == predict(client, inputs="坏" * limit) != start


def test_info_has_the_shape_and_the_truth(client: httpx.Client) -> None:
    info = Info.model_validate_json(client.get("/info").content)
    model = client.get("/v1/model").json()
    assert (info.model_id, info.model_sha) == (model["name"], model["version"])
    assert info.max_client_batch_size == model["limits"]["max_texts"]
    assert list(info.model_type.classifier.id2label.values()) == list(LABELS)
    assert {str(i): name for name, i in info.model_type.classifier.label2id.items()} == (
        info.model_type.classifier.id2label
    )


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"inputs": []}, 400, "Empty"),
        ({"inputs": ["一", "二", "三"]}, 422, "Validation"),
        ({"inputs": [["一", "二", "三"]]}, 422, "Validation"),
        ({"inputs": [["一"], "二"]}, 422, "Validation"),
        ({"inputs": 7}, 422, "Validation"),
        ({"inputs": "好", "raw_scores": "yes"}, 422, "Validation"),
        ({"inputs": "好", "truncation_direction": "up"}, 422, "Validation"),
        ({"inputs": [["好"], [" "]]}, 413, "Validation"),
        ({"inputs": [["好"]] * 257}, 413, "Validation"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_errors_have_its_shape(
    client: httpx.Client, body: dict[str, Any], status: int, kind: str
) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "error_type"}
    assert answer.json()["error_type"] == kind
    assert len(answer.json()["error"]) > 10


@pytest.mark.parametrize("given", ["text/plain", "application/x-ndjson"])
def test_another_content_type_is_refused_in_its_shape(client: httpx.Client, given: str) -> None:
    headers = {"Content-Type": given}
    answer = client.post("/predict", content=b'{"inputs": "x"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error_type"] == "Validation"
    assert answer.json()["error"] == "The header Content-Type must be application/json."


def test_a_full_queue_is_overload_and_says_when_to_come_again(app: RunningApp, engine: Any) -> None:
    engine.hold()
    with app.client() as client:

        async def flood() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=app.url, timeout=30) as many:
                waiting = [
                    asyncio.create_task(many.post("/predict", json={"inputs": "好" * 60}))
                    for _ in range(40)
                ]
                while sum(task.done() for task in waiting) == 0:
                    await asyncio.sleep(0.01)
                engine.release()
                return await asyncio.gather(*waiting)

        answers = asyncio.run(flood())
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["error_type"] == "Overloaded"
        assert int(refused[0].headers["Retry-After"]) >= 1
        assert client.get("/health/live").status_code == 200


def test_a_failure_of_the_engine_is_a_backend_error(app: RunningApp, engine: Any) -> None:
    engine.failure = RuntimeError("broken")
    counted = {"route": "/predict", "code": "424"}
    with app.client() as client:
        assert metric(client, "danshi_requests_total", **counted) == 0
        answer = client.post("/predict", json={"inputs": "好"})
        assert metric(client, "danshi_requests_total", **counted) == 1
    assert answer.status_code == 424
    assert answer.json()["error_type"] == "Backend"
    assert "broken" not in answer.text
