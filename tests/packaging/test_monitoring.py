"""What Prometheus and Grafana ask for is what the service counts."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import APIRoute
from prometheus_client.metrics import MetricWrapperBase

from service.app import create_app
from service.metrics import Metrics
from service.settings import Settings

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}
# Labels that a sample gets besides those that the service gives it.
ADDED = {"le", "job", "instance"}
ROWS = [
    "Are users hurt?", "How much", "Where the time goes", "Is there room?", "What the model says",
    "Drift", "What comes in", "What runs",
]  # fmt: skip


@pytest.fixture(scope="module")
def dashboard(root: Path) -> dict[str, Any]:
    file = root / "service/ops/grafana/dashboards/danshi.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="module")
def shown(panels: list[dict[str, Any]]) -> list[str]:
    """What the dashboard asks for."""
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture(scope="module")
def rules(root: Path) -> list[dict[str, Any]]:
    """Recording rules and alerts."""
    files = [root / "service/ops" / name for name in ("rules.yml", "alerts.yml")]
    groups = [g for f in files for g in yaml.safe_load(f.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def queries(shown: list[str], rules: list[dict[str, Any]]) -> list[str]:
    """Everything that anything here asks Prometheus for."""
    return [*shown, *(rule["expr"] for rule in rules)]


@pytest.fixture(scope="module")
def defined(rules: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The series that the service exposes and the rules record, with their labels."""
    metrics = Metrics()
    found: dict[str, set[str]] = {"up": set()}
    for family in metrics.registry.collect():
        if family.name.startswith(("process_", "python_")):
            found |= {sample.name: set() for sample in family.samples}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family, *_) = metric.describe()
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = set(metric._labelnames)
    for rule in rules:
        if "record" in rule:  # named by the level that it is summed up to
            found[rule["record"]] = set(rule["record"].split(":")[0].split("_"))
    return found


def asked(query: str) -> Iterator[tuple[str, str]]:
    """Every series that a query names, with its selector."""
    name = r"(?:\w+:)?(?:danshi|process|python)_\w+(?::\w+)?|up"
    yield from re.findall(rf"(?<![\w:])({name})(?![\w:])(?:\{{([^}}]*)\}})?", query)


def test_every_series_asked_for_is_one_that_there_is(
    queries: list[str], defined: dict[str, set[str]]
) -> None:
    names = {name for query in queries for name, _ in asked(query)}
    assert names - set(defined) == set()


def test_every_label_asked_for_is_one_that_its_series_have(
    queries: list[str], defined: dict[str, set[str]]
) -> None:
    for query in queries:
        known = ADDED.union(*(defined[name] for name, _ in asked(query)), {"alertname"})
        for _, selector in asked(query):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= known, query
        for grouping in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
            labels = {label.strip() for label in grouping.split(",") if label.strip()}
            assert labels <= known, query


def test_every_query_asks_every_series(queries: list[str]) -> None:
    """The two tests above would pass over a query that they cannot read."""
    for query in queries:
        assert list(asked(query)) or "ALERTS" in query, query


def test_the_dashboard_shows_every_metric_of_the_service(
    shown: list[str], rules: list[dict[str, Any]], defined: dict[str, set[str]]
) -> None:
    def names(queries: list[str]) -> set[str]:
        return {re.sub(r"_(bucket|count|sum)$", "", name) for q in queries for name, _ in asked(q)}

    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in defined if name.startswith("danshi_")
    }
    assert ours - names(shown) == set()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    alerted = names([rule["expr"] for rule in rules])
    assert recorded - names(shown) - alerted == set()


def test_requests_are_counted_on_every_route_that_answers_texts(queries: list[str]) -> None:
    routes = create_app(Settings()).routes
    answering = {r.path for r in routes if isinstance(r, APIRoute) and "POST" in (r.methods or ())}
    selected = [
        set(found.split("|"))
        for query in queries
        for _, selector in asked(query)
        for found in re.findall(r'route=~?"([^"]*)"', selector)
    ]
    assert len(selected) > 20
    assert all(found == answering for found in selected)


def test_latency_is_shown_as_three_quantiles_of_the_histogram(shown: list[str]) -> None:
    quantiles = {
        match[1]
        for query in shown
        if (match := re.match(r"histogram_quantile\(([\d.]+), .*single_text_duration", query))
    }
    assert quantiles == {"0.5", "0.95", "0.99"}


def test_the_dashboard_is_what_its_code_says(root: Path) -> None:
    """`make dashboard` writes it."""
    done = subprocess.run(
        [sys.executable, "-m", "service.ops.grafana.dashboard", "--print"],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    file = root / "service/ops/grafana/dashboards/danshi.json"
    assert done.stdout == file.read_text(encoding="utf-8")


def test_the_rows_come_in_the_order_of_the_questions(dashboard: dict[str, Any]) -> None:
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert len(rows) == len(ROWS)
    for number, (title, expected) in enumerate(zip(rows, ROWS, strict=True), 1):
        assert title.startswith(f"{number}  {expected}")


def test_every_panel_says_what_question_it_answers(panels: list[dict[str, Any]]) -> None:
    for panel in panels:
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["targets"], panel["title"]


def test_panels_have_their_own_ids_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_asks_the_data_source_that_is_provisioned(
    root: Path, panels: list[dict[str, Any]]
) -> None:
    file = root / "service/ops/grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]
    asked_for = {t["datasource"]["uid"] for p in panels for t in p["targets"]}
    assert asked_for == {source["uid"]}


def test_prometheus_scrapes_the_service_by_the_name_that_compose_gives_it(root: Path) -> None:
    config = yaml.safe_load((root / "service/ops/prometheus.yml").read_text(encoding="utf-8"))
    services = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (discovery,) = jobs["danshi"]["dns_sd_configs"]
    assert set(discovery["names"]) <= set(services)
    assert services["api"]["ports"][0].endswith(f":{discovery['port']}")


def test_prometheus_reads_the_rules_that_compose_mounts(root: Path) -> None:
    config = yaml.safe_load((root / "service/ops/prometheus.yml").read_text(encoding="utf-8"))
    services = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    mounts = dict(mount.split(":")[:2] for mount in services["prometheus"]["volumes"])
    for name in config["rule_files"]:
        assert mounts[f"./service/ops/{name}"] == f"/etc/prometheus/{name}"
