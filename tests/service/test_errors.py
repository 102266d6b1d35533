"""Every error of the contract, from a real server; and the server goes on."""

import json
import socket
import time

import httpx2 as httpx
import pytest

from models.classifier import Classifier
from service.body import parse_request
from service.errors import InternalError, InvalidRequest, Problem, problem_types
from tests.service.support import EXAMPLE, ObedientEngine, Process, RunningApp, running

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}


def refused(answer: httpx.Response, status: int, slug: str) -> dict:
    """The problem in `answer`, checked for its form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert list(problem)[:4] == ["type", "title", "status", "detail"]
    assert problem["type"] == f"urn:problem-type:danshi:{slug}"
    assert problem["status"] == status
    assert problem["detail"].endswith(".")
    return problem


def post(client: httpx.Client, body: str | bytes, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else body.encode()
    return client.post("/v1/classify", content=content, headers={**JSON, **headers})


@pytest.fixture(autouse=True)
def _goes_on(client: httpx.Client):
    yield
    assert client.post("/v1/classify", json={"text": EXAMPLE}).status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{"text": 很好}', "line 1, column 10"),
        ('{"text": "很好"} x', "line 1, column 16"),
        ('{"text": "\\x"}', "line 1, column 11"),
        ("{'text': 1}", "line 1, column 2"),
        ('{"text": NaN}', "a number"),
        ('{"text": %s}' % ("9" * 5000), "a number"),
        ("[" * 100_000, "nested"),
    ],
    ids=range(9),
)
def test_a_body_that_is_no_json_is_400_and_says_where(
    client: httpx.Client, body: str, place: str
) -> None:
    problem = refused(post(client, body), 400, "invalid-json")
    assert place in problem["detail"]
    assert "很好" not in problem["detail"]


@pytest.mark.parametrize(
    "body", [b'{"text": "\xff"}', EXAMPLE.encode("gbk"), b'{"text":"\xed\xa0\x80"}']
)
def test_a_body_that_is_no_utf_8_is_400(client: httpx.Client, body: bytes) -> None:
    assert "byte" in refused(post(client, body), 400, "invalid-utf-8")["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": ""},
        {"Content-Type": "application/json; charset=gbk"},
        {"Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_a_body_that_is_not_declared_as_plain_json_is_415(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    answer = post(client, json.dumps({"text": EXAMPLE}), **headers)
    refused(answer, 415, "unsupported-media-type")


def test_the_sentence_of_a_415_names_both_types(client: httpx.Client) -> None:
    answer = post(client, EXAMPLE, **{"Content-Type": "text/plain"})
    detail = refused(answer, 415, "unsupported-media-type")["detail"]
    assert "application/json, or application/x-ndjson" in detail


@pytest.mark.parametrize(
    "declared",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_json_is_known_in_every_spelling(client: httpx.Client, declared: str) -> None:
    assert post(client, '{"text": "很好"}', **{"Content-Type": declared}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ([], "body", "object"),
        ("text", "body", "object"),
        (None, "body", "object"),
        ({}, "body", "either text or texts"),
        ({"text": "好", "texts": ["好"]}, "body", "not both"),
        ({"text": None}, "text", "string"),
        ({"text": 5}, "text", "string"),
        ({"text": ["好"]}, "text", "string"),
        ({"texts": "好"}, "texts", "array"),
        ({"texts": {"0": "好"}}, "texts", "array"),
        ({"texts": None}, "texts", "array"),
        ({"texts": []}, "texts", "1 to 256"),
        ({"texts": ["好"] * 257}, "texts", "1 to 256"),
        ({"txet": "好"}, "txet", "did you mean text?"),
        ({"text": "好", "lang": "zh"}, "lang", "not a field"),
    ],
    ids=range(15),
)
def test_a_request_of_the_wrong_shape_is_422_and_names_the_field(
    client: httpx.Client, body: object, field: str, said: str
) -> None:
    problem = refused(post(client, json.dumps(body)), 422, "invalid-request")
    (error,) = [error for error in problem["errors"] if error["field"] == field]
    assert said in error["detail"]
    assert said in problem["detail"]


def test_of_very_many_unknown_fields_the_first_twenty_errors_are_named(
    client: httpx.Client,
) -> None:
    fields = {f"x{i}": 1 for i in range(100_000)} | {"text": 5}
    problem = refused(post(client, json.dumps(fields)), 422, "invalid-request")
    named = [error["field"] for error in problem["errors"]]
    assert named == ["text", *(f"x{i}" for i in range(19))]


@pytest.mark.parametrize(
    "body",
    [
        b"{" + b",".join(b'"%x":1' % i for i in range(400_000)) + b"}",
        b'{"%s": 1}' % (b"text" * 1_000_000),
    ],
    ids=["many", "long"],
)
def test_unknown_fields_cost_little_more_than_their_parsing(body: bytes) -> None:
    begin = time.thread_time()
    json.loads(body)
    parsed = time.thread_time()
    with pytest.raises(InvalidRequest):
        parse_request(body, max_texts=256)
    # An error for each would take over ten times as long as parsing.
    assert time.thread_time() - parsed < 2 * (parsed - begin) + 0.3


def test_a_count_over_the_limit_tells_the_limit_and_the_count(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json={"texts": ["好"] * 257})
    (error,) = answer.json()["errors"]
    assert (error["limit"], error["given"]) == (256, 257)


@pytest.mark.parametrize("text", ["", " ", "\t\n\r", "\u3000\u200b", "\u0000"], ids=ascii)
def test_a_blank_text_is_422(client: httpx.Client, text: str) -> None:
    problem = refused(client.post("/v1/classify", json={"text": text}), 422, "invalid-text")
    assert problem["detail"] == "The text is blank."
    assert problem["errors"][0]["field"] == "text"


def test_a_text_over_the_limit_is_422_and_told_by_how_much(client: httpx.Client) -> None:
    long = client.post("/v1/classify", json={"text": "好" * 20_001})
    (error,) = refused(long, 422, "invalid-text")["errors"]
    assert (error["field"], error["limit"], error["given"]) == ("text", 20_000, 20_001)
    assert client.post("/v1/classify", json={"text": "好" * 20_000}).status_code == 200


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "好\\ud83d好", "\\ude00\\ud83d"])
def test_lone_surrogates_are_422_and_pairs_are_not(client: httpx.Client, escape: str) -> None:
    answer = post(client, f'{{"text": "{escape}"}}')
    assert answer.status_code == 422
    assert "surrogate" in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "text"
    assert post(client, '{"text": "好\\ud83d\\ude00"}').status_code == 200


def test_more_tokens_than_the_queue_ever_holds_are_422_not_429(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with app.client() as client:
        answer = client.post("/v1/classify", json={"texts": ["好" * 90] * 12})
    problem = refused(answer, 422, "invalid-request")
    assert problem["errors"] == [
        {"field": "texts", "detail": "must not be more than 1000 tokens in all", "limit": 1000}
    ]
    assert engine.batches == []


def test_a_body_declared_too_large_is_413_before_it_is_sent(server: Process) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4194305\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_too_large_is_413_also_when_it_comes_in_chunks(client: httpx.Client) -> None:
    def chunks():
        yield b'{"text": "'
        for _ in range(70):
            yield b"x" * 65_536
        yield b'"}'

    answer = client.post("/v1/classify", content=chunks(), headers=JSON)
    assert "content-length" not in answer.request.headers
    problem = refused(answer, 413, "body-too-large")
    assert problem["errors"][0]["limit"] == 4_194_304


def test_a_body_that_does_not_arrive_is_408(classifier: Classifier, engine: ObedientEngine) -> None:
    with (
        running(classifier, deadline_seconds=0.2) as hasty,
        socket.create_connection(("127.0.0.1", hasty.port), timeout=10) as raw,
    ):
        raw.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"text": '
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_an_unknown_path_is_404(client: httpx.Client) -> None:
    for path in ("/v1", "/v1/classify/", "/v2/classify", "/docs/x"):
        refused(client.get(path), 404, "not-found")


def test_a_wrong_method_is_405_and_names_the_right_one(client: httpx.Client) -> None:
    answer = client.get("/v1/classify")
    refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"
    refused(client.delete("/v1/model"), 405, "method-not-allowed")


def test_an_unexpected_failure_is_500_reveals_nothing_and_is_logged_once(
    app: RunningApp, engine: ObedientEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.failure = RuntimeError("a secret of the engine")
    with app.client() as client:
        problem = refused(client.post("/v1/classify", json={"text": "很好"}), 500, "internal-error")
        assert "secret" not in json.dumps(problem)
        logged = [r for r in caplog.records if r.exc_info]
        assert len(logged) == 1
        engine.failure = None
        assert client.post("/v1/classify", json={"text": "很好"}).status_code == 200


def test_a_bug_in_a_route_is_500_too(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret of the code")

    monkeypatch.setattr(app.service.classifier, "finish", broken)
    with app.client() as client:
        answer = client.post(
            "/v1/classify", json={"text": "很好"}, headers={"X-Request-ID": "find-me"}
        )
    problem = refused(answer, 500, "internal-error")
    assert problem["detail"] == InternalError.example
    assert "secret" not in answer.text
    (record,) = [r for r in caplog.records if r.exc_info]
    assert "find-me" in record.getMessage()


def test_every_kind_of_error_has_its_own_type_and_a_status_that_http_knows() -> None:
    kinds = list(problem_types(Problem))
    assert len({kind.slug for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert 400 <= kind.status < 600
        assert kind.example.endswith(".")
        assert (kind.status in {429, 503}) == ("Retry-After" in _example(kind).headers)


def _example(kind: type[Problem]) -> Problem:
    return kind(3) if kind.status == 429 else kind()  # type: ignore[arg-type]
