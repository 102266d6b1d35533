"""What the Dockerfile promises of the image, read from the file."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def stages(root: Path) -> list[list[str]]:
    """The instructions of each stage, one a line."""
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    instructions = [line.strip() for line in text.splitlines() if line.strip()]
    starts = [i for i, line in enumerate(instructions) if line.startswith("FROM ")]
    return [instructions[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def only(instructions: list[str], keyword: str) -> str:
    (found,) = [i for i in instructions if i.startswith(f"{keyword} ")]
    return found.removeprefix(f"{keyword} ").strip()


def test_the_last_stage_builds_nothing(stages: list[list[str]]) -> None:
    assert len(stages) == 2
    assert not any("pip" in instruction for instruction in stages[-1])


def test_torch_is_never_named(root: Path) -> None:
    assert "torch" not in (root / "Dockerfile").read_text(encoding="utf-8")


def test_the_service_is_not_root(stages: list[list[str]]) -> None:
    user = only(stages[-1], "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_signals_reach_the_service_because_no_shell_stands_between(
    stages: list[list[str]],
) -> None:
    assert json.loads(only(stages[-1], "ENTRYPOINT")) == ["danshi"]
    assert json.loads(only(stages[-1], "CMD")) == ["serve"]


def test_health_is_readiness(stages: list[list[str]]) -> None:
    options, command = only(stages[-1], "HEALTHCHECK").split("CMD", maxsplit=1)
    assert "--start-period" in options
    assert "/health/ready" in json.loads(command)[-1]


def test_the_runtime_does_not_report_to_its_maker(stages: list[list[str]]) -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in only(stages[-1], "ENV").split()


def test_the_context_lets_in_what_is_copied_and_no_more(
    root: Path, stages: list[list[str]]
) -> None:
    rules = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source.split("/")[0]
        for stage in stages
        for instruction in stage
        if instruction.startswith("COPY ") and "--from" not in instruction
        for source in instruction.split()[1:-1]
    }
    assert "*" in rules
    assert let_in == copied
    assert all((root / name).exists() for name in copied)
