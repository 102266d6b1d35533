"""What gets installed: little for serving, the rest for training, the same releases everywhere."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_serving_needs_no_training_library(project: dict[str, Any]) -> None:
    core = {name_of(r) for r in project["dependencies"]}
    assert core.isdisjoint({"torch", "transformers", "accelerate", "onnx", "datasets", "pandas"})


def test_every_requirement_has_a_lower_bound(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"].values()
    for requirement in [*project["dependencies"], *(r for extra in extras for r in extra)]:
        assert ">=" in requirement, requirement


def test_every_requirement_but_torch_is_pinned_in_the_constraints(
    root: Path, project: dict[str, Any]
) -> None:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name_of(line) for line in lines if re.fullmatch(r"[\w.-]+==[\w.]+", line)}
    extras = project["optional-dependencies"].values()
    needed = {
        name_of(r) for r in [*project["dependencies"], *(r for extra in extras for r in extra)]
    }
    assert needed - pinned == {"torch"}


def outside(root: Path, folder: str) -> dict[str, Path]:
    """Every foreign package that the files of a folder import, and one file that does."""
    ours = {"danshi", "service", "models", "training", "tests"} | sys.stdlib_module_names
    return {
        name: source
        for source in sorted((root / folder).rglob("*.py"))
        # Its code writes the dashboard, and runs in no service.
        if folder == "service/ops" or not source.is_relative_to(root / "service/ops")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        if (name := module.split(".")[0]) not in ours
    }


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("service", ("parquet", "trace")),
        ("service/ops", ("dev",)),
        ("models", ("openvino",)),
        ("training", ("train",)),
        ("tests", ("train", "trace", "dev", "openvino")),
    ],
)
def test_what_is_imported_is_declared(
    root: Path, project: dict[str, Any], folder: str, extras: tuple[str, ...]
) -> None:
    """A package that is there only because another needs it may be gone tomorrow."""
    lists = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
    declared = {name_of(r) for requirements in lists for r in requirements}
    declared.add("pydantic-core")  # pydantic pins it exactly
    homes = packages_distributions()
    for name, source in outside(root, folder).items():
        if source.match("tests/benchmarks/peers/*.py"):
            continue  # they run in environments of their own
        if source.match("models/network.py"):
            continue  # the training's file in models/, never imported by the service
        homes_of = {name_of(home) for home in homes.get(name, [name])}
        assert homes_of & declared, f"{source} imports {name}, which no list names"
