"""What goes wrong is said in plain words, and what passes is tried again."""

import pytest
from playwright.sync_api import Page, expect

from tests.service.page.support import TURN, OpenPage, full_queue, send
from tests.service.support import ObedientEngine, RunningApp

pytestmark = pytest.mark.slow


@pytest.fixture
def page(open_page: OpenPage, app: RunningApp) -> Page:
    return open_page(app.url)


def test_a_text_that_is_too_long_is_refused_with_both_numbers(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    expect(page.locator("#one-count")).to_have_text("0 / 100 characters")
    send(page, "好" * 101)
    expect(page.get_by_role("alert")).to_contain_text("101 characters, and the service takes 100")
    expect(page.locator("#one-count")).to_have_text("101 / 100 characters: too long")
    assert "POST" not in asked


def test_characters_are_counted_as_the_service_counts_them(page: Page) -> None:
    page.get_by_label("A Chinese review").fill("𠮷好👍")
    expect(page.locator("#one-count")).to_have_text("3 / 100 characters")


def test_the_services_own_refusal_is_explained(page: Page) -> None:
    # Of the limits the page knows before; what only the service knows comes as a problem.
    send(page, "\u200b")
    expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_without_a_text_there_is_a_hint_and_the_focus_is_where_to_write(page: Page) -> None:
    page.get_by_role("button", name="Read it").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no text yet")
    expect(page.get_by_label("A Chinese review")).to_be_focused()


def test_a_busy_service_is_tried_again_and_that_is_said(
    page: Page, app: RunningApp, engine: ObedientEngine
) -> None:
    notice = page.locator("#one-notice")
    with full_queue(app, engine):
        send(page, "房" * 98)
        expect(notice).to_contain_text("The service is busy")
        expect(notice).to_contain_text("Trying again in")
    expect(page.locator(".result")).to_be_visible()
    expect(notice).to_be_hidden()


def test_one_can_stop_waiting(page: Page, app: RunningApp, engine: ObedientEngine) -> None:
    with full_queue(app, engine):
        send(page, "房" * 98)
        page.get_by_role("button", name="Stop waiting").click()
        expect(page.locator("#one-notice")).to_be_hidden()


def test_offline_is_said_and_the_answer_comes_when_the_network_does(page: Page) -> None:
    page.context.set_offline(True)
    send(page, TURN)
    expect(page.locator("#one-notice")).to_contain_text("You are offline.")
    page.context.set_offline(False)
    expect(page.locator(".result")).to_be_visible()


def test_a_service_that_has_gone_is_said_to_be_out_of_reach(page: Page, app: RunningApp) -> None:
    app.stop()
    send(page, TURN)
    expect(page.locator("#one-notice")).to_contain_text("The service cannot be reached.")
    expect(page.locator("#one-notice")).to_contain_text("attempt 2 of 6")


def test_a_hint_outlives_the_request_that_it_replaced(page: Page, engine: ObedientEngine) -> None:
    engine.hold()
    send(page, TURN)
    assert engine.entered.wait(30)
    send(page, " ")
    expect(page.get_by_role("button", name="Read it")).not_to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(600)  # longer than it takes until "Reading…" is shown
    expect(page.get_by_role("alert")).to_contain_text("There is no text yet")
