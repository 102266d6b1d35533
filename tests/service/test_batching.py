"""The queue between the event loop and the engine: 429 early, deadlines, nobody harmed."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx2 as httpx
import pytest

from models.classifier import Classifier
from service import batcher
from tests.service.support import ObedientEngine, RunningApp, metric, running, wait_until

Ask = Callable[..., "Future[httpx.Response]"]


@contextmanager
def asking(app: RunningApp) -> Iterator[Ask]:
    """Ask from threads; the first has to reach the engine before the next is sent."""
    with app.client() as client, ThreadPoolExecutor(40) as pool:

        def ask(**body: object) -> "Future[httpx.Response]":
            return pool.submit(client.post, "/v1/classify", json=body)

        yield ask


def queued(app: RunningApp) -> int:
    with app.client() as client:
        return int(metric(client, "danshi_queue_depth"))


def test_an_idle_engine_gets_the_first_request_at_once(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask:
        assert ask(text="好").result().status_code == 200
    assert engine.batches == [[3]]


def test_a_batch_forms_while_the_engine_is_busy(app: RunningApp, engine: ObedientEngine) -> None:
    with asking(app) as ask:
        engine.hold()
        answers = [ask(text="好")]
        assert engine.entered.wait(10)
        answers += [ask(text="很好") for _ in range(6)]
        wait_until(lambda: queued(app) == 6)
        engine.release()
        assert [a.result().status_code for a in answers] == [200] * 7
    assert engine.batches == [[3], [4] * 6]


def test_a_request_of_many_texts_does_not_hold_up_a_single_one(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask:
        engine.hold()
        first = ask(text="好")
        assert engine.entered.wait(10)
        many = ask(texts=["很好"] * 240)
        wait_until(lambda: queued(app) == 1)
        single = ask(text="不好")
        wait_until(lambda: queued(app) == 2)
        finished: list[str] = []
        many.add_done_callback(lambda _: finished.append("many"))
        single.add_done_callback(lambda _: finished.append("single"))
        engine.release()
        assert {a.result().status_code for a in (first, many, single)} == {200}
        assert len(many.result().json()["results"]) == 240
    # 256 tokens a batch are 64 rows of four: the single one is in the first of them.
    assert [len(batch) for batch in engine.batches] == [1, 64, 64, 64, 49]


def test_answers_go_to_those_who_asked(classifier: Classifier, engine: ObedientEngine) -> None:
    texts = ["好" * n for n in range(1, 90)]
    with running(classifier) as app, asking(app) as ask, app.client() as client:
        together = [ask(text=text) for text in texts]
        for text, answer in zip(texts, together, strict=True):
            assert answer.result().json()["clauses"][0]["text"] == text
        alone = client.post("/v1/classify", json={"text": texts[7]}).json()
    assert together[7].result().json() == alone


def test_a_full_queue_refuses_early_and_says_when_to_come_again(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask:
        engine.hold()
        first = ask(text="好")
        assert engine.entered.wait(10)
        accepted = ask(texts=["好" * 58] * 16)  # 16 × 60 of 1000 tokens
        wait_until(lambda: queued(app) == 1)
        refused = ask(text="好" * 58).result()
        assert refused.status_code == 429
        assert refused.json()["type"].endswith(":queue-full")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        still_fits = ask(text="好" * 10)
        wait_until(lambda: queued(app) == 2)
        engine.release()
        assert {a.result().status_code for a in (first, accepted, still_fits)} == {200}


def test_a_request_that_cannot_be_answered_in_time_gets_503(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, deadline_seconds=0.3) as app, asking(app) as ask:
        engine.hold()
        first = ask(text="好")
        assert engine.entered.wait(10)
        waiting = ask(text="很好")
        for answer in (first, waiting):
            assert answer.result().status_code == 503
            assert answer.result().json()["type"].endswith(":deadline-exceeded")
            assert answer.result().headers["retry-after"]
        assert queued(app) == 0
        engine.release()
        assert ask(text="还好").result().status_code == 200
    # What came too late has not been computed.
    assert engine.batches == [[3], [4]]


def test_nothing_is_computed_for_a_client_that_has_gone(
    app: RunningApp, engine: ObedientEngine
) -> None:
    body = json.dumps({"text": "很好很好"}).encode()
    with asking(app) as ask:
        engine.hold()
        first = ask(text="好")
        assert engine.entered.wait(10)
        with socket.create_connection(("127.0.0.1", app.port)) as raw:
            raw.sendall(
                b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            wait_until(lambda: queued(app) == 1)
        wait_until(lambda: queued(app) == 0)
        engine.release()
        assert first.result().status_code == 200
    with app.client() as client:
        hung_up = metric(client, "danshi_requests_total", route="/v1/classify", code="499")
    assert hung_up == 1
    assert engine.batches == [[3]]


def test_an_engine_failure_fails_only_the_requests_of_its_batch(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask:
        engine.hold()
        doomed = ask(text="好")
        assert engine.entered.wait(10)
        waiting = ask(text="很好")
        wait_until(lambda: queued(app) == 1)
        engine.failure = RuntimeError("once")
        original = engine.run

        def run_and_recover(rows):
            engine.failure = None
            return original(rows)

        engine.run = run_and_recover  # type: ignore[method-assign]
        engine.release()
        try:
            assert doomed.result().status_code == 500
            assert waiting.result().status_code == 200
        finally:
            del engine.run
        assert ask(text="还好").result().status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_noticed_and_nobody_waits_for_it(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask, app.client() as client:
        engine.failure = SystemExit()  # no Exception: nothing in the worker may catch it
        assert ask(text="好").result().json()["type"].endswith(":worker-dead")
        for path in ("/health/live", "/health/ready"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "worker" in answer.json()["detail"]
        assert ask(text="好").result().status_code == 503


def test_an_engine_that_hangs_is_noticed(
    app: RunningApp, engine: ObedientEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher, "STALLED_SECONDS", 0.1)
    with asking(app) as ask, app.client() as client:
        engine.hold()
        answer = ask(text="好")
        wait_until(lambda: client.get("/health/live").status_code == 503)
        engine.release()
        assert answer.result().status_code == 200
        assert client.get("/health/live").status_code == 200


def test_health_and_metrics_answer_while_the_engine_is_busy(
    app: RunningApp, engine: ObedientEngine
) -> None:
    with asking(app) as ask, app.client() as client:
        engine.hold()
        answer = ask(text="好")
        assert engine.entered.wait(10)
        begin = time.monotonic()
        for path in ("/health/live", "/health/ready", "/metrics", "/v1/model"):
            assert client.get(path).status_code == 200
        assert time.monotonic() - begin < 1
        engine.release()
        assert answer.result().status_code == 200


def test_a_stop_answers_what_was_accepted(classifier: Classifier, engine: ObedientEngine) -> None:
    with running(classifier) as app, asking(app) as ask:
        engine.hold()
        answers = [ask(text="好")]
        assert engine.entered.wait(10)
        answers += [ask(texts=["很好"] * 10) for _ in range(10)]
        wait_until(lambda: queued(app) == 10)
        app.signal()
        threading.Timer(0.3, engine.release).start()
        assert [a.result().status_code for a in answers] == [200] * 11


def test_a_stopping_service_is_not_ready_but_still_answers(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, shutdown_delay_seconds=0.5) as app, app.client() as client:
        assert client.get("/health/ready").status_code == 200
        app.signal()
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["type"].endswith(":stopping")
        assert client.get("/health/live").status_code == 200
        assert client.post("/v1/classify", json={"text": "好"}).status_code == 200


def test_before_the_model_is_loaded_nothing_is_ready() -> None:
    from starlette.testclient import TestClient

    from service.app import create_app
    from service.settings import Settings

    client = TestClient(create_app(Settings()))  # no `with`: its lifespan never begins
    for method, path in (("GET", "/health/ready"), ("GET", "/v1/model"), ("POST", "/v1/classify")):
        answer = client.request(method, path)
        assert answer.status_code == 503
        assert answer.json()["type"].endswith(":not-ready")
        assert answer.headers["retry-after"]
    assert client.get("/health/live").status_code == 200
