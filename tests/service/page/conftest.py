"""One Chromium a module, fresh pages a test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.service.page.support import OpenPage, chromium, pages


# Not for the session: while it lives, this thread has a running event loop, which tests
# elsewhere start themselves.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    with pages(browser) as open_page:
        yield open_page
