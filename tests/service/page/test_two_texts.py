"""Two texts side by side: what does 但是 change?"""

import json
import subprocess

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from tests.service.page.support import CLIPBOARD, OpenPage, copied
from tests.service.support import Process

pytestmark = pytest.mark.slow

FIRST, SECOND = "隔音太差了，但是房间很干净。", "房间很干净，但是隔音太差了。"


@pytest.fixture
def page(open_page: OpenPage, server: Process) -> Page:
    page = open_page(server.url, **CLIPBOARD)
    page.get_by_role("tab", name="Compare two").click()
    return page


def compare(page: Page) -> None:
    page.get_by_label("First text").fill(FIRST)
    page.get_by_label("Second text").fill(SECOND)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator(".result")).to_have_count(2)


def test_both_answers_stand_side_by_side(page: Page) -> None:
    compare(page)
    left, right = (card.bounding_box() for card in page.locator(".result").all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]


def test_the_change_is_said_in_words(page: Page) -> None:
    compare(page)
    change = page.locator(".change")
    expect(change).to_contain_text("Both are “Mixed”.")
    expect(change).to_contain_text("Polarity moves towards unfavourable")
    expect(change).to_contain_text("That turns it around: The unfavourable side wins")


def test_an_example_asks_for_both(page: Page) -> None:
    page.get_by_role("button", name="With and without “but”").click()
    expect(page.locator(".result")).to_have_count(2)
    expect(page.locator(".result mark")).to_have_text(["但是"])


def test_what_is_copied_asks_for_both(page: Page, client: httpx.Client) -> None:
    compare(page)
    command = copied(page, "Copy as curl")
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)
    asked = client.post("/v1/classify", json={"texts": [FIRST, SECOND]}).json()
    assert [r["label"] for r in json.loads(done.stdout)["results"]] == [
        r["label"] for r in asked["results"]
    ]


def test_a_link_reopens_both(page: Page, open_page: OpenPage, server: Process) -> None:
    compare(page)
    link = copied(page, "Copy link")
    reopened = open_page(server.url, link.removeprefix(server.url))
    expect(reopened.get_by_label("Second text")).to_have_value(SECOND)
    expect(reopened.locator(".result")).to_have_count(2)


def test_one_text_alone_cannot_be_compared(page: Page) -> None:
    page.get_by_label("First text").fill(FIRST)
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Both texts are needed")
    expect(page.get_by_label("Second text")).to_be_focused()


@pytest.mark.parametrize(
    ("first", "second", "places"),
    [(FIRST, "\u200b", ["Second text"]), ("\u200b", "\u200b", ["First text", "Second text"])],
)
def test_a_text_that_is_refused_is_explained_in_its_place(
    page: Page, first: str, second: str, places: list[str]
) -> None:
    page.get_by_label("First text").fill(first)
    page.get_by_label("Second text").fill(second)
    page.get_by_role("button", name="Compare", exact=True).click()
    said = "They cannot be compared: not both could be read."
    expect(page.locator(".change")).to_have_text(said)
    expect(page.locator("#status")).to_have_text(said)
    expect(page.locator(".result")).to_have_count(2)
    refused = page.locator(".result", has_text="There is no text here.")
    expect(refused.get_by_role("heading")).to_have_text(places)
    expect(page.get_by_role("alert")).to_have_count(0)
