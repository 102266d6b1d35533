"""For everyone: axe-core finds nothing, on phone and desktop, in both languages, light and dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.service.page.support import DESKTOP, PHONE, OpenPage
from tests.service.support import Process

pytestmark = pytest.mark.slow

LOOKS: dict[str, dict[str, Any]] = {
    "desktop, English, light": {**DESKTOP, "locale": "en-US", "color_scheme": "light"},
    "phone, Chinese, dark": {**PHONE, "locale": "zh-CN", "color_scheme": "dark"},
    "phone, English, light": {**PHONE, "locale": "en-US", "color_scheme": "light"},
    "desktop, Chinese, dark": {**DESKTOP, "locale": "zh-CN", "color_scheme": "dark"},
}
ROWS = "很好吃，但是太贵了。\n不好。\n\u200b\n明天去。\n很好。\n"


def states(page: Page) -> Iterator[str]:
    """Everything that the page can show, one after the other."""
    yield "at first"
    page.locator("#one-form button").click()
    page.get_by_role("alert").wait_for()
    yield "a problem"
    page.locator("#one-examples button").last.click()
    page.locator("#one-result .result").wait_for()
    yield "a long answer"
    page.locator("#one-examples button").nth(1).click()
    page.locator("#one-result .clause").nth(1).wait_for()
    page.locator("[data-copies=curl]").click()
    yield "an answer"
    page.locator("#tab-two").click()
    page.locator("#two-examples button").first.click()
    page.locator("#two-result .result").nth(1).wait_for()
    yield "a comparison"
    page.locator("#two-b").fill("\u200b")
    page.locator("#two-form button").click()
    page.locator(".refused").wait_for()
    yield "a comparison that one text is missing from"
    page.locator("#tab-file").click()
    yield "no file"
    page.locator("#file-input").set_input_files(
        {"name": "t.txt", "mimeType": "text/plain", "buffer": ROWS.encode()}
    )
    page.locator(".setup").wait_for()
    yield "a file"
    page.locator("#file-input").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": b"text"}
    )
    page.locator("#file-rowless").wait_for()
    yield "a file without rows"
    page.locator("#file-input").set_input_files(
        {"name": "t.txt", "mimeType": "text/plain", "buffer": ROWS.encode()}
    )
    page.locator(".setup button.main").click()
    page.locator(".actions button.main").wait_for()
    page.locator(".read").first.click()
    page.locator("tr.whole .clause").first.wait_for()
    yield "a table"


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_violation(open_page: OpenPage, server: Process, look: str) -> None:
    page = open_page(server.url, **LOOKS[look])
    for state in states(page):
        page.wait_for_timeout(400)  # colours may be on their way
        found = Axe().run(page)
        assert found.violations_count == 0, f"{state}: {found.generate_report()}"


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_sticks_out_of_a_small_screen(
    open_page: OpenPage, server: Process, width: int
) -> None:
    page = open_page(server.url, **{**PHONE, "viewport": {"width": width, "height": 800}})
    for state in states(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
