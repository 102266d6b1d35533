"""`make bench`: the service beside its engine and beside what people use today.

Writes runs/bench/report.md, results.json and plots. A full run takes under twenty minutes, a quick
one under ten, installing the peers for the first time aside.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.processor import cpu_quota
from tests.benchmarks import report
from tests.benchmarks.figures import figures
from tests.benchmarks.run import Plan, measure
from tests.benchmarks.texts import load

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, and noisier")
    parser.add_argument("--no-peers", action="store_true", help="only ours")
    parser.add_argument(
        "--texts", nargs="*", type=Path, default=[],
        help="JSON Lines with `text`, or plain lines; without, the sentences that ship",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench")
    parser.add_argument("--port", type=int, default=9410)
    parser.add_argument("--torch", default="torch", help="arguments of pip for the peers' torch")
    given = parser.parse_args()

    # Ended from outside (a time limit), it ends its servers too, as by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    begin = time.perf_counter()
    given.out.mkdir(parents=True, exist_ok=True)
    build = ROOT / "build" / "peers"
    build.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        folder=given.out.resolve(),
        build=build,
        port=given.port,
        rounds=3 if given.quick else 7,
        seconds=2.0,
        torch=shlex.split(given.torch),
    )
    machine = describe_machine()
    texts = load(given.texts, 1024)

    def say(what: str) -> None:
        print(f"[{time.perf_counter() - begin:4.0f} s] {what}", flush=True)

    try:
        results: dict[str, Any] = measure(plan, texts, say, with_peers=not given.no_peers)
    except RuntimeError as error:
        sys.exit(f"bench: {error}")
    results |= {
        "machine": machine,
        "texts": {
            "count": len(texts),
            "source": ", ".join(file.name for file in given.texts) or "the sentences that ship",
        },
        "seconds": time.perf_counter() - begin,
    }
    results["figures"] = {k: f and asdict(f) for k, f in figures(results).items()}
    (plan.folder / "results.json").write_text(json.dumps(results, ensure_ascii=False, indent=2))
    table = report.markdown(results)
    (plan.folder / "report.md").write_text(table, encoding="utf-8")
    report.plot(results, plan.folder)
    print(f"\n{table}\n{plan.folder}/report.md, results.json, *.png")


def describe_machine() -> dict[str, Any]:
    """What it ran on, and how busy that was before."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": (names or ["unknown processor"])[0],
        "cpus": cpu_quota(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
