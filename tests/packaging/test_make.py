"""The Makefile and what continuous integration makes of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from models.processor import cpu_features

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """As after a clone: the files that the Makefile looks at, and no environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def make(*args: str, at: Path) -> subprocess.CompletedProcess[str]:
    # The tests may themselves run under make, whose flags are not for this one.
    env = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(
        ["make", *args], cwd=at, env=env, capture_output=True, text=True, timeout=60
    )


def test_serving_installs_no_torch(checkout: Path) -> None:
    plan = make("--dry-run", "serve", at=checkout).stdout
    assert "--editable '." in plan
    assert "danshi serve --port 8000" in plan
    assert "torch" not in plan
    assert "[train]" not in plan


def test_openvino_is_installed_where_the_processor_gains_from_it(checkout: Path) -> None:
    plan = make("--dry-run", "serve", at=checkout).stdout
    assert ("[openvino]" in plan) == ("amx_bf16" in cpu_features())


def test_the_port_is_an_argument(checkout: Path) -> None:
    assert "danshi serve --port 9001" in make("--dry-run", "serve", "PORT=9001", at=checkout).stdout


def test_testing_installs_torch_before_what_depends_on_it(checkout: Path) -> None:
    plan = make("--dry-run", "test", at=checkout).stdout
    assert plan.index("torch==") < plan.index("[train]") < plan.index("pytest")


def test_training_passes_its_arguments_on(checkout: Path) -> None:
    plan = make("--dry-run", "train", "ARGS=--data my.csv", at=checkout).stdout
    assert "danshi train --data my.csv" in plan
    assert "dev]" not in plan


def test_a_second_start_installs_nothing(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    for layer in (".created", ".serve"):
        (checkout / ".venv" / layer).touch()
    plan = make("--dry-run", "serve", at=checkout).stdout.splitlines()
    assert len(plan) == 1
    assert "danshi serve" in plan[0]


def test_new_lists_install_again(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    for layer in (".created", ".serve"):
        (checkout / ".venv" / layer).touch()
        os.utime(checkout / ".venv" / layer, (0, 0))
    assert "install" in make("--dry-run", "serve", at=checkout).stdout


def test_an_old_python_is_refused_with_a_sentence(checkout: Path) -> None:
    done = make("serve", "PYTHON=false", at=checkout)
    assert done.returncode != 0
    assert "Danshi needs Python 3.11 or newer" in done.stderr


def test_a_python_without_venv_is_refused_with_a_sentence(checkout: Path) -> None:
    # Debian's python3 as it comes: the version is right, `import ensurepip` fails.
    python = checkout / "python3"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    done = make("serve", f"PYTHON={python}", at=checkout)
    assert done.returncode != 0
    assert "apt-get install python3-venv" in done.stderr


def test_make_alone_says_what_there_is(checkout: Path) -> None:
    said = make(at=checkout).stdout
    for target in ("serve", "test", "train", "lint", "image-test", "dashboard", "clean"):
        assert f"make {target}" in said


def test_continuous_integration_runs_what_a_developer_runs(root: Path) -> None:
    script = root / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    assert lines.index("make lint") < lines.index("make test") < lines.index("make image-test")
