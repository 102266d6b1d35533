"""The command line, as users run it."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.catalogue import find_models
from service.settings import Settings
from tests.service.support import EXAMPLE, command_environment, danshi

pytestmark = pytest.mark.slow


def test_without_a_command_the_commands_are_listed() -> None:
    done = danshi("--help")
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert "classify" in done.stdout
    assert danshi().returncode == 2


def test_version_is_one_line() -> None:
    done = danshi("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("danshi ")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["sreve"], ["serve", "--prot", "1"], ["classify", "--jsn", "好"]], ids=str
)
def test_wrong_use_is_exit_code_2(arguments: list[str]) -> None:
    done = danshi(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_serve_has_an_option_for_each_setting() -> None:
    done = danshi("serve", "--help", variables={"COLUMNS": "200"})
    assert done.returncode == 0
    for name in Settings.model_fields:
        assert "--" + name.replace("_", "-") in done.stdout
        assert f"DANSHI_{name.upper()}" in done.stdout


def test_classify_prints_a_line_of_json_a_text_when_piped() -> None:
    done = danshi("classify", EXAMPLE, "很好")
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert [clause["text"] for clause in first["clauses"]] == ["这部电影不坏，", "但也不算特别好。"]
    assert first["clauses"][1]["connective"] == {"text": "但", "start": 7, "end": 8}
    assert second["windows"] == 1


def test_classify_reads_lines_of_standard_input() -> None:
    done = danshi("classify", input=f"{EXAMPLE}\r\n很好\n很差")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_a_wrong_line_is_answered_in_its_place_and_the_exit_code_is_1() -> None:
    done = danshi("classify", input="很好\n\n很差\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in line for line in lines] == [False, True, False]
    assert done.returncode == 1
    assert done.stderr == "danshi: 1 of the texts could not be classified.\n"


def test_bytes_that_are_no_utf_8_spoil_their_line_only() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify"],
        input=b"\xff\xfe\n" + "很好\n".encode(),
        capture_output=True,
        env=command_environment(),
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in line for line in lines] == [True, False]


def test_a_reader_that_stops_reading_is_no_error_message() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "classify", *[EXAMPLE] * 200],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(60)


def test_classify_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    done = danshi("classify", "好", "--model-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("danshi: ")
    assert done.stderr.count("\n") == 1


def on_a_terminal(*arguments: str, colour: bool = False) -> str:
    """What the command shows to a person."""
    ours, theirs = pty.openpty()
    environment = command_environment(NO_COLOR="" if colour else "1", TERM="xterm", COLUMNS="100")
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux tells that the other end has closed
        pass
    os.close(ours)
    process.wait(60)
    return shown.decode()


def test_on_a_terminal_people_see_clauses_with_sign_and_connective() -> None:
    shown = on_a_terminal("classify", EXAMPLE)
    assert " wins " in shown or "neither side wins" in shown
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert re.search("[+·−] 这部电影不坏，", plain)
    assert "(contrast)" in shown
    assert "{" not in shown
    assert shown.count("\n") == 3


def test_on_a_terminal_clauses_are_coloured_and_the_connective_stands_out() -> None:
    shown = on_a_terminal("classify", "房间很干净，但是隔音太差了。", colour=True)
    assert "\x1b[1;7;31m但是" in shown.replace("\x1b[1;31;7m", "\x1b[1;7;31m")
    assert "\x1b[32m房间很干净" in shown


def test_models_says_what_is_released_and_how_it_scored() -> None:
    done = danshi("models")
    assert done.returncode == 0, done.stderr
    (released,) = json.loads(done.stdout)
    assert released["role"] == "released"
    assert released["licence"]
    assert released["scores"]["sets"]
    shown = on_a_terminal("models")
    assert f"{released['name']} {released['version']} (released)" in shown
    assert "held-out set" in shown
    for name in released["scores"]["sets"]:
        assert name in shown


def test_models_tells_of_the_model_that_a_rollback_brings_back(tmp_path: Path) -> None:
    for name, version in (("released", "2"), ("released.previous", "1")):
        shutil.copytree(Settings().model_dir, tmp_path / name)
        manifest = json.loads((tmp_path / name / "manifest.json").read_text("utf-8"))
        manifest["version"] = version
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = danshi("models", "--model-dir", str(tmp_path / "released"))
    assert [(m["role"], m["version"]) for m in json.loads(done.stdout)] == [
        ("released", "2"),
        ("previous", "1"),
    ]


def test_models_tells_of_the_folder_that_one_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Settings().model_dir)
    roles = [entry.role for entry in find_models(Path())]
    assert roles[0] == "released"


@pytest.mark.parametrize(
    "command", [["models"], ["classify", "好"], ["serve", "--port", "0"]], ids=str
)
def test_without_a_model_one_sentence_names_the_way_out(command: list[str], tmp_path: Path) -> None:
    done = danshi(*command, "--model-dir", str(tmp_path))
    assert done.returncode == 1
    assert "--model-dir" in done.stderr
    assert [line[:8] for line in done.stderr.splitlines()].count("danshi: ") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["classify", "serve", "models", "train"])
def test_help_shows_examples(command: str) -> None:
    done = danshi(command, "--help", variables={"COLUMNS": "100"})
    assert done.returncode == 0
    assert done.stdout.count(f"danshi {command}") >= 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(shell: str) -> None:
    words = {
        "bash": {"COMP_WORDS": "danshi cl", "COMP_CWORD": "1"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "danshi cl"},
        "fish": {"_TYPER_COMPLETE_ARGS": "danshi cl", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = danshi(variables={"_DANSHI_COMPLETE": f"complete_{shell}", **words})
    assert "classify" in done.stdout
    assert "serve" not in done.stdout


def test_on_a_terminal_without_texts_is_wrong_use() -> None:
    assert "Give texts" in on_a_terminal("classify")


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """Another distribution that declares commands, one of which needs what is not installed."""
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[danshi.commands]\ngreet = plugin_greet:greet\nheavy = plugin_heavy:heavy\n"
    )
    (tmp_path / "plugin_greet.py").write_text(
        "import typer\n"
        "def greet(name: str, loud: bool = False) -> None:\n"
        "    '''Greet NAME.'''\n"
        "    print('HELLO' if loud else 'hello', name)\n"
        "    raise typer.Exit(3)\n"
    )
    (tmp_path / "plugin_heavy.py").write_text("import not_installed.deep\n")
    root = command_environment()["PYTHONPATH"]
    return {"PYTHONPATH": os.pathsep.join([root, str(tmp_path)])}


def test_commands_of_entry_points_are_commands_like_ours(plugin: dict[str, str]) -> None:
    done = danshi("greet", "you", "--loud", variables=plugin)
    assert (done.returncode, done.stdout) == (3, "HELLO you\n")
    assert "Greet NAME." in danshi("greet", "--help", variables=plugin).stdout
    assert danshi("greet", variables=plugin).returncode == 2


def test_commands_are_loaded_only_when_they_run(plugin: dict[str, str]) -> None:
    done = danshi("--help", variables=plugin)
    assert done.returncode == 0
    assert "greet" in done.stdout
    assert "heavy" in done.stdout


def test_a_command_whose_packages_are_missing_says_what_to_install(
    plugin: dict[str, str],
) -> None:
    done = danshi("heavy", variables=plugin)
    assert done.returncode == 1
    assert done.stderr == (
        "danshi: This command needs not_installed, which is not here: pip install 'danshi[train]'\n"
    )
