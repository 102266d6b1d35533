"""A whole file: dropped, run, looked at, taken along."""

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from models.classifier import Classifier
from tests.service.page.support import TURN, OpenPage, choose, full_queue, table
from tests.service.support import ObedientEngine, Process, RunningApp, running

pytestmark = pytest.mark.slow

TEXTS = [
    TURN,
    '老板说"没问题"，\n结果第二天就坏了。',
    "很好吃，分量也足。",
    "明天去，还没用。",
    "便宜,就是慢",
]
MANY = 10_000


@pytest.fixture
def page(open_page: OpenPage, server: Process) -> Page:
    page = open_page(server.url)
    page.get_by_role("tab", name="A whole file").click()
    return page


@pytest.fixture
def fast(classifier: Classifier, engine: ObedientEngine) -> Iterator[RunningApp]:
    """A service whose engine costs nothing, to see what the page itself does."""
    with running(classifier) as app:
        yield app
        engine.release()


def run(page: Page, count: int) -> None:
    page.get_by_role("button", name=f"Classify {count:,} texts").click()
    expect(page.locator(".told")).to_contain_text(f"All {count:,} texts in", timeout=120_000)


def shown(page: Page) -> list[str]:
    return page.locator(".read").all_inner_texts()


def answers(client: httpx.Client, texts: list[str]) -> list[Any]:
    return list(client.post("/v1/classify", json={"texts": texts}).json()["results"])


def test_a_file_dropped_anywhere_is_opened(open_page: OpenPage, server: Process) -> None:
    page = open_page(server.url)  # on another tab
    transfer = page.evaluate_handle(
        """(text) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
          return transfer;
        }""",
        table(["id", "评论"], *([str(i), text] for i, text in enumerate(TEXTS))),
    )
    page.dispatch_event("footer", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_text("Let go to open the file")).to_be_visible()
    page.dispatch_event("footer", "drop", {"dataTransfer": transfer})
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible()
    expect(page.get_by_label("The texts are in")).to_have_value("1")
    run(page, len(TEXTS))
    expect(page.locator(".read")).to_have_count(len(TEXTS))


FORMATS = {
    "reviews.csv": table(["no", "review"], *(["1", text] for text in TEXTS)).encode(),
    "excel.csv": b"\xef\xbb\xbf" + table(["no", "review"], *(["1", t] for t in TEXTS)).encode(),
    "semicolons.csv": table(["no", "x"], *(["1", t] for t in TEXTS), delimiter=";").encode(),
    "chinese.csv": table(["号", "评论"], *(["1", t] for t in TEXTS)).encode("gb18030"),
    "reviews.tsv": table(["no", "review"], *(["1", t] for t in TEXTS), delimiter="\t").encode(),
    "bare.csv": table(*([text, "1"] for text in TEXTS)).encode(),
    "reviews.jsonl": "\n".join(json.dumps({"no": 1, "text": t}) for t in TEXTS).encode(),
    "array.json": json.dumps([{"no": 1, "text": t} for t in TEXTS]).encode(),
    "strings.jsonl": "\n".join(json.dumps(t, ensure_ascii=False) for t in TEXTS).encode(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_same_texts(page: Page, name: str, client: httpx.Client) -> None:
    choose(page, name, FORMATS[name])
    run(page, len(TEXTS))
    page.get_by_role("button", name="Label").wait_for()
    assert page.locator(".read").evaluate_all("e => e.map(x => x.textContent)") == TEXTS
    labels = [result["label"].capitalize() for result in answers(client, TEXTS)]
    badges = page.locator("tbody .badge").evaluate_all("e => e.map(x => x.lastChild.textContent)")
    assert badges == labels


def test_lines_of_a_text_file_are_texts(page: Page) -> None:
    choose(page, "lines.txt", "很好吃。\r\n\r\n太贵了。\n")
    run(page, 2)
    assert shown(page) == ["很好吃。", "太贵了。"]


def test_the_column_and_the_header_can_be_chosen(page: Page) -> None:
    choose(page, "two.csv", table(["标题", "正文"], ["很好", "差极了，再也不来。"]))
    expect(page.get_by_label("The texts are in")).to_have_value("1")
    page.get_by_label("The texts are in").select_option("标题")
    page.get_by_label("The first row holds the names").uncheck()
    expect(page.locator(".preview li")).to_have_text(["标题", "很好"])
    run(page, 2)
    assert shown(page) == ["标题", "很好"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("book.xlsx", b"PK\x03\x04rest", "Save the sheet as CSV"),
        ("broken.jsonl", b'{"text": "a"}\n{"text"', "Line 2 is not JSON."),
        ("empty.csv", b"\n\n", "There are no rows in this file."),
        ("image.txt", b"\x89PNG\x00\x00", "This is not a text file."),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(
    page: Page, name: str, content: bytes, says: str
) -> None:
    choose(page, name, content)
    expect(page.get_by_role("alert")).to_contain_text(says)


def test_a_bad_row_is_explained_and_the_others_are_answered(
    open_page: OpenPage, app: RunningApp
) -> None:
    page = open_page(app.url, "/#file")
    choose(page, "bad.csv", table(["text", "n"], ["很好", "1"], ["", "2"], ["好" * 101, "3"]))
    run(page, 3)
    assert shown(page) == ["很好"]
    expect(page.locator(".wrong")).to_have_text(
        [
            "There is no text here.",
            "This text is too long: 101 characters, and the service takes 100."
            " Shorten it, or put it into a file as several texts.",
        ]
    )
    expect(page.get_by_role("button", name="Not read 2")).to_be_visible()


def test_the_table_counts_filters_searches_and_sorts(page: Page, client: httpx.Client) -> None:
    choose(page, "t.csv", table(["text"], *([text] for text in TEXTS)))
    run(page, len(TEXTS))
    said = answers(client, TEXTS)
    for label in ("positive", "mixed", "negative", "neutral"):
        count = sum(result["label"] == label for result in said)
        expect(page.locator(f".chip.{label} strong")).to_have_text(str(count))
    page.get_by_role("button", name="Polarity").click()
    order = sorted(range(len(TEXTS)), key=lambda i: said[i]["polarity"])
    assert page.locator(".read").evaluate_all("e => e.map(x => +x.dataset.row)") == order
    expect(page.get_by_role("columnheader", name="Polarity")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_role("button", name="Polarity").click()
    assert page.locator(".read").evaluate_all("e => e.map(x => +x.dataset.row)") == order[::-1]
    page.get_by_label("Search the texts").fill("但是")
    assert shown(page) == [TURN]
    page.get_by_label("Search the texts").fill("")
    page.locator(".chip.positive").click()
    assert sorted(page.locator(".read").evaluate_all("e => e.map(x => +x.dataset.row)")) == [
        i for i, result in enumerate(said) if result["label"] == "positive"
    ]


def test_a_row_opens_its_whole_answer(page: Page) -> None:
    choose(page, "t.csv", table(["text"], *([text] for text in TEXTS)))
    run(page, len(TEXTS))
    page.get_by_role("button", name=TURN).click()
    expect(page.locator("tr.whole .clause mark")).to_have_text("但是")
    page.get_by_role("button", name=TURN).click()
    expect(page.locator("tr.whole")).to_have_count(0)


def saved(page: Page, button: str, at: Path) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    assert download.value.suggested_filename == "t.danshi.csv"
    download.value.save_as(at)
    with at.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_download_holds_the_files_own_columns_and_the_answers(
    page: Page, client: httpx.Client, tmp_path: Path
) -> None:
    choose(page, "t.csv", table(["no", "text"], *([str(i), t] for i, t in enumerate(TEXTS))))
    run(page, len(TEXTS))
    rows = saved(page, "Download 5 rows as CSV", tmp_path / "all.csv")
    assert [row["text"] for row in rows] == TEXTS
    assert [row["no"] for row in rows] == list("01234")
    for row, said in zip(rows, answers(client, TEXTS), strict=True):
        assert row["danshi_label"] == said["label"]
        assert float(row["danshi_polarity"]) == pytest.approx(said["polarity"], abs=0.01)
        assert float(row["danshi_mixed"]) == pytest.approx(said["scores"]["mixed"], abs=0.01)
    assert rows[0]["danshi_turns"] == "但是"
    page.get_by_label("Search the texts").fill("但是")
    (row,) = saved(page, "Download the 1 shown", tmp_path / "shown.csv")
    assert row["text"] == TURN


def test_a_run_can_be_cancelled_and_gone_on_with(
    open_page: OpenPage, fast: RunningApp, engine: ObedientEngine
) -> None:
    page = open_page(fast.url, "/#file")
    choose(page, "t.txt", "\n".join(f"第{i}条很好。" for i in range(10_000)))
    page.get_by_role("button", name="Classify 10,000 texts").click()
    page.locator(".read").first.wait_for()
    engine.hold()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".told")).to_contain_text("Stopped at")
    engine.release()
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".told")).to_contain_text("All 10,000 texts in", timeout=120_000)
    expect(page.locator(".table .row .soft")).to_have_text("10,000 rows")


def test_a_busy_service_makes_a_run_wait_and_loses_nothing(
    open_page: OpenPage, app: RunningApp, engine: ObedientEngine
) -> None:
    page = open_page(app.url, "/#file")
    choose(page, "t.txt", "\n".join("很好。" * 20 for _ in range(60)))
    with full_queue(app, engine):
        page.get_by_role("button", name="Classify 60 texts").click()
        expect(page.locator(".wait")).to_contain_text("nothing is lost")
    expect(page.locator(".told")).to_contain_text("All 60 texts in")
    expect(page.locator(".read")).to_have_count(50)


def test_ten_thousand_rows_freeze_neither_the_page_nor_other_users(
    open_page: OpenPage, fast: RunningApp
) -> None:
    page = open_page(fast.url, "/#file")
    page.evaluate(
        """() => {
          window.longest = 0;
          let last = performance.now();
          setInterval(() => {
            const now = performance.now();
            window.longest = Math.max(window.longest, now - last);
            last = now;
          }, 10);
        }"""
    )
    rows = ([str(i), f"第{i}间房很干净，但是隔音太差了。"] for i in range(MANY))
    choose(page, "many.csv", table(["no", "text"], *rows))
    page.get_by_role("button", name="Classify 10,000 texts").click()
    waits = []
    with fast.client() as other:
        while "All 10,000" not in page.locator(".told").inner_text():
            begin = time.monotonic()
            assert other.post("/v1/classify", json={"text": TURN}).status_code == 200
            waits.append(time.monotonic() - begin)
            page.wait_for_timeout(250)
            assert len(waits) < 600
    page.get_by_role("button", name="Polarity").click()
    page.get_by_label("Search the texts").fill("9999")
    assert shown(page) == ["第9999间房很干净，但是隔音太差了。"]
    # Generous, for machines that do other things meanwhile: a freeze is seconds.
    assert page.evaluate("window.longest") < 2000
    assert max(waits) < 3
