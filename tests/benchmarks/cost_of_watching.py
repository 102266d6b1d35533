"""What counting and logging cost: the same requests with and without them, in one run.

    python -m tests.benchmarks.cost_of_watching

One text a request, one request at a time, straight into the application: no network that would
hide the cost. Blocks with and without take turns, so that a busy machine is busy for both. CPU
time is the figure to trust on such a machine; wall time is printed beside it.
"""

import asyncio
import json
import logging
import os
import statistics
import sys
import time
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from starlette.types import Message

from models import Classifier
from service.app import Service, create_app
from service.logs import configure_logging
from service.settings import RELEASED_MODEL, Settings

BLOCKS, REQUESTS = 60, 40
TEXTS = [
    "房间很干净，但是隔音太差了。",
    "这家店的菜很好吃，服务也热情，下次还会带朋友来。",
    "等了两个小时，送来的菜全是凉的，再也不点了。",
    "虽然位置偏了点，但是服务真的没话说！",
]


class Nothing:
    """Counts nothing, whatever is asked of it."""

    def __getattr__(self, _: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self


async def ask(app: Any, text: str) -> None:
    """One request, to its answer's end."""
    body = json.dumps({"text": text}).encode()
    came: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if came:
            return came.pop()
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200

    scope = {
        "type": "http", "method": "POST", "path": "/v1/classify", "raw_path": b"/v1/classify",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"content-type", b"application/json")], "state": {},
    }  # fmt: skip
    await app(scope, receive, send)


def application(classifier: Classifier, *, counting: bool) -> Any:
    """An application that serves, and counts everything or nothing."""
    app = create_app(Settings())
    service: Service = app.state.service
    service.use(classifier)
    if not counting:
        for name, value in vars(service.metrics).items():
            if isinstance(value, MetricWrapperBase):
                setattr(service.metrics, name, Nothing())
            elif isinstance(value, dict):  # the children of one, by label
                setattr(service.metrics, name, dict.fromkeys(value, Nothing()))
    service.start()
    return app


async def block(app: Any, level: int) -> tuple[float, float]:
    """CPU and wall seconds of a request, the mean of a block."""
    logging.getLogger("service").setLevel(level)
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(REQUESTS):
        await ask(app, TEXTS[i % len(TEXTS)])
    return (time.process_time() - cpu) / REQUESTS, (time.perf_counter() - wall) / REQUESTS


async def main() -> None:
    """Measure, and print a line for each way of watching."""
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    configure_logging("info", "json")
    classifier = Classifier.load(RELEASED_MODEL)
    silent = application(classifier, counting=False)
    counting = application(classifier, counting=True)
    ways = {
        "nothing": (silent, logging.ERROR),
        "metrics": (counting, logging.ERROR),
        "metrics and JSON logs": (counting, logging.INFO),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        await block(*way)
    for i in range(BLOCKS):
        # Who goes first takes turns too.
        for j in range(len(ways)):
            name = list(ways)[(i + j) % len(ways)]
            found[name].append(await block(*ways[name]))
    print(f"{'':<24}{'CPU ms':>9}{'':>9}{'wall ms':>9}")
    for name, times in found.items():
        line = f"{name:<24}"
        for index in range(2):
            base = statistics.median(t[index] for t in found["nothing"])
            mine = statistics.median(t[index] for t in times)
            line += f"{1e3 * mine:>9.3f}{100 * (base / mine - 1):>+8.1f}%"
        print(line)
    for app in (silent, counting):
        app.state.service.stop()


if __name__ == "__main__":
    asyncio.run(main())
