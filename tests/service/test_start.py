"""Starting and stopping `danshi serve`, as a process."""

import json
import re
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest

from service.settings import load_settings
from tests.service.support import EXAMPLE, Process, danshi

pytestmark = pytest.mark.slow


def fails(*arguments: str, code: int, **variables: str) -> str:
    """The sentence with which `danshi serve` refuses to start."""
    done = danshi("serve", *arguments, variables=variables)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("danshi: ")]
    assert lines
    assert done.stderr.splitlines()[-1] == lines[-1]
    return "\n".join(lines)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the released model."""
    return Path(shutil.copytree(load_settings().model_dir, tmp_path / "model"))


def test_a_wrong_setting_stops_the_start_with_a_sentence() -> None:
    assert fails(DANSHI_PORT="eighty", code=2) == (
        "danshi: DANSHI_PORT (--port) must be a whole number from 0 to 65535, not 'eighty'."
    )
    assert fails("--max-texts", "0", code=2).startswith("danshi: DANSHI_MAX_TEXTS (--max-texts)")


def test_a_missing_model_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    sentence = fails("--port", "0", "--model-dir", str(tmp_path / "none"), code=1)
    assert str(tmp_path / "none") in sentence


def test_a_tampered_model_stops_the_start_with_a_sentence(copy: Path) -> None:
    with (copy / "network.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"tampered")
    assert "network.onnx" in fails("--port", "0", "--model-dir", str(copy), code=1)


def test_a_model_that_computes_something_else_stops_the_start(copy: Path) -> None:
    """Hashes vouch for the files; only the golden texts vouch for this machine."""
    from dataclasses import replace

    from models.artifact import load_manifest, write_manifest

    golden = copy / "golden.jsonl"
    first = json.loads(golden.read_text(encoding="utf-8").splitlines()[0])
    first["polarity"] = -first["polarity"] + 0.5
    golden.write_text(json.dumps(first) + "\n", encoding="utf-8")
    write_manifest(copy, replace(load_manifest(copy), files={}))
    assert "golden" in fails("--port", "0", "--model-dir", str(copy), code=1)


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails("--port", str(port), code=1) == (
            f"danshi: Port {port} on 127.0.0.1 is in use; choose another with --port."
        )


def test_an_address_of_another_machine_is_told_in_a_sentence() -> None:
    assert "192.0.2.1" in fails("--host", "192.0.2.1", "--port", "0", code=1)


def test_a_misspelt_variable_is_warned_of() -> None:
    sentence = "DANSHI_PROT is not a setting and changes nothing; did you mean DANSHI_PORT?"
    process = Process(DANSHI_PROT="1")
    try:
        assert sentence in process.log()
    finally:
        process.close()


def test_the_process_is_ready_soon_small_and_without_torch(server: Process) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
    assert "libtorch" not in maps
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    resident = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024
    assert resident < 500


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_requests_loses_no_answer_and_exits_0(number: int) -> None:
    process = Process()
    texts = ["屏幕很亮，但电池不行。" * 10] * 12
    try:
        with process.client() as client, ThreadPoolExecutor(8) as pool:
            client.get("/health/ready")
            answers = [
                pool.submit(client.post, "/v1/classify", json={"texts": texts}) for _ in range(8)
            ]
            time.sleep(0.1)
            assert process.stop(number) == 0
            for answer in answers:
                assert answer.result().status_code == 200
                assert len(answer.result().json()["results"]) == len(texts)
        log = process.log()
        assert "Traceback" not in log
        assert "stopped" in log.splitlines()[-1]
    finally:
        process.close()


def test_an_idle_service_stops_at_once() -> None:
    process = Process()
    try:
        with process.client() as client:
            assert client.post("/v1/classify", json={"text": EXAMPLE}).status_code == 200
            begin = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - begin < 3
            with pytest.raises(httpx.TransportError):
                client.get("/health/live")
    finally:
        process.close()


def test_logs_can_be_json_and_say_all_of_a_request_but_its_text() -> None:
    process = Process("--log-format", "json")
    try:
        with process.client() as client:
            given = {"X-Request-ID": "a1"}
            one = client.post("/v1/classify", json={"text": EXAMPLE}, headers=given)
            many = client.post("/v1/classify", json={"texts": [EXAMPLE, EXAMPLE, ""]})
            client.post("/v1/classify", json={"text": ""})
        assert process.stop() == 0
        lines = [json.loads(line) for line in process.log().splitlines()]
        first, second, third = (line for line in lines if line["logger"] == "service.access")
        assert first["id"] == "a1"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
        assert (first["method"], first["route"], first["code"]) == ("POST", "/v1/classify", 200)
        assert (first["form"], first["label"]) == ("text", one.json()["label"])
        assert (first["chars"], first["windows"]) == (len(EXAMPLE), 1)
        assert first["tokens"] > 2
        assert list(first["stages"]) == ["tokenize", "queue", "inference", "finish"]
        assert 0 < sum(first["stages"].values()) <= first["ms"]
        assert second["id"] == many.headers["X-Request-ID"]
        assert (second["form"], second["texts"]) == ("texts", 3)
        assert second["labels"] == {one.json()["label"]: 2, "error": 1}
        assert second["chars"] == 2 * len(EXAMPLE)
        assert (third["code"], third["reason"]) == (422, "invalid_text")
        assert EXAMPLE not in process.log()
    finally:
        process.close()
