"""Rules and alerts, as Prometheus's own promtool sees them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.errors import problem_types
from service.metrics import CONFIDENCE_BINS, SLO_SECONDS, Metrics


@pytest.fixture(scope="module")
def ops(root: Path) -> Path:
    return root / "service" / "ops"


@pytest.fixture(scope="module")
def alerts(ops: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((ops / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str, given: str | None = None) -> str:
    """What promtool says; it must not complain."""
    done = subprocess.run(
        ["promtool", *arguments], input=given, capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_configuration_with_its_rules_is_valid(ops: Path) -> None:
    assert "SUCCESS" in promtool("check", "config", str(ops / "prometheus.yml"))


@pytest.mark.parametrize("name", ["model", "presence", "promises", "saturation"])
def test_alerts_are_silent_until_they_should_fire(ops: Path, name: str) -> None:
    promtool("test", "rules", str(ops / "tests" / f"{name}.yml"))


def test_every_alert_has_a_test_that_it_is_silent_and_one_that_it_fires(
    ops: Path, alerts: list[dict[str, Any]]
) -> None:
    silent: set[str] = set()
    firing: set[str] = set()
    files = sorted((ops / "tests").glob("*.yml"))
    assert [file.stem for file in files] == ["model", "presence", "promises", "saturation"]
    for file in files:
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for check in test.get("promql_expr_test", ()):
                for name in re.findall(r'alertname=~?"([\w|]+)"', check["expr"]):
                    (firing if check["exp_samples"] else silent).update(name.split("|"))
    names = {alert["alert"] for alert in alerts}
    assert silent == names
    assert firing == names


def test_promtool_finds_nothing_in_the_names_of_the_metrics() -> None:
    text, _ = Metrics().render("")
    assert promtool("check", "metrics", given=text.decode()).strip() == ""


def test_every_alert_has_its_section_in_the_runbook(
    ops: Path, alerts: list[dict[str, Any]]
) -> None:
    text = (ops / "runbook.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == {alert["alert"] for alert in alerts}
    for alert in alerts:
        page = f"service/ops/runbook.md#{alert['alert'].lower()}"
        assert alert["annotations"]["runbook"] == page
        for part in ("**Means**", "**Look**", "**Do**"):
            assert part in sections[alert["alert"]], alert["alert"]


def test_every_alert_says_whether_it_wakes_somebody(alerts: list[dict[str, Any]]) -> None:
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert alert["annotations"]["summary"]


def test_the_rules_and_the_service_promise_the_same(ops: Path) -> None:
    rules = (ops / "rules.yml").read_text(encoding="utf-8")
    edges = set(re.findall(r'single_text_duration_seconds_bucket\{le="([\d.]+)"\}', rules))
    assert edges == {str(SLO_SECONDS)}


def test_the_rules_count_as_failed_what_the_service_did_not_answer(ops: Path) -> None:
    # As text-embeddings-inference, /predict has a 424 where the others have a 500.
    failing = {424, 429, *(kind.status for kind in problem_types() if kind.status >= 500)}
    codes = {200, 424, 499, *(kind.status for kind in problem_types())}
    for name in ("rules.yml", "alerts.yml"):
        found = re.findall(r'code=~"([^"]*)"', (ops / name).read_text(encoding="utf-8"))
        assert found
        for pattern in found:
            assert {code for code in codes if re.fullmatch(pattern, str(code))} == failing


def test_the_rules_and_the_reference_have_the_same_bins_of_confidence(ops: Path) -> None:
    rules = (ops / "rules.yml").read_text(encoding="utf-8")
    bins = re.findall(r'"bin", "([\d.]+)"', rules)
    assert bins == [str(edge) for edge in CONFIDENCE_BINS]
    text = Metrics().render("")[0].decode()
    for edge in bins:
        assert f'danshi_confidence_bucket{{le="{edge}"}}' in text


def test_every_reason_that_an_alert_names_is_one_that_there_is(ops: Path) -> None:
    reasons = {problem.label() for problem in problem_types()}
    for name in ("rules.yml", "alerts.yml"):
        for found in re.findall(r'reason=~?"([\w|]+)"', (ops / name).read_text(encoding="utf-8")):
            assert set(found.split("|")) <= reasons
