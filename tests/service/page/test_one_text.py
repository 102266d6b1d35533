"""One text, as a person asks for it and looks at the answer."""

import json
import re
import subprocess
import sys
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from tests.service.page.support import CLIPBOARD, PHONE, SEED, TURN, OpenPage, ask, copied
from tests.service.support import Process

pytestmark = pytest.mark.slow

LABELS = {"positive": "Positive", "neutral": "Neutral", "negative": "Negative", "mixed": "Mixed"}


@pytest.fixture
def page(open_page: OpenPage, server: Process) -> Page:
    return open_page(server.url, **CLIPBOARD)


def answer(client: httpx.Client, text: str) -> Any:
    return client.post("/v1/classify", json={"text": text}).json()


def percent(score: float) -> str:
    return f"{int(score * 100 + 0.5)}%"


def test_the_first_example_is_the_seed_sentence_and_a_click_reads_it(page: Page) -> None:
    page.get_by_role("list").get_by_role("button").first.click()
    expect(page.get_by_label("A Chinese review")).to_have_value(SEED)
    expect(page.locator(".result .clause")).to_have_count(2)


def test_the_answer_shows_label_scores_side_and_gauge(page: Page, client: httpx.Client) -> None:
    ask(page, TURN)
    said = answer(client, TURN)
    card = page.locator(".result")
    expect(card.locator(".verdict")).to_contain_text(LABELS[said["label"]])
    expect(card.locator(".verdict")).to_contain_text("The unfavourable side wins slightly.")
    expect(card.locator(".gauge .value")).to_contain_text(f"−{abs(said['polarity']):.2f}")
    for label, score in said["scores"].items():
        row = card.locator(".figures .bars > div", has_text=LABELS[label])
        expect(row.locator(".figure")).to_have_text(percent(score))
        rail, bar = (row.locator(part).bounding_box() for part in (".rail", ".bar"))
        assert rail is not None
        assert bar is not None
        assert bar["width"] == pytest.approx(max(rail["width"] * score, 2), abs=1.5)


def test_the_needle_stands_where_the_polarity_is(page: Page, client: httpx.Client) -> None:
    ask(page, TURN)
    track, needle = (page.locator(part).bounding_box() for part in (".track", ".needle"))
    assert track is not None
    assert needle is not None
    place = (needle["x"] + needle["width"] / 2 - track["x"]) / track["width"]
    assert place == pytest.approx((answer(client, TURN)["polarity"] + 1) / 2, abs=0.02)


def test_each_clause_has_its_colour_and_a_sign_as_well(page: Page) -> None:
    ask(page, TURN)
    first, second = page.locator(".clause").all()
    looks = [
        clause.evaluate(
            "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderBottomStyle,"
            " getComputedStyle(e, '::before').content]"
        )
        for clause in (first, second)
    ]
    for one, other in zip(*looks, strict=True):
        assert one != other
    assert "＋" in looks[0][2]
    assert "−" in looks[1][2]


def test_the_turning_word_is_marked_and_joined_to_what_it_turns(page: Page) -> None:
    ask(page, TURN)
    expect(page.locator(".clause mark")).to_have_text("但是")
    page.locator(".links path.contrast").wait_for(state="attached")
    ends = page.evaluate(
        """() => {
          const path = document.querySelector(".links path.contrast");
          const at = (length) => path.getPointAtLength(length).matrixTransform(path.getScreenCTM());
          const inside = (point, selector) => {
            const box = document.querySelector(selector).getBoundingClientRect();
            return point.x > box.left && point.x < box.right && Math.abs(point.y - box.top) < 8;
          };
          return [inside(at(0), "mark"), inside(at(path.getTotalLength()), ".clause")];
        }"""
    )
    assert ends == [True, True]


def test_the_joining_line_follows_when_the_text_wraps_anew(page: Page) -> None:
    ask(page, TURN)
    line = page.locator(".links path.contrast")
    before = line.get_attribute("d")
    page.set_viewport_size({"width": 360, "height": 800})
    expect(line).not_to_have_attribute("d", str(before))


def test_pointing_at_a_clause_shows_its_scores(page: Page, client: httpx.Client) -> None:
    ask(page, TURN)
    detail = page.locator(".detail")
    expect(detail).to_contain_text("“但是” turns against “房间很干净，”")
    page.locator(".clause").first.hover()
    expect(detail.locator(".quote")).to_have_text("房间很干净，")
    score = answer(client, TURN)["clauses"][0]["scores"]["positive"]
    expect(detail.locator(".figure").first).to_have_text(percent(score))


def test_a_tap_on_a_clause_shows_its_scores(open_page: OpenPage, server: Process) -> None:
    page = open_page(server.url, **PHONE)
    page.get_by_label("A Chinese review").fill(TURN)
    page.get_by_role("button", name="Read it").tap()
    page.locator(".clause").first.tap()
    expect(page.locator(".detail .quote")).to_have_text("房间很干净，")


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(2):  # the tabs are one stop, then the text
        page.keyboard.press("Tab")
    expect(page.get_by_label("A Chinese review")).to_be_focused()
    page.keyboard.insert_text(TURN)
    page.keyboard.press("Control+Enter")
    page.locator(".result").wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.clause')"):
            break
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".clause").first).to_be_focused()
    expect(page.locator(".detail .quote")).to_have_text("房间很干净，")


def test_a_screen_reader_hears_the_answer_and_each_clause(page: Page) -> None:
    ask(page, TURN)
    expect(page.locator("#status")).to_contain_text("The unfavourable side wins slightly.")
    clause = page.get_by_role("option").nth(1)
    expect(clause).to_have_attribute(
        "aria-label",
        re.compile(r"但是隔音太差了。 Negative \d+%. “但是” turns against “房间很干净，”"),
    )


def test_a_long_review_says_how_many_windows_it_took(page: Page, client: httpx.Client) -> None:
    text = "房间很干净，服务也热情，但是隔音太差了，半夜还能听到走廊里的说话声。" * 30
    ask(page, text)
    count = answer(client, text)["windows"]
    assert count > 1
    expect(page.locator(".windows")).to_contain_text(f"read to its end in {count} windows")


@pytest.mark.parametrize(
    "text", ["👍🏻房间很干净😀，但是隔音太差了𠮷。", "  好吃，\n\n可是　贵！ "]
)
def test_clauses_are_cut_where_the_service_cuts_them(
    page: Page, client: httpx.Client, text: str
) -> None:
    ask(page, text)
    said = [clause["text"] for clause in answer(client, text)["clauses"]]
    assert page.locator(".clause").evaluate_all("e => e.map(x => x.textContent)") == said
    assert page.locator(".clauses").evaluate("e => e.textContent") == text


def test_markup_in_a_text_is_only_text(page: Page) -> None:
    ask(page, "<img src=x onerror=alert(1)>很好，但是<b>太贵</b>了")
    expect(page.locator(".clauses")).to_contain_text("<b>太贵</b>")
    assert page.locator(".result img, .result b").count() == 0


QUOTES = """老板说"没问题"，但是it's坏的\\n$HOME `id`"""


def test_the_copied_curl_asks_exactly_the_same(page: Page, client: httpx.Client) -> None:
    ask(page, QUOTES)
    command = copied(page, "Copy as curl")
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout) == answer(client, QUOTES)


def test_the_copied_python_asks_exactly_the_same(page: Page, client: httpx.Client) -> None:
    ask(page, QUOTES)
    program = copied(page, "Copy as Python")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=30
    )
    assert json.loads(done.stdout) == answer(client, QUOTES)


def test_a_link_reopens_the_text_and_no_log_sees_it(
    page: Page, open_page: OpenPage, server: Process
) -> None:
    text = "链接里的话不进日志，但是页面认得它 & 100%。"
    ask(page, text)
    link = copied(page, "Copy link to this")
    reopened = open_page(server.url, link.removeprefix(server.url))
    expect(reopened.get_by_label("A Chinese review")).to_have_value(text)
    expect(reopened.locator(".clause").first).to_have_text("链接里的话不进日志，")
    assert "GET / 200" in server.log()
    assert "链接" not in server.log()
    assert "%E9%93%BE" not in server.log()


def test_the_browsers_language_decides_until_one_is_chosen(
    open_page: OpenPage, server: Process
) -> None:
    page = open_page(server.url, locale="zh-CN")
    expect(page.get_by_role("button", name="分析")).to_be_visible()
    page.get_by_role("list").get_by_role("button").nth(1).click()
    expect(page.locator(".verdict")).to_contain_text("差评略占上风。")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".verdict")).to_contain_text("The unfavourable side wins slightly.")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    expect(page.get_by_role("button", name="Read it")).to_be_visible()


def test_both_languages_have_the_same_words(page: Page) -> None:
    base = page.locator("script[type=module]").get_attribute("src")
    english, chinese = page.evaluate(
        """async (main) => {
          const at = (name) => new URL(name, new URL(main, location));
          const load = async (name) => (await import(at(name))).default;
          return [await load("en.js"), await load("zh.js")];
        }""",
        base,
    )
    assert english.keys() == chinese.keys()
    for key, words in english.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", chinese[key])), key


def test_the_page_does_not_jump_from_clause_to_clause(page: Page) -> None:
    ask(page, TURN)
    heights = set()
    for clause in page.locator(".clause").all():
        clause.hover()
        heights.add(page.evaluate("document.documentElement.scrollHeight"))
    assert len(heights) == 1
