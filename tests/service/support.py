"""What the tests of the service share: a classifier whose engine obeys, and real servers."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import uvicorn
from fastapi import FastAPI
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from models.artifact import Manifest
from models.classifier import Classifier
from models.engine import RowLogits
from models.tokenizer import Row, TextTokenizer
from service.app import Service, create_app
from service.server import GracefulServer, bind
from service.settings import Settings

EXAMPLE = "这部电影不坏，但也不算特别好。"
MAX_LENGTH = 64


class ObedientEngine:
    """An engine that runs when it is let, fails when it is told, and remembers its batches."""

    name, precision, threads, lanes, packs = "obedient", "none", 1, 1, False

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failure: BaseException | None = None
        self.entered = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def cost(self, lengths: Sequence[int]) -> int:
        return len(lengths) * max(lengths)

    def hold(self) -> None:
        """Let the next passes wait."""
        self.entered.clear()
        self._open.clear()

    def release(self) -> None:
        """Let the passes run."""
        self._open.set()

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        self.batches.append([row.length for row in rows])
        self.entered.set()
        assert self._open.wait(30)
        if self.failure is not None:
            raise self.failure
        return [logits(row) for row in rows]


def logits(row: Row) -> RowLogits:
    """Logits that tell rows apart."""
    value = np.float32(row.token_ids.sum() % 97 / 97)
    count = len(row.clauses)
    return RowLogits(
        np.array([0, 0, value, 0], np.float32),
        float(value),
        np.full((count, 3), value, np.float32),
        np.full((count, 4), value, np.float32),
    )


def obedient_classifier() -> tuple[Classifier, ObedientEngine]:
    """The real classifier, with a tokenizer of one token a character and an obedient engine."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(chr, range(0x4E00, 0x9FA6))]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    manifest = Manifest(
        name="obedient",
        version="1",
        created="2026-11-01",
        max_length=MAX_LENGTH,
        precision="none",
        encoder={},
        licence="none",
    )
    engine = ObedientEngine()
    text_tokenizer = TextTokenizer(tokenizer, MAX_LENGTH)
    classifier = Classifier(Path("nowhere"), manifest, text_tokenizer, engine)
    classifier.classify(EXAMPLE)  # as the service does when it loads one
    return classifier, engine


class RunningApp:
    """An application on a real socket, in a thread of this process."""

    def __init__(self, settings: Settings, classifier: Classifier) -> None:
        self.app: FastAPI = create_app(settings)
        self.service: Service = self.app.state.service
        self.service.use(classifier)
        self._listener = bind("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self.app, lifespan="on", ws="none", log_config=None, access_log=False
        )
        self._server = GracefulServer(config, self.service)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],))
        self._thread.start()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30)

    def signal(self) -> None:
        """What SIGTERM does."""
        self._server.handle_exit(signal.SIGTERM, None)

    def stop(self) -> None:
        self.signal()
        self._thread.join(30)
        self._listener.close()
        assert not self._thread.is_alive()


@contextmanager
def running(classifier: Classifier, **settings: Any) -> Iterator[RunningApp]:
    """An application that serves `classifier`."""
    app = RunningApp(Settings(**{"shutdown_delay_seconds": 0.0, **settings}), classifier)
    try:
        yield app
    finally:
        app.stop()


def command_environment(**variables: str) -> dict[str, str]:
    """The environment of a command: this checkout, none of the user's settings."""
    # DANSHI_MODEL_DIR stays: so one can run these tests on a candidate.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DANSHI_") or name == "DANSHI_MODEL_DIR"
    }
    root = str(Path(__file__).parents[2])
    return {**kept, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1", **variables}


def danshi(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command line to its end."""
    variables = options.pop("variables", {})
    # From elsewhere than the checkout, as an installed command is.
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            cwd=folder,
            env=command_environment(**variables),
            **options,
        )


class Process:
    """`danshi serve` as users run it."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", "0", *arguments],
            stderr=self._log,
            env=command_environment(**variables),
        )
        self.url = self._wait_for_url()

    def _wait_for_url(self) -> str:
        while time.monotonic() < self.begin + 60:
            if match := re.search(r"serving .* on (http://[\w.:\[\]]+)", self.log()):
                return match[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def log(self) -> str:
        """What the server has logged."""
        self._log.seek(0)
        return self._log.read()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._log.close()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until it is, ten seconds at most."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    """The value of one series."""
    for line in client.get("/metrics").text.splitlines():
        head, _, value = line.rpartition(" ")
        given = dict(re.findall(r'(\w+)="([^"]*)"', head))
        if head.partition("{")[0] == name and given == labels:
            return float(value)
    raise AssertionError(f"no series {name} {labels}")
