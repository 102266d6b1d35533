"""What lines cost: in pieces, behind one that never ends, or while the queue is full."""

import asyncio
import json
import threading
import time

from starlette.types import Message

from tests.service.support import ObedientEngine, RunningApp, metric, wait_until


def arrive(app: RunningApp, *pieces: bytes) -> list[dict]:
    """The answers to a body of lines that comes in exactly these pieces, without a socket."""
    with app.client() as client:
        assert client.get("/health/ready").is_success
    left = [*pieces, b""]
    answered = b""

    async def receive() -> Message:
        if not left:  # all was sent; the client waits for its answers
            await asyncio.sleep(60)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Message) -> None:
        nonlocal answered
        answered += message.get("body", b"")

    scope = {
        "type": "http", "method": "POST", "path": "/v1/classify", "query_string": b"",
        "headers": [(b"content-type", b"application/x-ndjson")],
    }  # fmt: skip
    asyncio.run(app.app(scope, receive, send))
    return [json.loads(line) for line in answered.splitlines()]


def test_a_piece_costs_no_more_behind_a_long_unfinished_line(app: RunningApp) -> None:
    begin = time.thread_time()
    answers = arrive(app, b"x" * 6_000_000, *[b"x"] * 2000, '\n"很好"\n'.encode())
    # To copy and split the line again for each took nine seconds.
    assert time.thread_time() - begin < 2
    assert answers[0]["error"]["detail"] == "The line is larger than 4194304 bytes."
    assert answers[1]["clauses"][0]["text"] == "很好"


def test_a_line_that_waits_for_room_is_read_and_counted_once(
    app: RunningApp, engine: ObedientEngine
) -> None:
    line = '"好好好好好好好好好好"\n'.encode()
    answers: list[dict] = []
    with app.client() as client:

        def fill(texts: int) -> threading.Thread:
            body = {"texts": ["好" * 60] * texts}
            thread = threading.Thread(target=lambda: client.post("/v1/classify", json=body))
            thread.start()
            return thread

        engine.hold()
        threads = [fill(15)]
        assert engine.entered.wait(10)
        # Four texts are in the engine; with these, 992 of the 1000 tokens wait that may.
        threads.append(fill(5))
        wait_until(lambda: metric(client, "danshi_queue_tokens") == 992)
        threads.append(threading.Thread(target=lambda: answers.extend(arrive(app, line))))
        threads[-1].start()
        time.sleep(0.6)  # three times there is no room
        assert not answers
        engine.release()
        for thread in threads:
            thread.join(10)
        assert answers[0]["windows"] == 1
        for name in ("input_chars", "input_tokens", "windows"):
            assert metric(client, f"danshi_{name}_count") == 15 + 5 + 1, name
        stages = "danshi_stage_duration_seconds_count"
        assert metric(client, stages, stage="tokenize") == len(threads)
