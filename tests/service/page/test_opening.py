"""A file until it runs: what is opened, and what there is to send."""

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.service.page.support import OpenPage, choose, table
from tests.service.support import RunningApp

pytestmark = pytest.mark.slow

BATCH = """async ([main, texts]) => {
  const at = (name) => new URL(name, new URL(main, location));
  const { Batch } = await import(at("batch.js"));
  const { getModel } = await import(at("api.js"));
  const batch = new Batch(texts, (await getModel()).limits, {});
  setTimeout(() => batch.cancel(), 5000);
  await batch.run();
  return [batch.finished, batch.results.map((result) => result.error.status)];
}"""


@pytest.fixture
def page(open_page: OpenPage, app: RunningApp) -> Page:
    return open_page(app.url, "/#file")


def test_names_of_columns_without_rows_are_not_sent(page: Page) -> None:
    choose(page, "names.csv", table(["text", "stars"]))
    expect(page.locator(".setup")).to_contain_text("There are no rows under the names")
    expect(page.get_by_role("button", name="Classify 0 texts")).to_be_disabled()


def test_a_row_that_is_taken_for_names_can_be_taken_back(page: Page) -> None:
    choose(page, "one.csv", table(["很好吃，但是太贵了。", "4"]))
    box = page.get_by_label("The first row holds the names")
    box.check()
    expect(box).to_be_focused()
    expect(box).to_have_accessible_description("There are no rows under the names of the columns.")
    expect(page.get_by_role("button", name="Classify 0 texts")).to_be_disabled()
    box.uncheck()
    page.get_by_role("button", name="Classify 1 texts").click()
    expect(page.locator(".told")).to_contain_text("All 1 texts in")


@pytest.mark.parametrize(("texts", "requests"), [([], 0), (["a"], 1), (["a", "b", "c"], 4)])
def test_what_is_refused_is_cut_down_to_single_texts_and_no_further(
    page: Page, texts: list[str], requests: int
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.method)
        route.fulfill(status=422, json={"status": 422, "detail": "No."})

    page.route("**/v1/classify", refuse)
    main = page.locator("script[type=module]").get_attribute("src")
    assert page.evaluate(BATCH, [main, texts]) == [True, [422] * len(texts)]
    assert len(asked) == requests


def test_an_array_of_very_many_records_is_opened(page: Page) -> None:
    choose(page, "many.json", json.dumps([{"text": "很好", "n": 1}] * 200_000))
    expect(page.locator(".setup")).to_contain_text("Rows: 200,000. Columns: 2.", timeout=20_000)
