"""The benchmark's figures: medians over rounds, each against the engine's turns beside it."""

import math
from typing import Any

from tests.benchmarks.figures import Figure, figures, middle


def one_round(engine: float, ours: float, p99: float | None) -> dict[str, Any]:
    turn = {
        "texts_per_second": ours, "p50": 10.0, "failed": 0,
        "engine": {"texts_per_second": engine},
    }  # fmt: skip
    lone = [{"p50": 10.0, "lone_ms": 9.0}, {"p50": 20.0, "lone_ms": 9.5 + 0.1 * ours}]
    loop = {"rate": 1.0, "failed": 0} | ({} if p99 is None else {"p99": p99})
    names = ("single_1", "single_8", "single_64", "batches", "bulk")
    return dict.fromkeys(names, turn) | {"open_loop": {"70%": loop}, "lone": lone}


def peer(*theirs: float) -> dict[str, Any]:
    return {
        "rounds": [
            {
                "single_1": {"texts_per_second": rate / 2},
                "single_64": {"texts_per_second": rate},
                "ours": {"texts_per_second": 100.0},
            }
            for rate in theirs
        ]
    }


RESULTS: dict[str, Any] = {
    # The second round is on a machine of half the speed, which is nobody's fault.
    "rounds": [one_round(100, 90, 50), one_round(50, 45, None), one_round(100, 80, 70)],
    "starts_s": [1.4, 3.0, 1.5],
    "memory_mb": 400.0,
    "peers": {
        "FastAPI + pipeline": peer(10, 20, 25),
        "other": peer(40, 50, 60),
        "broken": {"error": "does not start"},
    },
}


def test_a_share_is_of_the_engines_turns_in_the_same_round() -> None:
    assert figures(RESULTS)["single_share"] == Figure(0.9, 0.8, 0.9)


def test_what_a_lone_request_adds_is_taken_turn_by_turn() -> None:
    assert figures(RESULTS)["overhead_ms"] == Figure(1.25, 1.0, 6.0)


def test_a_latency_that_nobody_had_counts_as_endless() -> None:
    assert figures(RESULTS)["tail"] == Figure(7.0, 5.0, math.inf)
    assert middle(RESULTS["rounds"], "open_loop", "70%", "p99") == 70


def test_the_best_peer_is_the_one_we_are_least_ahead_of() -> None:
    found = figures(RESULTS)
    assert found["handmade"] == Figure(5.0, 4.0, 10.0)
    assert found["best_peer"] == Figure(2.0, 100 / 60, 2.5)


def test_a_slow_start_among_three_is_not_the_figure() -> None:
    assert str(figures(RESULTS)["cold_start_s"]) == "1.50 (1.40 to 3.00)"
