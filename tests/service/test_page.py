"""GET / and its files: headers, caching, size."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from service.page import FOLDER
from tests.service.support import RunningApp, metric

MAX_BYTES = 150_000


@pytest.fixture
def client(app: RunningApp) -> Iterator[httpx.Client]:
    with app.client() as client:
        yield client


def addresses(page: httpx.Response) -> list[str]:
    return re.findall(r'(?:src|href)="(web/[^"]+)"', page.text)


def test_everything_that_the_page_names_is_there(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert len(addresses(page)) >= 5
    for address in addresses(page):
        answer = client.get(f"/{address}")
        assert answer.status_code == 200, address
        assert answer.text == (FOLDER / Path(address).name).read_text(encoding="utf-8")


def test_modules_import_only_files_that_are_there() -> None:
    for module in FOLDER.glob("*.js"):
        for name in re.findall(r'from "([^"]+)"', module.read_text(encoding="utf-8")):
            assert name.startswith("./"), f"{module.name} imports {name}"
            assert (FOLDER / name).is_file(), f"{module.name} imports {name}"


def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<style|<script(?![^>]*src=)|\s(style|on\w+)=|https?://", page.text)


def test_a_browser_keeps_the_files_and_asks_for_the_page(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for address in addresses(page):
        assert "immutable" in client.get(f"/{address}").headers["cache-control"]


def test_a_file_of_another_release_is_not_kept(client: httpx.Client) -> None:
    # While replicas of two releases serve, the page of one may ask the other.
    answer = client.get("/web/0123456789abcdef/main.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


def test_files_are_compressed_for_those_that_take_it(client: httpx.Client) -> None:
    address = f"/{addresses(client.get('/'))[0]}"
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    small = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.content == plain.content
    assert small.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["docs.html", "nothing.js", "..%2Fapp.py", "%2e%2e"])
def test_other_files_are_not_served(client: httpx.Client, name: str) -> None:
    assert client.get(f"/web/0/{name}").status_code == 404


def test_all_files_of_the_page_are_one_route_in_the_metrics(app: RunningApp) -> None:
    with app.client() as client:
        client.get("/web/0/main.js")
        client.get("/web/0/api.js")
        counted = {"route": "/web/{of}/{name}", "code": "200"}
        assert metric(client, "danshi_requests_total", **counted) == 2


def test_the_page_is_not_counted_together_with_the_texts_of_its_path(app: RunningApp) -> None:
    with app.client() as client:
        for _ in range(3):
            client.get("/")
        client.head("/")
        client.post("/", json={"inputs": "很好"})
        client.post("/", json={"inputs": ""})

        def counted(route: str, code: int) -> float:
            return metric(client, "danshi_requests_total", route=route, code=str(code))

        assert (counted("page", 200), counted("page", 405)) == (3, 1)
        assert (counted("/", 200), counted("/", 422), counted("/", 429)) == (1, 1, 0)
        assert metric(client, "danshi_request_duration_seconds_count", route="/") == 2


def test_the_whole_page_is_small() -> None:
    files = [path for path in FOLDER.iterdir() if path.name != "docs.html"]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < 300
