"""Chromium as a person uses it, and what its page must never do."""

import csv
import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.service.support import ObedientEngine, RunningApp, metric

SEED = "这部电影不坏，但也不算特别好。"
TURN = "房间很干净，但是隔音太差了。"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}

# Answers that are no success are part of some tests; everything else that is logged is a fault.
_HARMLESS = "Failed to load resource"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}
# Still pages, so that a place that is measured is the place where a thing stays.
DEFAULTS = {"locale": "en-US", "reduced_motion": "reduce", **DESKTOP}

OpenPage = Callable[..., Page]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, with a profile of its own."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("These tests need Chromium: `make programs`, or name one in CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def pages(browser: Browser) -> Iterator[OpenPage]:
    """A function that opens pages; at the end they must not have complained, nor gone abroad."""
    faults: list[str] = []
    contexts = []

    def open_page(url: str, path: str = "/", **options: object) -> Page:
        home = urlsplit(url).netloc

        def hear(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"} and not message.text.startswith(_HARMLESS):
                faults.append(f"{message.type}: {message.text}")

        def watch(request: Request) -> None:
            if request.url.startswith("http") and urlsplit(request.url).netloc != home:
                faults.append(f"asked another host: {request.url}")

        context = browser.new_context(**{**DEFAULTS, **options})  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", watch)
        page.goto(url + path)
        return page

    try:
        yield open_page
    finally:
        for context in contexts:
            context.close()
    assert faults == []


def send(page: Page, text: str) -> None:
    """Type a text and send it off."""
    page.get_by_label("A Chinese review").fill(text)
    page.get_by_role("button", name="Read it").click()


def copied(page: Page, button: str) -> str:
    """What a button puts on the clipboard."""
    page.get_by_role("button", name=button).click()
    expect(page.locator("#status")).to_have_text("Copied ✓")
    return str(page.evaluate("navigator.clipboard.readText()"))


def ask(page: Page, text: str) -> None:
    """The same, and wait for the answer."""
    send(page, text)
    page.locator(".result").wait_for()


def table(*rows: list[str], delimiter: str = ",") -> str:
    """What a spreadsheet saves."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def choose(page: Page, name: str, content: bytes | str) -> None:
    """Open a file of this name and content."""
    data = content.encode() if isinstance(content, str) else content
    page.get_by_label("Choose a file").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": data}
    )


@contextmanager
def full_queue(app: RunningApp, engine: ObedientEngine) -> Iterator[None]:
    """While this lasts, the queue of `app`, 1000 tokens, takes no request of 100 more."""

    def others(texts: int) -> None:
        with app.client() as client:
            client.post("/v1/classify", json={"texts": ["好吃" * 40] * texts})

    engine.hold()
    threads = [threading.Thread(target=others, args=(texts,)) for texts in (3, 11)]
    threads[0].start()
    assert engine.entered.wait(30)
    threads[1].start()
    with app.client() as client:
        deadline = time.monotonic() + 30
        while metric(client, "danshi_queue_tokens") < 900:
            assert time.monotonic() < deadline
    yield
    engine.release()
    for thread in threads:
        thread.join(30)
