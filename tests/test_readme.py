"""The README's commands do what it says: read from the file, run for real."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import figures
from tests.models.behaviour import rates

ROOT = Path(__file__).resolve().parents[1]
TEXTS = {file.name: file.read_text("utf-8") for file in figures.READMES}
README = TEXTS["README.md"]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str = README) -> list[str]:
    lines = "".join(blocks("bash", text)).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]


COMMANDS = commands()
SENTENCE = "房间很干净，但是隔音太差了。"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("language", ["bash", "python", "json"])
def test_both_languages_show_the_same_code(language):
    english, chinese = (blocks(language, text) for text in TEXTS.values())
    assert english == chinese != []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_linked_to_is_there(text):
    targets = re.findall(r"\]\(([^):]+)\)", text)
    assert ".docs/page.png" in targets
    for target in targets:
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("readme", figures.READMES, ids=TEXTS)
def test_the_figures_are_those_of_the_released_model(readme):
    card = figures.MODEL_CARD.read_text("utf-8")
    assert figures.shown(readme) == figures.table(card), "run: make figures"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_figures_of_the_unseen_sentences_are_those_recorded(text):
    _, recorded = rates.load()
    label, side, clauses = (recorded[f"unseen, all: {x}"] for x in ("label", "side", "clauses"))
    (paragraph,) = (p for p in text.split("\n\n") if "unseen.jsonl" in p)
    assert re.search(rf"\b{label.texts}\b", paragraph)
    shown = re.findall(r"0\.\d{3}", paragraph)
    assert shown == [f"{rate.measured:.3f}" for rate in (label, side, clauses)]


def test_every_command_of_the_readme_is_known_to_this_test():
    known = {"make", "curl", "danshi", "GRAFANA_ADMIN_PASSWORD=choose-one"}
    assert {shlex.split(command)[0] for command in COMMANDS} == known


@pytest.mark.parametrize("target", [c.split()[1] for c in COMMANDS if c.startswith("make ")])
def test_make_has_the_target(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_make_serve_serves_what_curl_asks():
    """In the environment that runs this test, as a second `make serve` would."""
    port = free_port()
    environment = os.environ | {"MAKEFLAGS": ""}
    venv = os.path.relpath(sys.prefix, ROOT)
    command = ["make", "serve", f"PORT={port}", f"VENV={venv}"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    here = f"localhost:{port}"
    try:
        wait_until_ready(port)
        curls = [c.replace("localhost:8000", here) for c in COMMANDS if c.startswith("curl ")]
        ours, theirs = [json.loads(run(c)) for c in curls]
        snippet = next(b for b in blocks("python") if "localhost:8000" in b)
        hub = value_of(snippet.replace("localhost:8000", here))
        page = run(f"curl -s {here}/")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    assert ours["label"] == "mixed"
    assert [c["connective"] and c["connective"]["text"] for c in ours["clauses"]] == [None, "但是"]
    assert [len(labels) for labels in theirs] == [4, 4]
    assert hub[0].label == "mixed"
    assert "<title>" in page


def test_the_two_lines_of_python_give_a_result_that_shows_itself():
    result = value_of(next(b for b in blocks("python") if "import danshi" in b))
    assert result.label == "mixed"
    assert "但是" in result._repr_html_()


@pytest.mark.slow
def test_danshi_classifies_a_text_and_a_file_and_tells_of_its_models(tmp_path):
    (tmp_path / "reviews.csv").write_text(f"stars,text\n2,{SENTENCE}\n5,很好吃\n", "utf-8")
    chosen = [c for c in COMMANDS if re.match("danshi (classify|models)", c)]
    said = [run(here(c), tmp_path) for c in chosen]
    assert len(said) == 3
    assert json.loads(said[0])["label"] == "mixed"
    assert "mixed" in (tmp_path / "labelled.csv").read_text("utf-8").splitlines()[1]
    assert json.loads(said[2])[0]["role"] == "released"


def test_the_answer_shown_is_the_answer_given(released):
    (shown,) = blocks("json")
    expected = json.loads(shown)
    result = released.classify(SENTENCE)
    assert expected["label"] == result.label
    assert expected["polarity"] == pytest.approx(result.polarity, abs=0.1)
    for clause, said in zip(expected["clauses"], result.clauses, strict=True):
        assert (clause["text"], clause["label"], clause["relation"]) == (
            said.text,
            said.label,
            said.relation,
        )


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("danshi ")])
def test_the_commands_and_options_shown_exist(command):
    _, name, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "service", name, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    for argument in arguments:
        if argument.startswith("--"):
            assert argument in done.stdout


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2)
            return
        except OSError:
            assert time.monotonic() < deadline, "not ready within two minutes"
            time.sleep(0.2)


def here(command: str) -> str:
    """`danshi …` as this environment has it."""
    return command.replace("danshi", f"{sys.executable} -m service", 1)


def run(command: str, folder: Path = ROOT) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def value_of(snippet: str) -> Any:
    """What a notebook would show: the value of the last line."""
    *lines, last = snippet.strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    return eval(last, names)
