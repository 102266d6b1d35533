"""What docker-compose.yml promises."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_the_api_and_its_eyes_are_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {"api", "prometheus", "grafana"}


def test_every_image_is_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name


def test_the_image_carries_the_version_of_the_package(
    root: Path, services: dict[str, dict[str, Any]]
) -> None:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    version = pyproject["project"]["version"]
    assert services["api"]["image"] == f"danshi:{version}"
    assert services["api"]["build"]["args"]["VERSION"] == version


def test_every_service_has_a_health_check_and_comes_back(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["restart"] == "unless-stopped", name


def test_the_model_is_mounted_read_only_where_the_service_looks(
    services: dict[str, dict[str, Any]],
) -> None:
    (mount,) = services["api"]["volumes"]
    assert mount["source"] == "./models/released"
    assert mount["read_only"] is True
    assert mount["target"] == services["api"]["environment"]["DANSHI_MODEL_DIR"]


def test_the_api_can_write_nowhere_but_in_tmp(services: dict[str, dict[str, Any]]) -> None:
    api = services["api"]
    assert api["read_only"] is True
    assert [mount.split(":")[0] for mount in api["tmpfs"]] == ["/tmp"]
    assert api["cap_drop"] == ["ALL"]
    assert api["security_opt"] == ["no-new-privileges:true"]


def test_only_the_api_is_published_beyond_this_machine(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in set(services) - {"api"}:
        for port in services[name]["ports"]:
            assert port.startswith("127.0.0.1:"), name


def test_grafana_has_no_default_password(root: Path, services: dict[str, dict[str, Any]]) -> None:
    password = services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert password.startswith("${GRAFANA_ADMIN_PASSWORD:?")
    assert "GRAFANA_ADMIN_PASSWORD=" in (root / ".env.example").read_text(encoding="utf-8")


def test_what_is_mounted_from_the_repository_exists(
    root: Path, services: dict[str, dict[str, Any]]
) -> None:
    for service in services.values():
        for mount in service["volumes"]:
            source = mount["source"] if isinstance(mount, dict) else mount.split(":")[0]
            if source.startswith("./"):
                assert (root / source).exists(), source


def config(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """What Debian's docker-compose makes of the file in `folder`."""
    # It is a Python program; the tests' environment is not its own.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GRAFANA_"))}
    return subprocess.run(
        ["docker-compose", "config"],
        cwd=folder,
        env=env | variables,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture
def readable(root: Path, tmp_path: Path) -> Path:
    """The file without the two keys that Debian's version, of 2021, does not know yet."""
    content = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    assert content.pop("name") == "danshi"
    assert content["services"]["api"]["volumes"][0].pop("bind") == {"create_host_path": False}
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


def test_docker_compose_accepts_the_file(readable: Path) -> None:
    done = config(readable, GRAFANA_ADMIN_PASSWORD="secret")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "secret"
    assert services["api"]["healthcheck"]["test"][0] == "CMD"


def test_docker_compose_starts_nothing_without_a_password(readable: Path) -> None:
    done = config(readable)
    assert done.returncode != 0
    assert "set it in the environment or in .env" in done.stderr
