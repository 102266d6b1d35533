"""`import danshi`: two lines give a result, whatever else is called models."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

import danshi
from tests.service.support import EXAMPLE, command_environment

TURN = "房间很干净，但是隔音太差了。"


def run(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script that lies in `folder`, as a user's does."""
    script = folder / "script.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=command_environment(PYTHONPATH=""),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.slow
def test_a_users_own_models_folder_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("models", "service", "training"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not yours')")
    done = run(f"import danshi\nprint(danshi.classify({TURN!r}).label)\n", tmp_path)
    assert (done.returncode, done.stdout) == (0, "mixed\n"), done.stderr


@pytest.mark.slow
def test_importing_leaves_the_name_models_to_others(tmp_path: Path) -> None:
    code = "import sys, danshi\nprint({'models', 'service', 'training'} & set(sys.modules))\n"
    assert run(code, tmp_path).stdout == "set()\n"


@pytest.mark.slow
def test_a_result_survives_pickle_between_processes(tmp_path: Path) -> None:
    write = (
        "import pathlib, pickle, danshi\n"
        f"pathlib.Path('kept').write_bytes(pickle.dumps(danshi.classify({TURN!r})))\n"
    )
    read = "import pathlib, pickle\nprint(pickle.loads(pathlib.Path('kept').read_bytes()).label)\n"
    assert run(write, tmp_path).returncode == 0
    assert run(read, tmp_path).stdout == "mixed\n"


@pytest.mark.slow
def test_the_result_is_what_the_service_answers(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json={"text": EXAMPLE}).json()
    assert json.loads(json.dumps(danshi.classify(EXAMPLE).as_dict())) == answer


def test_wrong_texts_have_their_error_in_their_place() -> None:
    first, second, third = danshi.classify_all(["很好", " ", "很差"])
    assert isinstance(first, danshi.Result)
    assert isinstance(second, danshi.TextError)
    assert isinstance(third, danshi.Result)
    with pytest.raises(danshi.TextError, match="blank"):
        danshi.classify(" ")


def test_a_missing_value_of_a_column_is_a_wrong_text() -> None:
    column: list[Any] = ["很好", float("nan"), None]
    first, *missing = danshi.classify_all(column)
    assert isinstance(first, danshi.Result)
    assert [str(error) for error in missing] == [
        "a text is a string, not float",
        "a text is a string, not NoneType",
    ]
    with pytest.raises(danshi.TextError, match="not NoneType"):
        danshi.classify(column[2])


def test_a_folder_that_is_no_model_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(danshi.ArtifactError, match="is no model"):
        danshi.load(tmp_path)


class Shown(HTMLParser):
    """What a browser makes of the HTML: the tags, and the text of each leaf."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.bold: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open[-1:] == ["b"]:
            self.bold.append(data)


def test_a_notebook_shows_the_clauses_in_colours_and_signs_with_the_turn_marked() -> None:
    shown = Shown(danshi.classify(TURN)._repr_html_())
    assert "mixed" in shown.bold
    assert "但是" in shown.bold
    assert "blame wins" in shown.text
    colours = [a["style"] for tag, a in shown.tags if tag == "span" and "background" in str(a)]
    assert len(colours) == 2
    assert len(set(colours)) == 2
    assert "+ 房间很干净，" in shown.text
    assert "− 但是隔音太差了。" in shown.text


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>很好，但<b>贵</b>", '好" onmouseover="x', "好&amp;坏，但'是"]
)
def test_what_a_text_holds_never_becomes_markup(text: str) -> None:
    shown = Shown(danshi.classify(text)._repr_html_())
    assert {tag for tag, _ in shown.tags} <= {"div", "span", "b", "small"}
    assert {name for _, a in shown.tags for name in a} <= {"style", "title"}
    assert "".join(text.split()) in "".join(
        shown.text.translate({ord(c): None for c in "+−·"}).split()
    )


def test_printed_a_result_is_one_line() -> None:
    said = str(danshi.classify(TURN))
    assert said.startswith("mixed ")
    assert said.endswith("| − [但是]隔音太差了。")
