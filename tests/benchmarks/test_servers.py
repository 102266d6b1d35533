"""The servers that the benchmark measures."""

import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.benchmarks.servers import Server

# Answers at once, and works on for two seconds when asked for /work.
BUSY = """
import sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def work():
    end = time.process_time() + 2
    while time.process_time() < end: pass

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/work": threading.Thread(target=work).start()
        self.send_response(200); self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def server(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Server([sys.executable, "-c", BUSY, str(port)], port, tmp_path / "log", {"path": "/"})
    yield running, f"http://127.0.0.1:{port}"
    running.stop()


def test_a_server_is_drained_when_it_is_idle_though_it_answers_before(server) -> None:
    running, url = server
    urllib.request.urlopen(f"{url}/work").close()
    begin = time.perf_counter()
    urllib.request.urlopen(url).close()
    answered = time.perf_counter() - begin
    running.drain()
    assert answered < 1 < 1.9 < time.perf_counter() - begin


def test_a_server_is_not_started_on_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"port {port} is taken"):
            Server([sys.executable, "-c", BUSY, str(port)], port, tmp_path / "log", {"path": "/"})
