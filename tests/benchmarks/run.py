"""One run: the engine alone, our service and the bulk command in turn, then the peers.

A shared machine's speed changes by half within seconds. So all take short turns, each is
compared with the engine's turns before and behind it, and what counts is the median.
"""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks import load
from tests.benchmarks.engine import RELEASED
from tests.benchmarks.figures import Results
from tests.benchmarks.peers.environment import PEERS, Peer, install, make_twin
from tests.benchmarks.servers import Server, last_words
from tests.benchmarks.texts import BATCH, write_bodies, write_table

CLASSIFY = "/v1/classify"
SHARES = (0.25, 0.5, 0.7, 0.9)
STARTS = 3
LONE_TURNS = 4
BULK_ROWS = 8192
PEER_ROUNDS = 3
PEER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Where things are, how many rounds there are and how long a turn takes."""

    folder: Path
    build: Path
    port: int
    rounds: int
    seconds: float
    torch: list[str]

    @property
    def singles(self) -> Path:
        return self.folder / "single.bodies"

    @property
    def batches(self) -> Path:
        return self.folder / "batch.bodies"


Say = Callable[[str], None]


class EngineAlone:
    """The engine alone, in a process of its own that waits for its turns."""

    def __init__(self, plan: Plan) -> None:
        self._log = plan.folder / "engine.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.engine", str(plan.singles)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        self.about = self._answer()

    def turn(self, seconds: float) -> Results:
        """Its texts a second."""
        return self._ask(f"rate {seconds}")

    def lone(self, texts: int) -> Results:
        """Median ms of one text alone, over the first so many."""
        return self._ask(f"lone {texts}")

    def _ask(self, line: str) -> Results:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Results:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the engine failed: {last_words(self._log)}")
        found: Results = json.loads(line)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.communicate()


def start_ours(plan: Plan) -> Server:
    command = [sys.executable, "-m", "service", "serve", "--port", str(plan.port)]
    return Server(command, plan.port, plan.folder / "service.log", {"path": "/health/ready"})


def one_round(plan: Plan, engine: EngineAlone, table: Path) -> Results:
    """Each of ours between two turns of the engine; `engine` in it is the mean of those."""

    def ours(bodies: Path, connections: int, seconds: float, texts: int = 1) -> Results:
        return load.wrk(
            plan.port, CLASSIFY, bodies, connections=connections, seconds=seconds, texts=texts
        )

    # What is unanswered when a turn ends is not counted: the more of it, the longer the turn.
    turns: dict[str, Callable[[], Results]] = {
        "single_1": lambda: ours(plan.singles, 1, plan.seconds),
        "single_8": lambda: ours(plan.singles, 8, plan.seconds),
        "single_64": lambda: ours(plan.singles, 64, 2 * plan.seconds),
        "batches": lambda: ours(plan.batches, 2, 4 * plan.seconds, BATCH),
        "bulk": lambda: bulk(plan, table),
    }
    found: Results = {}
    before = engine.turn(plan.seconds)
    for name, turn in turns.items():
        found[name] = turn()
        after = engine.turn(plan.seconds)
        found[name]["engine"] = {key: (before[key] + after[key]) / 2 for key in after}
        before = after
    found["lone"] = [lone_turn(plan, engine) for _ in range(LONE_TURNS)]
    most = found["single_64"]["texts_per_second"]
    found["open_loop"] = {
        f"{share:.0%}": load.openloop(
            plan.folder, plan.port, CLASSIFY, plan.singles,
            rate=share * most, seconds=plan.seconds * 2,
        )
        for share in SHARES
    }  # fmt: skip
    return found


def lone_turn(plan: Plan, engine: EngineAlone) -> Results:
    """A second of one connection, and behind it the engine on the very texts it was answered."""
    turn = load.wrk(plan.port, CLASSIFY, plan.singles, connections=1, seconds=1)
    return turn | engine.lone(turn["requests"])


def bulk(plan: Plan, table: Path) -> Results:
    """The bulk command on a CSV file; its own rate, which leaves loading out."""
    done = subprocess.run(
        [sys.executable, "-m", "service", "classify", str(table), "--column", "text", "--force",
         "-o", str(plan.folder / "bulk.out.csv")],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    told = re.search(r"([\d,]+) rows in ([\d.]+) s \(([\d,]+) a second\)", done.stderr)
    if told is None:
        raise SystemExit(f"bench: the bulk command failed:\n{done.stderr[-2000:]}")
    return {"texts_per_second": float(told[3].replace(",", ""))}


def peers(plan: Plan, say: Say) -> Results:
    """Each peer beside ours, which runs at `plan.port` all the time."""
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
    """Single texts at 1 and 64 connections, batches where it takes them; ours in between.

    Its turns at 64 connections are as long as ours, and long: it answers in waves.
    """
    port = plan.port + 1
    command = [part.format(bin=programs, twin=twin, port=port) for part in peer.command]
    log = plan.folder / f"{peer.name.split()[0].lower()}.log"
    server = Server(command, port, log, peer.probe)
    bodies = plan.folder / f"{peer.bodies}.bodies"
    rounds = []
    try:
        load.wrk(port, peer.path, bodies, connections=8, seconds=2)  # warm
        for _ in range(PEER_ROUNDS):
            one: Results = {}
            for n in (1, 64):
                one[f"single_{n}"] = load.wrk(
                    port, peer.path, bodies, connections=n, seconds=PEER_SECONDS
                )
                server.drain()
            if not one["single_64"]["texts_per_second"]:
                raise RuntimeError(f"it answers nothing: {last_words(log)}")
            if peer.batch_path:
                one["batches"] = load.wrk(
                    port, peer.batch_path, plan.batches, connections=2,
                    seconds=PEER_SECONDS, texts=BATCH,
                )  # fmt: skip
                server.drain()
            one["ours"] = load.wrk(
                plan.port, CLASSIFY, plan.singles, connections=64, seconds=PEER_SECONDS
            )
            rounds.append(one)
        memory = server.memory()
    finally:
        server.stop()
    return {"rounds": rounds, "starts_s": [server.cold_start], "memory_mb": memory}


def measure(plan: Plan, texts: list[str], say: Say, *, with_peers: bool) -> Results:
    """Everything, as it was measured; `report` makes figures of it."""
    load.build(plan.folder)
    write_bodies(texts, plan.folder)
    table = plan.folder / "bulk.csv"
    # Enough that the kernels of each shape, made once in its process, do not tell.
    write_table([texts[i % len(texts)] for i in range(BULK_ROWS)], table)
    starts = []
    for _ in range(STARTS):
        server = start_ours(plan)
        starts.append(server.cold_start)
        if len(starts) < STARTS:
            server.stop()
    say(f"ready in {statistics.median(starts):.1f} s")
    try:
        with EngineAlone(plan) as engine:
            load.wrk(plan.port, CLASSIFY, plan.singles, connections=64, seconds=4)  # warm
            rounds = []
            for i in range(plan.rounds):
                say(f"round {i + 1} of {plan.rounds}")
                rounds.append(one_round(plan, engine, table))
        memory = server.memory()
        others = peers(plan, say) if with_peers else {}
    finally:
        server.stop()
    return {
        "engine": engine.about,
        "rounds": rounds,
        "starts_s": starts,
        "memory_mb": memory,
        "peers": others,
    }
