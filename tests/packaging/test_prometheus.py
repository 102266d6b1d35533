"""The real service, watched by the real Prometheus: no question stays without an answer."""

import json
import math
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from models.labels import LABELS
from tests.service.support import Process

pytestmark = pytest.mark.slow

REVIEWS = [
    "房间很干净，但是隔音太差了。",
    "這家店的菜很好吃，服務也熱情。",
    "等了两个小时，送来的菜全是凉的，再也不点了。",
    "包装盒是蓝色的，里面有一根数据线。",
    "虽然位置偏了点，但是服务真的没话说！",
    "还没用，用了再来评。",
    "质量好到开箱就断 \U0001f92e ʬʭ",
    "物流很快，不过包装破了，客服也不理人。" * 40,
]
ROUNDS = 5
CLASSIFIED = 'sum(danshi_requests_total{{route="/v1/classify",code="{}"}})'
# More of these at a time than the queue holds.
RUSH = {"texts": ["物流很快，不过包装破了。" * 8] * 12}
RUSHES = 48


@dataclass
class Sent:
    """What was sent, to compare with what was counted."""

    answered: int = 0
    chars: int = 0
    refused: int = 0
    labels: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)

    def note(self, results: list[dict[str, Any]]) -> None:
        """Keep what the service said of texts: labels and the words that turn."""
        for result in results:
            self.labels.append(result["label"])
            self.turns += [
                clause["connective"]["text"]
                for clause in result["clauses"]
                if clause["relation"] == "contrast"
            ]


class Prometheus:
    """Debian's Prometheus, on a port of its own."""

    def __init__(self, folder: Path, ops: Path, target: str) -> None:
        for name in ("rules.yml", "alerts.yml"):
            text = (ops / name).read_text(encoding="utf-8")
            # The same rules, but evaluated every second.
            (folder / name).write_text(re.sub(r"^ +interval: .*\n", "", text, flags=re.MULTILINE))
        config = yaml.safe_load((ops / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["scrape_configs"] = [
            {"job_name": "danshi", "static_configs": [{"targets": [target]}]}
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self._log = (folder / "log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stderr=self._log,
        )
        self._client = httpx.Client(base_url=f"http://{address}/api/v1", timeout=30)

    def api(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        return self.api("/query", query=query)["result"]

    def value(self, query: str) -> float:
        (sample,) = self.ask(query)
        return float(sample["value"][1])

    def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except httpx.TransportError:  # it is starting
                assert self._process.poll() is None, self.log()
            time.sleep(0.2)
        raise AssertionError(f"{what}, after 90 seconds; {self.log()}")

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def send(client: httpx.Client) -> Sent:
    """Real reviews in every form, and every kind of mistake."""
    sent = Sent()

    def note(results: list[dict[str, Any]], texts: list[str]) -> None:
        sent.answered += 1
        sent.chars += sum(map(len, texts))
        sent.note(results)

    url, lines = "/v1/classify", {"Content-Type": "application/x-ndjson"}
    for _ in range(ROUNDS):
        for text in REVIEWS:
            note([client.post(url, json={"text": text}).json()], [text])
        results = client.post(url, json={"texts": [*REVIEWS, "", 5]}).json()["results"]
        note([result for result in results if "label" in result], REVIEWS)
        body = "".join(json.dumps({"text": text}) + "\n" for text in REVIEWS)
        stream = client.post(url, content=body.encode(), headers=lines).text
        note([json.loads(line) for line in stream.splitlines()], REVIEWS)
        for wrong in ({"text": ""}, {"text": "好" * 1001}, {"txt": "好"}):
            assert client.post(url, json=wrong).status_code == 422
        plain = {"Content-Type": "text/plain"}
        assert client.post(url, content=b"{", headers=plain).status_code == 415
        assert client.get("/nowhere").status_code == 404
        sent.refused += 4
        time.sleep(1)
    return sent


def overload(client: httpx.Client, sent: Sent) -> int:
    """Ask for more than the queue holds; how often it was refused."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/classify", json=RUSH), range(RUSHES)))
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {200, 429}
    for answer in answers:
        if answer.status_code == 200:
            sent.answered += 1
            sent.note(answer.json()["results"])
    # Those that were refused were read before.
    sent.chars += RUSHES * sum(map(len, RUSH["texts"]))
    return codes.count(429)


@dataclass
class Watched:
    """What the tests below look at."""

    prometheus: Prometheus
    sent: Sent
    full: int


@pytest.fixture(scope="module")
def watched(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    limits = ("--max-chars", "1000", "--max-queue-tokens", "2000")
    server = Process(*limits)
    target = server.url.removeprefix("http://")
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), root / "service/ops", target)
    try:
        with server.client() as client:
            scrapes = "count_over_time(up[1m])"
            prometheus.until(
                lambda: any(float(s["value"][1]) >= 2 for s in prometheus.ask(scrapes)),
                "Prometheus did not scrape the service",
            )
            sent = send(client)
            full = overload(client, sent)
            prometheus.until(
                lambda: prometheus.value(CLASSIFIED.format("200")) == sent.answered,
                f"Prometheus did not see {sent.answered} answers",
            )
            # Rules that read what rules record need a few rounds.
            time.sleep(5)
        yield Watched(prometheus, sent, full)
    finally:
        prometheus.close()
        server.close()


def known(samples: list[dict[str, Any]]) -> bool:
    """Whether there are samples, and one of them is a number."""
    return any(math.isfinite(float(sample["value"][1])) for sample in samples)


def test_every_panel_has_data(root: Path, watched: Watched) -> None:
    file = root / "service/ops/grafana/dashboards/danshi.json"
    panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
    queries = [(p["title"], t["expr"]) for p in panels for t in p.get("targets", ())]
    assert len(queries) > 40
    empty = []
    for title, query in queries:
        asked = query.replace("$job", "danshi").replace("$__rate_interval", "1m")
        assert "$" not in asked, asked
        if not known(watched.prometheus.ask(asked)):
            empty.append((title, asked))
        now = time.time()
        span = {"start": str(now - 10), "end": str(now), "step": "1"}
        if not watched.prometheus.api("/query_range", query=asked, **span)["result"]:
            empty.append((title, asked))
    assert empty == []


def test_every_rule_is_healthy_and_what_it_records_is_there(watched: Watched) -> None:
    groups = watched.prometheus.api("/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 40
    for rule in rules:
        assert (rule["health"], rule.get("lastError", "")) == ("ok", ""), rule["name"]
        if rule["type"] == "recording":
            assert known(watched.prometheus.ask(rule["name"])), rule["name"]


def test_every_series_that_an_alert_asks_for_is_there(watched: Watched) -> None:
    groups = watched.prometheus.api("/rules")["groups"]
    alerts = [rule for g in groups for rule in g["rules"] if rule["type"] == "alerting"]
    selector = r"(?<![\w:.])((?:\w+:)?(?:danshi|process)_\w+(?::\w+)?(?:\{[^}]*\})?|up\{[^}]*\})"
    for alert in alerts:
        found = re.findall(selector, alert["query"])
        assert found, alert["query"]
        for series in found:
            assert watched.prometheus.ask(series), (alert["name"], series)


def test_what_was_counted_is_what_was_sent(watched: Watched) -> None:
    value, sent = watched.prometheus.value, watched.sent
    assert value(CLASSIFIED.format("422")) == 3 * ROUNDS
    assert value(CLASSIFIED.format("415")) == ROUNDS
    assert value(CLASSIFIED.format("429")) == watched.full
    assert value('danshi_requests_total{route="other",code="404"}') == ROUNDS
    assert value('danshi_rejected_total{reason="queue_full"}') == watched.full
    # The 429 and the 404 aside, what was refused has its reasons.
    reasons = 'sum(danshi_rejected_total{reason!~"queue_full|not_found"})'
    assert value(reasons) == sent.refused
    assert value('danshi_rejected_texts_total{reason="invalid_text"}') == 4 * ROUNDS
    for label in LABELS:
        counted = value(f'danshi_predictions_total{{label="{label}"}}')
        assert counted == sent.labels.count(label), label
    assert value("danshi_confidence_count") == len(sent.labels)
    assert value("danshi_input_chars_sum") == sent.chars
    assert value("danshi_single_text_duration_seconds_count") == ROUNDS * len(REVIEWS)
    assert value('danshi_contrast_total{connective="不过"}') == sent.turns.count("不过") > 0
    assert value("danshi_unknown_tokens_total") > 0


def test_an_overload_is_an_alert_with_a_sentence_and_a_page_of_the_runbook(
    watched: Watched,
) -> None:
    firing = {
        alert["labels"]["alertname"]: alert
        for alert in watched.prometheus.api("/alerts")["alerts"]
        if alert["state"] == "firing"
    }
    alert = firing["DanshiFailingFast"]
    assert alert["labels"]["severity"] == "page"
    summary = alert["annotations"]["summary"]
    assert re.fullmatch(r"danshi: [\d.]+% of requests get no answer", summary)
    assert alert["annotations"]["runbook"].endswith("#danshifailingfast")
    assert "DanshiAllDown" not in firing


def test_the_metrics_of_a_service_in_use_pass_promtool(watched: Watched) -> None:
    (target,) = watched.prometheus.api("/targets")["activeTargets"]
    text = httpx.get(target["scrapeUrl"]).text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
