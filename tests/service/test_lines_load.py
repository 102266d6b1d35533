"""What lines cost: in pieces, behind one that never ends, or while the queue is full."""

import asyncio
import json
import time

from starlette.types import Message

from tests.service.support import RunningApp


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
