"""What Prometheus and Grafana ask for is what the service counts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from service.metrics import Metrics

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}
# Labels that a sample gets besides those that the service gives it.
ADDED = {"le", "job", "instance"}


@pytest.fixture(scope="module")
def dashboard(root: Path) -> dict[str, Any]:
    file = root / "service/ops/grafana/dashboards/danshi.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def queries(dashboard: dict[str, Any]) -> list[str]:
    return [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]


@pytest.fixture(scope="module")
def defined() -> dict[str, set[str]]:
    """The series that the service exposes, with their labels."""
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
    return found


def asked(query: str) -> Iterator[tuple[str, str]]:
    """Every series that a query names, with its selector."""
    yield from re.findall(r"\b((?:danshi|process|python)_\w+|up)\b(?:\{([^}]*)\})?", query)


def test_every_series_in_the_dashboard_is_one_that_the_service_exposes(
    queries: list[str], defined: dict[str, set[str]]
) -> None:
    names = {name for query in queries for name, _ in asked(query)}
    assert names - set(defined) == set()


def test_every_label_in_the_dashboard_is_one_that_its_series_have(
    queries: list[str], defined: dict[str, set[str]]
) -> None:
    for query in queries:
        known = ADDED.union(*(defined[name] for name, _ in asked(query)))
        for _, selector in asked(query):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= known, query
        for grouping in re.findall(r"\bby \(([^)]*)\)", query):
            assert {label.strip() for label in grouping.split(",")} <= known, query


def test_the_dashboard_shows_every_metric_of_the_service(
    queries: list[str], defined: dict[str, set[str]]
) -> None:
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for q in queries for name, _ in asked(q)}
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in defined if name.startswith("danshi_")
    }
    assert ours - shown == set()


def test_latency_is_shown_as_three_quantiles_of_the_histogram(queries: list[str]) -> None:
    quantiles = {
        match[1]
        for query in queries
        if (match := re.match(r"histogram_quantile\(([\d.]+), .*request_duration", query))
    }
    assert quantiles == {"0.5", "0.95", "0.99"}


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
    root: Path, dashboard: dict[str, Any]
) -> None:
    file = root / "service/ops/grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]
    asked_for = {t["datasource"]["uid"] for p in dashboard["panels"] for t in p["targets"]}
    assert asked_for == {source["uid"]}


def test_prometheus_scrapes_the_service_by_the_name_that_compose_gives_it(root: Path) -> None:
    config = yaml.safe_load((root / "service/ops/prometheus.yml").read_text(encoding="utf-8"))
    services = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (discovery,) = jobs["danshi"]["dns_sd_configs"]
    assert set(discovery["names"]) <= set(services)
    assert services["api"]["ports"][0].endswith(f":{discovery['port']}")
