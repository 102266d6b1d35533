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
import time
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from starlette.types import Message

from models import Classifier
from service.app import Service, create_app
from service.logs import JSONFormatter
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


def application(classifier: Classifier, *, watched: bool) -> Any:
    """An application that serves, with everything of `watched` or with none of it."""
    app = create_app(Settings())
    service: Service = app.state.service
    service.use(classifier)
    if not watched:
        for name, value in vars(service.metrics).items():
            if isinstance(value, MetricWrapperBase):
                setattr(service.metrics, name, Nothing())
    service.start()
    return app


async def block(app: Any, watched: bool) -> tuple[float, float]:
    """CPU and wall seconds of a request, the mean of a block."""
    logging.getLogger("service").setLevel(logging.INFO if watched else logging.ERROR)
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(REQUESTS):
        await ask(app, TEXTS[i % len(TEXTS)])
    return (time.process_time() - cpu) / REQUESTS, (time.perf_counter() - wall) / REQUESTS


async def main() -> None:
    """Measure, and print a line for each kind of time."""
    handler = logging.StreamHandler(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    classifier = Classifier.load(RELEASED_MODEL)
    apps = {kind: application(classifier, watched=kind) for kind in (False, True)}
    for kind, app in apps.items():
        await block(app, kind)
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for i in range(BLOCKS):
        # Who goes first takes turns too.
        for kind in (False, True) if i % 2 else (True, False):
            found[kind].append(await block(apps[kind], kind))
    for index, name in enumerate(("CPU", "wall")):
        without, with_ = (
            statistics.median(times[index] for times in found[kind]) for kind in (False, True)
        )
        print(
            f"{name:<5} a request: without {1e3 * without:.3f} ms, with {1e3 * with_:.3f} ms; "
            f"throughput {100 * (without / with_ - 1):+.1f} %"
        )
    for app in apps.values():
        app.state.service.stop()


if __name__ == "__main__":
    asyncio.run(main())
