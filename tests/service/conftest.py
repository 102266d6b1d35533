"""One real server for the session, and one obedient engine a test."""

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from models.classifier import Classifier
from tests.service.support import ObedientEngine, Process, RunningApp, obedient_classifier, running


@pytest.fixture(scope="session")
def server() -> Iterator[Process]:
    """`danshi serve` with the released model, as a process of its own."""
    process = Process()
    yield process
    process.close()


@pytest.fixture
def client(server: Process) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="session")
def _classifier() -> tuple[Classifier, ObedientEngine]:
    return obedient_classifier()


@pytest.fixture
def classifier(_classifier: tuple[Classifier, ObedientEngine]) -> Classifier:
    return _classifier[0]


@pytest.fixture
def engine(_classifier: tuple[Classifier, ObedientEngine]) -> Iterator[ObedientEngine]:
    engine = _classifier[1]
    engine.batches.clear()
    engine.failure = None
    yield engine
    engine.release()


@pytest.fixture
def app(classifier: Classifier, engine: ObedientEngine) -> Iterator[RunningApp]:
    """An application with small limits whose engine is `engine`."""
    limits = {"max_chars": 100, "max_texts": 300, "max_queue_tokens": 1000, "batch_tokens": 256}
    with running(classifier, **limits) as app:
        yield app
        engine.release()
