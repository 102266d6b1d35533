"""The metrics: complete from the start, counted once, and they add up."""

import json
import math
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from models.classifier import Classifier
from models.connectives import CONTRAST
from models.labels import CLAUSE_LABELS, LABELS, ClauseLabel
from models.verdict import Clause
from service.errors import problem_types
from service.metrics import CONFIDENCE_BINS, CONTRAST_WORDS, SLO_SECONDS, STAGES
from service.record import sum_of
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
        assert samples(client, "danshi_queue_limit_tokens") == {(): 131_072}
        assert set(samples(client, "danshi_clause_predictions_total", "label")) == {
            (label,) for label in CLAUSE_LABELS
        }
        assert set(samples(client, "danshi_contrast_total", "connective")) == {
            (word,) for word in (*CONTRAST_WORDS, "other")
        }
        assert samples(client, "danshi_rejected_texts_total", "reason")[("invalid_text",)] == 0
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
        assert metric(client, "danshi_single_text_duration_seconds_count") == 3
        # The two blanks alone, and four in lists.
        assert metric(client, "danshi_rejected_texts_total", reason="invalid_text") == 6
        for name in ("input_chars", "input_tokens", "windows", "confidence"):
            assert metric(client, f"danshi_{name}_count") == 5, name
        assert metric(client, "danshi_polarity_bucket", le="+Inf") == 5
        assert metric(client, "danshi_input_chars_sum") == 3 * 2 + 2
        assert metric(client, "danshi_input_tokens_sum") == 3 * 4 + 2 * 3
        assert metric(client, "danshi_windows_sum") == 5
        assert sum(samples(client, "danshi_clause_predictions_total", "label").values()) == 5
        assert metric(client, "danshi_engine_busy_seconds_total") > 0
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


def test_who_waited_in_vain_is_in_the_queue_time_and_not_among_the_answered(
    classifier: Classifier, engine: ObedientEngine
) -> None:
    with running(classifier, deadline_seconds=0.3) as app, app.client() as client:
        engine.hold()
        assert client.post("/v1/classify", json={"text": "好"}).status_code == 503
        assert client.post("/v1/classify", json={"text": "坏"}).status_code == 503
        engine.release()
        queue = metric(client, "danshi_stage_duration_seconds_sum", stage="queue")
        assert queue > 0.2
        assert metric(client, "danshi_stage_duration_seconds_count", stage="queue") == 2
        assert metric(client, "danshi_stage_duration_seconds_count", stage="inference") == 0
        assert metric(client, "danshi_rejected_total", reason="deadline_exceeded") == 2
        assert metric(client, "danshi_single_text_duration_seconds_count") == 0
        assert metric(client, "danshi_input_chars_count") == 2
        assert sum(samples(client, "danshi_predictions_total", "label").values()) == 0


def test_words_that_turn_are_counted_by_a_bounded_list(released: Classifier) -> None:
    texts = [
        "房间很干净，但是隔音太差了。",
        "房間很乾淨，但是隔音太差了。",
        "味道很好，不過太貴了。",
        "味道很好，however太贵了。",
        "虽然贵，还是值得。",
    ]
    with running(released) as app, app.client() as client:
        answers = client.post("/v1/classify", json={"texts": texts}).json()["results"]
        found = {k[0]: v for k, v in samples(client, "danshi_contrast_total", "connective").items()}
        turns = [c for a in answers for c in a["clauses"] if c["relation"] == "contrast"]
        assert found["但是"] == 2
        assert found["不过"] == 1
        assert found["other"] >= 1
        assert sum(found.values()) == len(turns)
        by_label = samples(client, "danshi_predictions_total", "label")
        for label in LABELS:
            assert by_label[(label,)] == sum(a["label"] == label for a in answers)
        confidence = sum(max(answer["scores"].values()) for answer in answers)
        assert metric(client, "danshi_confidence_sum") == pytest.approx(confidence)
        below = sum(answer["polarity"] <= -0.3 for answer in answers)
        assert metric(client, "danshi_polarity_bucket", le="-0.3") == below


def test_a_label_that_the_clauses_do_not_add_up_to_is_a_disagreement(
    fresh: RunningApp, released: Classifier
) -> None:
    with fresh.client() as client:
        # The obedient engine praises the text and blames its clause.
        answer = client.post("/v1/classify", json={"text": "好"}).json()
        assert (answer["label"], answer["clauses"][0]["label"]) == ("positive", "negative")
        assert metric(client, "danshi_clause_disagreement_total") == 1
        fresh.service.stop()
        fresh.service.use(released)
        fresh.service.start()
        answer = client.post("/v1/classify", json={"text": "房间很干净，但是隔音太差。"}).json()
        assert answer["label"] == "mixed"
        assert metric(client, "danshi_clause_disagreement_total") == 1


@pytest.mark.parametrize(
    ("labels", "whole"),
    [
        (("positive", "neutral"), "positive"),
        (("negative",), "negative"),
        (("neutral", "neutral"), "neutral"),
        (("negative", "neutral", "positive"), "mixed"),
    ],
)
def test_clauses_add_up_to_a_label(labels: tuple[ClauseLabel, ...], whole: str) -> None:
    clauses = [Clause("好", 0, 1, label, {}, "none", None) for label in labels]
    assert sum_of(clauses) == whole


def test_the_words_with_a_series_are_words_that_turn() -> None:
    assert set(CONTRAST_WORDS) <= {connective.word for connective in CONTRAST}


def test_padding_and_work_of_a_batch_are_counted(app: RunningApp, engine: ObedientEngine) -> None:
    with app.client() as client:
        client.post("/v1/classify", json={"texts": ["好" * 4, "好" * 14]})
        ((long, short),) = engine.batches
        assert metric(client, "danshi_batch_tokens_sum") == 2 * long
        padding = metric(client, "danshi_batch_padding_ratio_sum")
        assert padding == pytest.approx((long - short) / (2 * long))


def test_tokens_that_the_model_does_not_know_are_counted(fresh: RunningApp) -> None:
    with fresh.client() as client:
        client.post("/v1/classify", json={"text": "好abc好"})
        assert metric(client, "danshi_unknown_tokens_total") == 3


def test_the_reference_is_the_manifests(released: Classifier) -> None:
    reference = released.manifest.reference
    with running(released) as app, app.client() as client:
        shares = samples(client, "danshi_reference_share", "label")
        assert {label: share for (label,), share in shares.items()} == reference["label_share"]
        bins = samples(client, "danshi_reference_confidence_share", "bin")
        assert [float(edge) for (edge,) in bins] == list(CONFIDENCE_BINS)
        assert sum(bins.values()) == pytest.approx(1)
        upto = reference["confidence_cumulative"]
        assert bins[("0.5",)] == upto["0.5"]
        assert bins[("0.8",)] == pytest.approx(upto["0.8"] - upto["0.7"])
        loaded = metric(client, "danshi_model_loaded_timestamp_seconds")
        assert time.time() - 60 < loaded <= time.time()


def test_a_model_without_a_reference_is_served_and_its_reference_unknown(
    fresh: RunningApp,
) -> None:
    with fresh.client() as client:
        shares = samples(client, "danshi_reference_share", "label")
        assert len(shares) == len(LABELS)
        assert all(math.isnan(share) for share in shares.values())
        bins = samples(client, "danshi_reference_confidence_share", "bin")
        assert all(math.isnan(share) for share in bins.values())


def test_another_model_takes_the_place_of_the_one_before(
    released: Classifier, fresh: RunningApp
) -> None:
    fresh.service.use(released)
    with fresh.client() as client:
        (info,) = samples(client, "danshi_model_info", "name", "version")
        assert info == (released.manifest.name, released.manifest.version)


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
    assert SLO_SECONDS in bounds
    assert bounds[-1] >= fresh.service.settings.deadline_seconds


def test_two_applications_do_not_share_counts(
    classifier: Classifier, engine: ObedientEngine, fresh: RunningApp
) -> None:
    with running(classifier) as other, other.client() as client, fresh.client() as first:
        first.post("/v1/classify", content=json.dumps({"text": "好"}))
        assert not samples(client, "danshi_requests_total", "route", "code")["/v1/classify", "415"]
