"""JSON Lines over HTTP: a line in, a line out, while both still flow."""

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from models.classifier import Classifier
from tests.service.support import (
    EXAMPLE,
    ObedientEngine,
    Process,
    RunningApp,
    metric,
    running,
    wait_until,
)

LINES = {"Content-Type": "application/x-ndjson"}


def stream(client: httpx.Client, content: Any) -> list[dict]:
    answer = client.post("/v1/classify", content=content, headers=LINES)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def lines(*values: object) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


class Talk:
    """A connection that sends and reads as it likes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self._answer: http.client.HTTPResponse | None = None

    def send(self, content: bytes) -> None:
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(content), content))

    def read(self) -> dict:
        if self._answer is None:
            self._answer = http.client.HTTPResponse(self._socket)
            self._answer.begin()
        return json.loads(self._answer.readline())

    def end(self) -> bytes:
        self._socket.sendall(b"0\r\n\r\n")
        assert self._answer is not None
        return self._answer.read()

    def close(self) -> None:
        if self._answer is not None:
            self._answer.close()
        # A thread may still be sending.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def talk(app: RunningApp) -> Iterator[Talk]:
    talk = Talk(app.port)
    yield talk
    talk.close()


def test_each_line_is_answered_by_the_result_of_its_text(app: RunningApp) -> None:
    with app.client() as client:
        texts = ["很好", "不好", "好" * 30]
        answers = stream(client, lines(*({"text": text} for text in texts)))
        alone = [client.post("/v1/classify", json={"text": text}).json() for text in texts]
    assert answers == alone


def test_a_string_is_a_line_too_and_other_keys_are_ignored(app: RunningApp) -> None:
    with app.client() as client:
        answers = stream(client, lines("很好", {"id": 7, "text": "很好", "stars": 5}))
    assert answers[0] == answers[1]
    assert answers[0]["clauses"][0]["text"] == "很好"


def test_empty_lines_and_carriage_returns_mean_nothing(app: RunningApp) -> None:
    with app.client() as client:
        assert len(stream(client, '\r\n"很好"\r\n\n  \n"不好"'.encode())) == 2


def test_a_wrong_line_gets_its_error_in_its_place(app: RunningApp) -> None:
    body = (
        b'{"text": "\xe5\xa5\xbd"}\n{torn\n\xff\n{"txet": 1}\n{"text": 5}\n[]\n{"text": ""}\n'
        + (lines({"text": "好" * 101}, "好"))
    )
    with app.client() as client:
        answers = stream(client, body)
    kinds = [a.get("error", {}).get("type", "").rpartition(":")[2] for a in answers]
    assert kinds == [
        "", "invalid-json", "invalid-utf-8", "invalid-request", "invalid-text", "invalid-request",
        "invalid-text", "invalid-text", "",
    ]  # fmt: skip
    assert answers[1]["error"]["detail"] == "The line is not valid JSON: line 1, column 2."


def test_a_line_is_answered_before_the_next_is_sent(talk: Talk) -> None:
    for text in ("很好", "不好", "还好"):
        talk.send(lines(text))
        assert talk.read()["clauses"][0]["text"] == text
    assert talk.end() == b""


def test_a_line_may_come_in_pieces(talk: Talk) -> None:
    content = lines({"text": "很好很好"})
    for i in range(len(content)):
        talk.send(content[i : i + 1])
    assert talk.read()["clauses"][0]["text"] == "很好很好"
    talk.end()


def test_a_body_may_be_larger_than_a_request_and_its_queue(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    limits = {"max_chars": 100, "max_body_bytes": 1024, "max_queue_tokens": 300}
    with running(classifier, **limits) as app, app.client() as client:
        texts = [f"好{'很' * (i % 40)}" for i in range(2000)]
        answers = stream(client, (lines(text) for text in texts))
        assert [a["clauses"][0]["text"] for a in answers] == texts


def test_a_line_that_is_too_long_is_refused_and_the_next_is_not(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, max_chars=100, max_body_bytes=1024) as app, app.client() as client:
        long = b'{"text": "' + b"x" * 3_000_000 + b'"}\n'
        answers = stream(client, iter([long, lines("很好")]))
    assert answers[0]["error"]["detail"] == "The line is larger than 1024 bytes."
    assert answers[1]["windows"] == 1


def test_no_line_is_an_error(app: RunningApp) -> None:
    with app.client() as client:
        answer = client.post("/v1/classify", content=b"\n \n", headers=LINES)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The body holds no line."


def test_reading_stops_while_the_client_takes_no_answers(
    app: RunningApp, engine: ObedientEngine
) -> None:
    talk = Talk(app.port)
    sent = 0

    def send() -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            while True:
                talk.send(lines(*["好好好好"] * 500))
                sent += 500

    sender = threading.Thread(target=send)
    sender.start()
    before = -1
    while sent != before:  # until the buffers between us are full
        before = sent
        time.sleep(1)
    computed = sum(map(len, engine.batches))
    assert computed < 100_000
    talk.close()
    sender.join(10)
    assert not sender.is_alive()


def test_nothing_more_is_computed_for_a_stream_whose_client_has_gone(
    app: RunningApp, engine: ObedientEngine
) -> None:
    talk = Talk(app.port)
    talk.send(lines("很好"))
    talk.read()
    engine.hold()
    talk.send(lines("不好"))
    assert engine.entered.wait(10)
    talk.send(lines("还好"))
    time.sleep(0.1)
    talk.close()
    with app.client() as client:
        wait_until(lambda: metric(client, "danshi_queue_depth") == 0)
        engine.release()
        route = {"route": "/v1/classify", "code": "499"}
        wait_until(lambda: metric(client, "danshi_requests_total", **route) == 1)
    assert len(engine.batches) == 2


def test_a_stop_ends_a_stream_with_a_last_line(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, shutdown_delay_seconds=1.0) as app:
        talk = Talk(app.port)
        talk.send(lines("很好"))
        assert "label" in talk.read()
        app.signal()
        talk.send(lines("不好"))
        assert "label" in talk.read()
        assert talk.read()["error"]["type"].endswith(":stopping")
        talk.close()


def test_a_stream_that_stalls_ends_with_a_last_line(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, deadline_seconds=0.3) as app:
        talk = Talk(app.port)
        talk.send(lines("很好"))
        assert "label" in talk.read()
        assert talk.read()["error"]["type"].endswith(":body-timeout")
        talk.close()


def test_a_stream_that_broke_is_counted_by_what_broke_it(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, deadline_seconds=0.3) as app, app.client() as client:
        talk = Talk(app.port)
        talk.send(lines("很好"))
        assert "label" in talk.read()
        assert talk.read()["error"]["status"] == 408
        talk.close()
        route = {"route": "/v1/classify"}
        wait_until(lambda: metric(client, "danshi_requests_total", code="408", **route) == 1)
        assert metric(client, "danshi_requests_total", code="200", **route) == 0
        assert metric(client, "danshi_rejected_total", reason="body_timeout") == 1


def test_a_stream_is_counted_and_is_no_latency(app: RunningApp) -> None:
    with app.client() as client:
        stream(client, lines("很好", "不好") + b"{\n" + lines(""))
        route = {"route": "/v1/classify"}
        # Counted when its connection is free again, which is a moment behind the last byte.
        wait_until(lambda: metric(client, "danshi_requests_total", code="200", **route) == 1)
        assert metric(client, "danshi_request_duration_seconds_count", **route) == 0
        assert metric(client, "danshi_single_text_duration_seconds_count") == 0
        # Its texts are, one by one.
        assert metric(client, "danshi_confidence_count") == 2
        assert metric(client, "danshi_rejected_texts_total", reason="invalid_text") == 1
        assert metric(client, "danshi_rejected_texts_total", reason="invalid_json") == 1
        assert metric(client, "danshi_rejected_total", reason="invalid_json") == 0


def test_a_single_request_is_not_held_up_by_a_stream(
    app: RunningApp, engine: ObedientEngine
) -> None:
    talk = Talk(app.port)
    engine.hold()
    talk.send(lines(*["好" * 20] * 60))
    assert engine.entered.wait(10)
    with app.client() as client:
        answers: list[int] = []
        single = threading.Thread(
            target=lambda: answers.append(
                client.post("/v1/classify", json={"text": "不好"}).status_code
            )
        )
        before = metric(client, "danshi_queue_depth")
        single.start()
        wait_until(lambda: metric(client, "danshi_queue_depth") > before)
        engine.release()
        single.join(10)
    assert answers == [200]
    for _ in range(60):
        assert "label" in talk.read()
    talk.end()
    talk.close()


@pytest.mark.slow
def test_curl_streams_a_file_of_lines(server: Process, tmp_path: Path) -> None:
    assert shutil.which("curl"), "apt-get install curl"
    count = 3000
    (tmp_path / "in.jsonl").write_bytes(lines(*[{"text": EXAMPLE}] * count))
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail", "-X", "POST", "-T", tmp_path / "in.jsonl",
         "-H", "Content-Type: application/x-ndjson", f"{server.url}/v1/classify"],
        capture_output=True, text=True, timeout=250, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == count
    assert {answer["label"] for answer in answers} == {answers[0]["label"]}
