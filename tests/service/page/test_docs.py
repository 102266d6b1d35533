"""/docs, where each path can be tried."""

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.service.page.support import OpenPage
from tests.service.support import RunningApp

pytestmark = pytest.mark.slow


def tried(page: Page, heading: str) -> Locator:
    """The section under this heading, once its Send was pressed."""
    section = page.locator("section", has=page.get_by_role("heading", name=heading, exact=True))
    section.get_by_role("button", name="Send").click()
    return section


@pytest.mark.parametrize("heading", ["POST /", "POST /v1/classify", "GET /v1/model"])
def test_what_is_sent_reaches_its_path(open_page: OpenPage, app: RunningApp, heading: str) -> None:
    page = open_page(app.url, "/docs")
    expect(tried(page, heading)).to_contain_text("200, ")


@pytest.mark.parametrize("heading", ["POST /", "POST /v1/classify"])
def test_what_is_sent_reaches_its_path_behind_a_proxys_prefix(
    open_page: OpenPage, app: RunningApp, heading: str
) -> None:
    def proxy(route: Route) -> None:
        path = route.request.url.removeprefix(f"{app.url}/some/prefix")
        route.fulfill(response=route.fetch(url=app.url + path))

    page = open_page(app.url)
    page.route(f"{app.url}/some/prefix/**", proxy)
    page.goto(f"{app.url}/some/prefix/docs")
    expect(tried(page, heading)).to_contain_text("200, ")
