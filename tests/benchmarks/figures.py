"""What the rounds of a run say: each figure is a median over rounds, with its range."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]

# Figure, its key, goal, and whether more is better.
GOALS = (
    ("HTTP batches of 64 ÷ engine alone", "batches_share", 0.90, True),
    ("HTTP single, 64 connections ÷ engine alone", "single_share", 0.70, True),
    ("bulk command ÷ engine alone", "bulk_share", 0.90, True),
    ("one connection: median − (tokenise + engine), ms", "overhead_ms", 1.0, False),
    ("p99 at 70 % of maximum ÷ median at idle", "tail", 6.0, False),
    ("single texts/s ÷ hand-made FastAPI + transformers", "handmade", 8.0, True),
    ("single texts/s ÷ best peer", "best_peer", 2.0, True),
    ("cold start to ready, s", "cold_start_s", 2.0, False),
    ("resident memory under load, MB", "memory_mb", 450.0, False),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A median, and the least and most of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def over(rounds: Sequence[Any], figure: Callable[[Any], float]) -> Figure:
    """`figure` of every round, as one."""
    values = [figure(one) for one in rounds]
    return Figure(statistics.median(values), min(values), max(values))


def figures(results: Results) -> dict[str, Figure | None]:
    """The figures that have goals; None where a peer did not run."""
    rounds = results["rounds"]

    def share(name: str) -> Figure:
        return over(
            rounds, lambda r: r[name]["texts_per_second"] / r[name]["engine"]["texts_per_second"]
        )

    ahead = {
        name: ahead_of(found) for name, found in results["peers"].items() if "error" not in found
    }
    return {
        "batches_share": share("batches"),
        "single_share": share("single_64"),
        "bulk_share": share("bulk"),
        "overhead_ms": over(
            [turn for one in rounds for turn in one["lone"]], lambda t: t["p50"] - t["lone_ms"]
        ),
        "tail": over(
            rounds, lambda r: r["open_loop"]["70%"].get("p99", math.inf) / r["single_1"]["p50"]
        ),
        "handmade": ahead.get("FastAPI + pipeline"),
        "best_peer": min(ahead.values(), key=lambda figure: figure.median, default=None),
        "cold_start_s": over(results["starts_s"], float),
        "memory_mb": over([results["memory_mb"]], float),
    }


def ahead_of(peer: Results) -> Figure:
    """Our single texts a second ÷ the peer's, at the connections that suit it better."""
    return over(
        peer["rounds"],
        lambda r: (
            r["ours"]["texts_per_second"]
            / max(r[key]["texts_per_second"] for key in ("single_1", "single_64"))
        ),
    )


def middle(rounds: Sequence[Results], *path: str) -> float:
    """The median over rounds of what lies at `path`; a latency that nobody had is infinite."""

    def at(one: Any) -> float:
        for key in path:
            one = one.get(key, math.inf)
        return float(one)

    return over(rounds, at).median
