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

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [
    command
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for command in block.replace("\\\n", " ").splitlines()
    if command.strip()
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    try:
        wait_until_ready(port)
        curls = [c for c in COMMANDS if c.startswith("curl ")]
        answers = [json.loads(run(c.replace("localhost:8000", f"localhost:{port}"))) for c in curls]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)
    one, many = answers
    assert one["label"] == "mixed"
    assert [c["connective"] and c["connective"]["text"] for c in one["clauses"]] == [None, "但是"]
    assert [len(result["clauses"]) for result in many["results"]] == [2, 2, 2]


def test_the_answer_shown_is_the_answer_given(released):
    shown = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    expected = json.loads(shown[1])
    result = released.classify("房间很干净，但是隔音太差了。")
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


def run(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
