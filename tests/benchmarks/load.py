"""Load generators, both in C: wrk for the most that a server does, openloop for its latency."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def build(folder: Path) -> None:
    """Compile openloop.

    Raises:
        SystemExit: a program is missing.
    """
    for program, package in (("wrk", "wrk"), ("cc", "gcc libc6-dev")):
        if shutil.which(program) is None:
            raise SystemExit(f"bench: {program} is missing: apt-get install {package}")
    target = str(folder / "openloop")
    subprocess.run(["cc", "-O2", "-o", target, str(HERE / "openloop.c"), "-lm"], check=True)


def wrk(
    port: int, path: str, bodies: Path, *, connections: int, seconds: float, texts: int = 1
) -> dict[str, Any]:
    """Closed loop: each connection sends when it is answered. Latencies in ms."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s",
         "-s", str(HERE / "requests.lua"), f"http://127.0.0.1:{port}", "--", str(bodies), path],
        capture_output=True, text=True, timeout=seconds + 60, check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(line)
    answered = found["requests"] - found["failed"]
    return found | {"texts_per_second": answered * texts / found["seconds"]}


def openloop(
    folder: Path, port: int, path: str, bodies: Path, *, rate: float, seconds: float
) -> dict[str, Any]:
    """Open loop: Poisson arrivals, latency in ms from when a request was due."""
    command = [str(folder / "openloop"), str(port), path, str(bodies), f"{rate:.2f}",
               f"{seconds:g}", "1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 90, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"rate": rate}
