"""The metrics: complete from the start, counted once, and they add up."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from models.classifier import Classifier
from models.labels import LABELS
from service.errors import problem_types
from service.metrics import STAGES
from tests.service.support import ObedientEngine, RunningApp, metric, running


@pytest.fixture
def fresh(classifier: Classifier, engine: ObedientEngine) -> Iterator[RunningApp]:
    with running(classifier) as app:
        yield app


def samples(client: httpx.Client, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The series of one name, by the values of its labels."""
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in prometheus(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == name
    }


def test_every_series_exists_before_the_first_request(fresh: RunningApp) -> None:
    with fresh.client() as client:
        assert set(samples(client, "danshi_predictions_total", "label")) == {
            (label,) for label in LABELS
        }
        assert set(samples(client, "danshi_stage_duration_seconds_count", "stage")) == {
            (stage,) for stage in STAGES
        }
        assert set(samples(client, "danshi_rejected_total", "reason")) == {
            (kind.label(),) for kind in problem_types()
        }
        codes = {
            code
            for route, code in samples(client, "danshi_requests_total", "route", "code")
            if route == "/v1/classify"
        }
        assert codes >= {"200", "400", "413", "415", "422", "429", "500", "503"}
        assert samples(client, "danshi_model_info", "name", "version", "engine", "precision") == {
            ("obedient", "1", "obedient", "none"): 1
        }
        assert samples(client, "danshi_queue_depth") == {(): 0}
        text = client.get("/metrics").text
        assert "process_resident_memory_bytes" in text
        assert "python_info" in text


def test_every_metric_has_the_prefix_and_a_help(fresh: RunningApp) -> None:
    with fresh.client() as client:
        families = list(prometheus(client.get("/metrics").text))
    assert families
    for family in families:
        assert family.name.startswith(("danshi_", "process_", "python_"))
        assert family.documentation


def test_the_exposition_comes_in_the_format_asked_for(fresh: RunningApp) -> None:
    with fresh.client() as client:
        plain = client.get("/metrics")
        assert plain.headers["content-type"].startswith("text/plain; version=")
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        other = client.get("/metrics", headers=accept)
        assert other.headers["content-type"].startswith("application/openmetrics-text")
        assert list(open_metrics(other.text))


def test_the_counts_add_up(fresh: RunningApp) -> None:
    with fresh.client() as client:
        for _ in range(3):
            client.post("/v1/classify", json={"text": "很好"})
        client.post("/v1/classify", json={"texts": ["好", "", "坏", 5]})
        client.post("/v1/classify", json={"texts": ["", ""]})
        for _ in range(2):
            client.post("/v1/classify", json={"text": ""})
        client.post("/v1/classify", content="{", headers={"Content-Type": "application/json"})
        client.get("/nowhere")
        client.get("/elsewhere")

        def requests(route: str, code: int) -> float:
            return metric(client, "danshi_requests_total", route=route, code=str(code))

        assert requests("/v1/classify", 200) == 5
        assert requests("/v1/classify", 422) == 2
        assert requests("/v1/classify", 400) == 1
        assert requests("other", 404) == 2
        assert metric(client, "danshi_rejected_total", reason="invalid_text") == 2
        assert metric(client, "danshi_rejected_total", reason="invalid_json") == 1
        assert metric(client, "danshi_rejected_total", reason="not_found") == 2
        assert sum(samples(client, "danshi_predictions_total", "label").values()) == 5
        durations = metric(client, "danshi_request_duration_seconds_count", route="/v1/classify")
        assert durations == 8
        stages = samples(client, "danshi_stage_duration_seconds_count", "stage")
        assert stages == {("tokenize",): 7, ("queue",): 4, ("inference",): 4, ("finish",): 7}
        assert metric(client, "danshi_batch_size_sum") == 5
        assert metric(client, "danshi_requests_in_flight") == 1  # this one


def test_requests_are_what_was_answered_plus_what_was_refused(fresh: RunningApp) -> None:
    with fresh.client() as client:
        bodies: list[dict[str, Any]] = [{"text": "好"}, {"text": ""}, {}, {"texts": []}]
        for body in (*bodies, {"texts": ["好"]}):
            client.post("/v1/classify", json=body)
        client.get("/v1/classify")
        by_code = {
            code: value
            for (route, code), value in samples(
                client, "danshi_requests_total", "route", "code"
            ).items()
            if route == "/v1/classify"
        }
        refused = sum(samples(client, "danshi_rejected_total", "reason").values())
        assert sum(v for code, v in by_code.items() if code != "200") == refused == 4
        assert by_code["200"] == 2


def test_paths_and_ids_of_callers_make_no_series(fresh: RunningApp) -> None:
    with fresh.client() as client:
        before = client.get("/metrics").text.count("\n")
        for i in range(20):
            client.get(f"/{i}?q={i}", headers={"X-Request-ID": f"id-{i}"})
            client.request("OPTIONS", f"/v1/{i}")
        assert client.get("/metrics").text.count("\n") <= before + 4


def test_a_client_that_hangs_up_while_sending_is_counted(fresh: RunningApp) -> None:
    with socket.create_connection(("127.0.0.1", fresh.port)) as raw:
        raw.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
    with fresh.client() as client:
        for _ in range(200):
            if metric(client, "danshi_requests_total", route="/v1/classify", code="499"):
                break
        assert metric(client, "danshi_requests_total", route="/v1/classify", code="499") == 1
        assert metric(client, "danshi_requests_in_flight") == 1


def test_buckets_reach_from_a_fast_answer_to_the_deadline(fresh: RunningApp) -> None:
    with fresh.client() as client:
        text = client.get("/metrics").text
    pattern = r'danshi_request_duration_seconds_bucket\{le="([\d.]+)",route="/v1/classify"\}'
    bounds = [float(bound) for bound in re.findall(pattern, text)]
    assert bounds[0] <= 0.001
    assert bounds[-1] >= fresh.service.settings.deadline_seconds


def test_two_applications_do_not_share_counts(
    classifier: Classifier, engine: ObedientEngine, fresh: RunningApp
) -> None:
    with running(classifier) as other, other.client() as client, fresh.client() as first:
        first.post("/v1/classify", content=json.dumps({"text": "好"}))
        assert not samples(client, "danshi_requests_total", "route", "code")["/v1/classify", "415"]
