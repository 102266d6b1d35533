"""A file until it runs: what is opened, and what there is to send."""

import json

import pytest
from playwright.sync_api import Page, Route, expect

from tests.service.page.support import OpenPage, choose, table
from tests.service.support import ObedientEngine, RunningApp

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


# `await pass("a.txt")` lets the page read that file, which waits until then.
SLOW_DISK = """() => {
  const read = Blob.prototype.arrayBuffer;
  const waiting = {};
  Blob.prototype.arrayBuffer = function () {
    return new Promise((resolve) => {
      waiting[this.name] = () => resolve(read.call(this));
    });
  };
  window.pass = async (name) => {
    waiting[name]();
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
}"""


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


def test_a_file_that_is_read_late_does_not_replace_the_one_opened_after_it(
    page: Page, engine: ObedientEngine
) -> None:
    page.evaluate(SLOW_DISK)
    choose(page, "old.csv", table(["id", "text"], ["1", "旧文件很大。"]))
    choose(page, "new.csv", table(["no", "text"], ["2", "新文件很小。"]))
    page.evaluate("pass('new.csv')")
    engine.hold()
    page.get_by_role("button", name="Classify 1 texts").click()
    page.evaluate("pass('old.csv')")
    engine.release()
    expect(page.locator(".told")).to_contain_text("All 1 texts in")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 1 rows as CSV").click()
    assert download.value.suggested_filename == "new.danshi.csv"
    assert "新文件很小。" in download.value.path().read_text(encoding="utf-8")
    expect(page.locator("#file-notice")).to_be_hidden()


def test_what_is_wrong_with_a_file_is_not_said_of_the_one_opened_after_it(page: Page) -> None:
    page.evaluate(SLOW_DISK)
    choose(page, "old.jsonl", "{")
    choose(page, "new.txt", "很好")
    page.evaluate("pass('new.txt')")
    page.evaluate("pass('old.jsonl')")
    expect(page.get_by_role("heading", name="new.txt")).to_be_visible()
    expect(page.locator("#file-notice")).to_be_hidden()


def test_a_start_that_waits_for_the_service_does_not_start_another_file(page: Page) -> None:
    held: list[Route] = []
    page.route("**/v1/model", lambda route: held.append(route))
    page.reload()
    choose(page, "old.txt", "一\n二\n三")
    page.get_by_role("button", name="Classify 3 texts").click()
    page.get_by_role("button", name="Another file").click()
    choose(page, "new.txt", "很好")
    page.get_by_role("button", name="Classify 1 texts").wait_for()
    for route in held:
        route.continue_()
    expect(page.locator("#model")).to_contain_text("obedient")
    expect(page.locator(".run")).to_have_count(0)
    page.get_by_role("button", name="Classify 1 texts").click()
    expect(page.locator(".told")).to_contain_text("All 1 texts in")
