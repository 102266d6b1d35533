"""The arrow of imports is one way: service → models ← training."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "accelerate", "onnxscript"}
FORBIDDEN = {
    "service": {"training"} | HEAVY,
    "models": {"service", "training"},
    "training": {"service"},
}


def imported(source: Path) -> Iterator[str]:
    """The absolute name of every module that a file imports, wherever in the file it does."""
    package = source.parts[-2]
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ".".join(filter(None, [package if node.level else "", node.module]))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


def top_levels(source: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(source)}


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_package_imports_against_the_arrow(root: Path, package: str) -> None:
    sources = list((root / package).rglob("*.py"))
    assert sources
    wrong = {
        str(source.relative_to(root)): sorted(top_levels(source) & FORBIDDEN[package])
        for source in sources
        if top_levels(source) & FORBIDDEN[package]
    }
    assert wrong == {}


def test_within_models_imports_are_relative(root: Path) -> None:
    """So that `import danshi` can load the folder whatever else is called models."""
    wrong = [
        f"{source.name}: {ast.unparse(node)}"
        for source in (root / "models").rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and not node.level and "models" in str(node.module))
        or (isinstance(node, ast.Import) and ast.unparse(node).startswith("import models"))
    ]
    assert wrong == []


def test_within_models_only_the_network_knows_torch(root: Path) -> None:
    knows = {s.name for s in (root / "models").rglob("*.py") if top_levels(s) & HEAVY}
    assert knows == {"network.py"}


def test_importing_the_service_loads_no_torch() -> None:
    """What the files say is not the whole story: a library may pull torch in by itself."""
    check = f"import sys, service.app; print(*sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_nothing_reports_to_the_maker_of_the_runtime() -> None:
    """ONNX Runtime does, on Linux, unless told otherwise before it is imported."""
    check = "import os, models; print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    env = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "1"


def test_every_command_that_pyproject_announces_exists(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    announced = [*project["scripts"].values()]
    for group in project["entry-points"].values():
        announced += group.values()
    for target in announced:
        module, name = target.split(":")
        tree = ast.parse((root / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        defined = {
            name
            for node in tree.body
            for name in (
                [node.name]
                if isinstance(node, ast.FunctionDef | ast.ClassDef)
                else [t.id for t in node.targets if isinstance(t, ast.Name)]
                if isinstance(node, ast.Assign)
                else []
            )
        }
        assert name in defined, f"{target} is announced, but {module} defines no {name}"
