"""One run: the engine alone, our service, the bulk command, and the peers, in turn."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import load
from tests.benchmarks.engine import RELEASED
from tests.benchmarks.peers.environment import PEERS, Peer, install, make_twin
from tests.benchmarks.servers import Server, last_words
from tests.benchmarks.texts import BATCH, write_bodies, write_table

CLASSIFY = "/v1/classify"
SHARES = (0.25, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part takes."""

    folder: Path
    build: Path
    port: int
    seconds: float
    bulk_rows: int
    torch: list[str]


Say = Callable[[str], None]
Results = dict[str, Any]


def engine_alone(plan: Plan) -> Results:
    """The engine alone, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.engine", str(plan.folder / "single.bodies"),
         str(plan.seconds * 2)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"bench: the engine failed:\n{done.stderr[-2000:]}")
    found: Results = json.loads(done.stdout)
    return found


def service(plan: Plan, say: Say) -> Results:
    """Our server: cold start, throughput, latency under load, memory."""
    command = [sys.executable, "-m", "service", "serve", "--port", str(plan.port)]
    server = Server(command, plan.port, plan.folder / "service.log", {"path": "/health/ready"})
    singles, batches = plan.folder / "single.bodies", plan.folder / "batch.bodies"
    found: Results = {"cold_start_s": server.cold_start}
    try:
        load.wrk(plan.port, CLASSIFY, singles, connections=8, seconds=2)  # warm
        for connections in (1, 8, 64):
            say(f"HTTP, single texts, {connections} connections")
            found[f"single_{connections}"] = load.wrk(
                plan.port, CLASSIFY, singles, connections=connections, seconds=plan.seconds
            )
        say(f"HTTP, batches of {BATCH}")
        found["batches"] = load.wrk(
            plan.port, CLASSIFY, batches, connections=4, seconds=plan.seconds, texts=BATCH
        )
        most = found["single_64"]["texts_per_second"]
        found["open_loop"] = {}
        for share in SHARES:
            say(f"HTTP, open loop at {share:.0%} of {most:.0f} a second")
            found["open_loop"][f"{share:.0%}"] = load.openloop(
                plan.folder, plan.port, CLASSIFY, singles,
                rate=share * most, seconds=plan.seconds * 1.5,
            )  # fmt: skip
        found["memory_mb"] = server.memory()
    finally:
        server.stop()
    return found


def bulk(plan: Plan, texts: list[str]) -> Results:
    """The bulk command on a CSV file; its own rate, which leaves loading out, and ours."""
    table = plan.folder / "bulk.csv"
    write_table([texts[i % len(texts)] for i in range(plan.bulk_rows)], table)
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", str(table), "--column", "text", "--force",
         "-o", str(plan.folder / "bulk.out.csv")],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    told = re.search(r"([\d,]+) rows in ([\d.]+) s \(([\d,]+) a second\)", done.stderr)
    if told is None:
        raise SystemExit(f"bench: the bulk command failed:\n{done.stderr[-2000:]}")
    return {
        "texts_per_second": float(told[3].replace(",", "")),
        "with_start": plan.bulk_rows / (time.perf_counter() - begin),
    }


def peers(plan: Plan, say: Say) -> Results:
    """Each peer: single texts at 1 and 64 connections, batches where it takes them."""
    found: Results = {}
    twin = plan.build / "twin"
    for peer in PEERS:
        say(f"peer: {peer.name}")
        try:
            programs = install(peer, plan.build, plan.torch)
            if not (twin / "config.json").exists():
                make_twin(programs, RELEASED, twin)
            found[peer.name] = one_peer(plan, peer, programs, twin)
        except (RuntimeError, subprocess.SubprocessError, OSError) as error:
            found[peer.name] = {"error": str(error).splitlines()[0][:160]}
    return found


def one_peer(plan: Plan, peer: Peer, programs: Path, twin: Path) -> Results:
    command = [part.format(bin=programs, twin=twin, port=plan.port) for part in peer.command]
    log = plan.folder / f"{peer.name.split()[0].lower()}.log"
    server = Server(command, plan.port, log, peer.probe)
    found: Results = {"cold_start_s": server.cold_start}
    bodies = plan.folder / f"{peer.bodies}.bodies"
    try:
        load.wrk(plan.port, peer.path, bodies, connections=8, seconds=2)  # warm
        for connections in (1, 64):
            found[f"single_{connections}"] = load.wrk(
                plan.port, peer.path, bodies, connections=connections, seconds=plan.seconds
            )
            if not found[f"single_{connections}"]["texts_per_second"]:
                raise RuntimeError(f"it answers nothing: {last_words(log)}")
        if peer.batch_path:
            found["batches"] = load.wrk(
                plan.port, peer.batch_path, plan.folder / "batch.bodies", connections=4,
                seconds=plan.seconds, texts=BATCH,
            )  # fmt: skip
        found["memory_mb"] = server.memory()
    finally:
        server.stop()
    return found


def measure(plan: Plan, texts: list[str], say: Say, *, with_peers: bool) -> Results:
    """Everything. The engine alone is measured first and last: a machine's speed drifts."""
    load.build(plan.folder)
    write_bodies(texts, plan.folder)
    say("the engine alone")
    first = engine_alone(plan)
    served = service(plan, say)
    say("the bulk command")
    rows = bulk(plan, texts)
    say("the engine alone, again")
    last = engine_alone(plan)
    middle = {
        name: (first[name] + last[name]) / 2 for name in ("texts_per_second", "tokens_per_second")
    }
    middle["lone_ms"] = (first["lone_ms"]["median"] + last["lone_ms"]["median"]) / 2
    return {
        "engine": first | middle | {"first": first["texts_per_second"],
                                    "last": last["texts_per_second"]},
        "service": served,
        "bulk": rows,
        "peers": peers(plan, say) if with_peers else {},
    }  # fmt: skip
