"""Starting what is measured, each as a process of its own, and looking at it from outside."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECONDS_TO_DRAIN = 60
# Of a processor. Ray's own processes are never still.
IDLE = 0.2


class Server:
    """A running server. `cold_start` is from the start of its process to its first answer."""

    def __init__(self, command: list[str], port: int, log: Path, probe: dict[str, Any]) -> None:
        """Start it and wait for an answer to `probe` (path, and body if it is a POST).

        Raises:
            RuntimeError: something listens on `port` already; or it ended, or did not answer
                within two minutes; with its last words.
        """
        if taken(port):  # what answers there would be measured in its place
            raise RuntimeError(f"port {port} is taken by another process: end it, or give --port")
        self.log = log
        self._port = port
        self._probe = probe
        self._file = log.open("w", encoding="utf-8")
        quiet = {
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "INFINITY_ANONYMOUS_USAGE_STATS": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdout=self._file, stderr=self._file, start_new_session=True,
            env=os.environ | quiet,
        )  # fmt: skip
        try:
            while not answers(port, probe):
                if self._process.poll() is not None or time.perf_counter() > begin + 120:
                    raise RuntimeError(last_words(log))
                time.sleep(0.02)
        except BaseException:  # cut off while it starts: nobody else could end it
            self.stop()
            raise
        self.cold_start = time.perf_counter() - begin

    def memory(self) -> float:
        """MB of the process and its children: resident, or of the dearest moment if one process."""
        pids = self._pids()
        what = "VmHWM" if len(pids) == 1 else "VmRSS"
        return sum(status(pid, what) for pid in pids) / 1024

    def drain(self) -> None:
        """Wait until it is idle: it may still work for clients that have gone.

        An answer does not tell: a server with threads gives one beside that work.
        """
        deadline = time.perf_counter() + SECONDS_TO_DRAIN
        while self._busy(0.5) > IDLE and time.perf_counter() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(last_words(self.log))

    def _busy(self, seconds: float) -> float:
        """Processors that it and what it started keep busy, over the next `seconds`."""

        def ticks() -> int:
            return sum(processor_ticks(pid) for pid in self._pids())

        before = ticks()
        time.sleep(seconds)
        return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds

    def _pids(self) -> list[int]:
        """It and what it started."""
        return [self._process.pid, *descendants(self._process.pid)]

    def stop(self) -> None:
        """End it and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(15)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._file.close()


def taken(port: int) -> bool:
    """Whether something listens on `port` of this machine."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int, probe: dict[str, Any]) -> bool:
    """Whether the server answers `probe` with 200."""
    body = json.dumps(probe["body"]).encode() if "body" in probe else None
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{probe['path']}", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def last_words(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:160] if lines else "it ended without a word"


def descendants(pid: int) -> list[int]:
    """Processes below `pid`."""
    found: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(file.parent.name)
            found += [child, *descendants(child)]
    return found


def processor_ticks(pid: int) -> int:
    """Processor time of a process so far, in clock ticks (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def status(pid: int, name: str) -> int:
    """A figure of /proc/PID/status, in kB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
