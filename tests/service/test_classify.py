"""POST /v1/classify of a real server with the released model."""

import math

import httpx2 as httpx
import pytest

from tests.service.support import EXAMPLE, Process

pytestmark = pytest.mark.slow

LABELS = {"positive", "neutral", "negative", "mixed"}


def classify(client: httpx.Client, text: str) -> dict:
    answer = client.post("/v1/classify", json={"text": text})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_one_text_gets_the_result_of_the_contract(client: httpx.Client) -> None:
    result = classify(client, EXAMPLE)
    assert list(result) == ["label", "scores", "polarity", "clauses", "windows", "model"]
    assert set(result["scores"]) == LABELS
    assert math.isclose(sum(result["scores"].values()), 1, abs_tol=1e-4)
    assert result["label"] == max(result["scores"], key=result["scores"].get)
    assert -1 <= result["polarity"] <= 1
    assert result["windows"] == 1
    assert set(result["model"]) == {"name", "version"}


def test_the_clauses_of_the_contracts_example_tile_the_text(client: httpx.Client) -> None:
    first, second = classify(client, EXAMPLE)["clauses"]
    assert (first["text"], first["start"], first["end"]) == ("这部电影不坏，", 0, 7)
    assert (second["text"], second["start"], second["end"]) == ("但也不算特别好。", 7, 15)
    assert (first["relation"], second["relation"]) == ("none", "contrast")
    assert first["connective"] is None
    assert second["connective"] == {"text": "但", "start": 7, "end": 8}
    assert list(first) == ["text", "start", "end", "label", "scores", "relation", "connective"]
    assert set(first["scores"]) == LABELS - {"mixed"}


def test_offsets_are_code_points_of_the_text_as_sent(client: httpx.Client) -> None:
    text = "😀👨‍👩‍👧 Ｇｏｏｄ…但是e\u0301差"
    for clause in classify(client, text)["clauses"]:
        assert text[clause["start"] : clause["end"]] == clause["text"]


def test_many_texts_are_answered_in_order_as_if_each_came_alone(client: httpx.Client) -> None:
    texts = ["屏幕很亮。", EXAMPLE, "太差了", "屏幕很亮。" * 30]
    answer = client.post("/v1/classify", json={"texts": texts})
    assert answer.status_code == 200
    assert list(answer.json()) == ["results"]
    for text, together in zip(texts, answer.json()["results"], strict=True):
        alone = classify(client, text)
        assert together["label"] == alone["label"]
        assert together["polarity"] == pytest.approx(alone["polarity"], abs=0.05)
        assert [c["text"] for c in together["clauses"]] == [c["text"] for c in alone["clauses"]]


def test_a_bad_item_has_its_error_in_its_place_and_fails_no_other(client: httpx.Client) -> None:
    texts = ["很好", "  ", 7, None, "好" * 20_001, "\ud800", "很差"]
    body = '{"texts": ["很好", "  ", 7, null, "%s", "\\ud800", "很差"]}' % ("好" * 20_001)
    answer = client.post(
        "/v1/classify", content=body.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert len(results) == len(texts)
    assert "label" in results[0]
    assert "label" in results[-1]
    for item in results[1:-1]:
        assert list(item) == ["error"]
        assert list(item["error"]) == ["type", "title", "status", "detail"]
        assert item["error"]["status"] == 422
    assert "20001" in results[4]["error"]["detail"]
    assert "20000" in results[4]["error"]["detail"]


def test_all_items_may_be_bad(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json={"texts": ["", {}]})
    assert answer.status_code == 200
    assert [list(item) for item in answer.json()["results"]] == [["error"], ["error"]]


def test_a_long_text_is_read_to_its_end(client: httpx.Client) -> None:
    text = ("屏幕很亮。" * 4000)[:20_000]
    result = classify(client, text)
    assert result["windows"] > 1
    assert "".join(clause["text"] for clause in result["clauses"]) == text


def test_the_model_route_tells_manifest_limits_and_engine(client: httpx.Client) -> None:
    model = client.get("/v1/model").json()
    assert set(model["labels"]) == LABELS
    assert {"name", "version", "licence", "data", "scores", "max_length"} <= model.keys()
    assert model["limits"] == {
        "max_chars": 20_000,
        "max_texts": 256,
        "max_body_bytes": 4 * 1024 * 1024,
        "max_tokens": 131_072,
    }
    assert set(model["engine"]) == {"name", "precision", "threads"}
    assert classify(client, EXAMPLE)["model"] == {
        "name": model["name"],
        "version": model["version"],
    }


def test_a_request_id_is_repeated_and_one_is_made_where_there_is_none(
    client: httpx.Client,
) -> None:
    given = client.get("/health/live", headers={"X-Request-ID": "a-1:b"})
    assert given.headers["x-request-id"] == "a-1:b"
    made = {client.get("/health/live").headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2


@pytest.mark.parametrize("bad", ["with space", "x" * 129, '"quoted"'])
def test_a_request_id_that_would_spoil_the_log_is_replaced(client: httpx.Client, bad: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": bad})
    assert answer.headers["x-request-id"] != bad


def test_health_says_ok(client: httpx.Client) -> None:
    for check in ("live", "ready"):
        answer = client.get(f"/health/{check}")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_docs_page_needs_no_other_site(client: httpx.Client) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "openapi.json" in answer.text
    assert "//" not in answer.text.replace("// ", "")


def test_the_log_never_holds_the_text(client: httpx.Client, server: Process) -> None:
    secret = "绝密文本"
    client.post("/v1/classify", json={"text": secret})
    client.post("/v1/classify", json={"texts": [secret], secret: secret})
    client.post(f"/{secret}?q={secret}", content=secret.encode())
    log = server.log()
    assert "POST /v1/classify 200" in log
    assert secret not in log
    assert secret.encode("unicode_escape").decode() not in log
    assert "%E7%BB" not in log
