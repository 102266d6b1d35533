"""The figures as a table of Markdown, with their goals, and as plots."""

from pathlib import Path
from typing import Any

Results = dict[str, Any]

# Figure, its value of the results, goal, and whether more is better.
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


def figures(results: Results) -> dict[str, float | None]:
    """The figures that have goals; None where a peer did not run."""
    alone, served = results["engine"]["texts_per_second"], results["service"]
    idle = served["single_1"]["p50"]
    single = served["single_64"]["texts_per_second"]
    others = {
        name: max(found[key]["texts_per_second"] for key in ("single_1", "single_64"))
        for name, found in results["peers"].items()
        if "error" not in found
    }
    handmade = others.get("FastAPI + pipeline")
    return {
        "batches_share": served["batches"]["texts_per_second"] / alone,
        "single_share": single / alone,
        "bulk_share": results["bulk"]["texts_per_second"] / alone,
        "overhead_ms": idle - results["engine"]["lone_ms"],
        "tail": served["open_loop"]["70%"].get("p99", float("inf")) / idle,
        "handmade": single / handmade if handmade else None,
        "best_peer": single / max(others.values()) if others else None,
        "cold_start_s": served["cold_start_s"],
        "memory_mb": served["memory_mb"],
    }


def markdown(results: Results) -> str:
    """The whole report."""
    found = figures(results)
    machine = results["machine"]
    lines = [
        "# Benchmark", "",
        f"{machine['processor']}, {machine['cpus']} CPUs, "
        f"load before the run {machine['load']:.1f}; "
        f"engine {results['engine']['engine']}; {results['texts']['count']} texts of "
        f"{results['texts']['source']}, {results['engine']['tokens_per_text']:.0f} tokens each "
        f"on average; {results['seconds']:.0f} s.", "",
        "| figure | goal | here | |", "|---|---|---|---|",
    ]  # fmt: skip
    if machine["load"] > 0.5:
        lines.insert(
            3, "**The machine was not idle before the run: take the figures as a guess.**\n"
        )
    for name, key, goal, more in GOALS:
        value = found[key]
        here = "–" if value is None else f"{value:.2f}"
        met = "" if value is None else "yes" if (value >= goal) == more or value == goal else "no"
        lines.append(f"| {name} | {'≥' if more else '≤'} {goal:g} | {here} | {met} |")
    return "\n".join(
        [*lines, "", *_rates(results), "", *_latencies(results), "", *_lengths(results), ""]
    )


def _rates(results: Results) -> list[str]:
    served, engine = results["service"], results["engine"]
    lines = [
        "| what | texts/s | p50 ms | p95 ms | p99 ms | failed | MB | start s |",
        "|---|---|---|---|---|---|---|---|",
        f"| engine alone ({engine['tokens_per_second']:,.0f} tokens/s; "
        f"first {engine['first']:,.0f}, last {engine['last']:,.0f}) "
        f"| {engine['texts_per_second']:,.0f} | | | | | | |",
    ]
    lines += _server("Danshi", served)
    lines.append(
        f"| Danshi, bulk command | {results['bulk']['texts_per_second']:,.0f} | | | | | | |"
    )
    for name, found in results["peers"].items():
        if "error" in found:
            lines.append(f"| {name}: does not run here: {found['error']} | | | | | | | |")
        else:
            lines += _server(name, found)
    return lines


def _server(name: str, found: Results) -> list[str]:
    lines = []
    tail = f"{found['memory_mb']:,.0f} | {found['cold_start_s']:.1f}"
    for key, what in (
        ("single_1", "1 connection"), ("single_8", "8 connections"),
        ("single_64", "64 connections"), ("batches", "batches of 64"),
    ):  # fmt: skip
        if key in found:
            f = found[key]
            lines.append(
                f"| {name}, {what} | {f['texts_per_second']:,.0f} | {f['p50']:.1f} "
                f"| {f['p95']:.1f} | {f['p99']:.1f} | {f['failed']} | {tail} |"
            )
            tail = " | "
    return lines


def _latencies(results: Results) -> list[str]:
    lines = [
        "| open loop | requests/s | p50 ms | p95 ms | p99 ms | failed |",
        "|---|---|---|---|---|---|",
    ]
    for share, f in results["service"]["open_loop"].items():
        cells = " | ".join(f"{f[p]:.1f}" if p in f else "–" for p in ("p50", "p95", "p99"))
        lines.append(f"| {share} of the maximum | {f['rate']:.0f} | {cells} | {f['failed']} |")
    return lines


def _lengths(results: Results) -> list[str]:
    costs = results["engine"]["by_length_ms"]
    return [
        "| characters | " + " | ".join(costs) + " |",
        "|---" * (len(costs) + 1) + "|",
        "| ms for one text, alone | " + " | ".join(f"{ms:.1f}" for ms in costs.values()) + " |",
    ]


def plot(results: Results, folder: Path) -> None:
    """rates.png, latency.png and length.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rates = {"engine alone": results["engine"]["texts_per_second"],
             "bulk command": results["bulk"]["texts_per_second"]}  # fmt: skip
    for name, found in {"Danshi": results["service"], **results["peers"]}.items():
        for key, what in (("batches", "batches of 64"), ("single_64", "single")):
            if key in found:
                rates[f"{name}, {what}"] = found[key]["texts_per_second"]
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(rates) + 1))
    bars = axes.barh(list(rates)[::-1], list(rates.values())[::-1])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("texts a second")
    _save(figure, folder / "rates.png")

    loop = results["service"]["open_loop"]
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for part in ("p50", "p95", "p99"):
        axes.plot(list(loop), [f.get(part) for f in loop.values()], marker="o", label=part)
    axes.set(xlabel="share of the maximum rate, open loop", ylabel="latency, ms", yscale="log")
    axes.legend()
    _save(figure, folder / "latency.png")

    costs = results["engine"]["by_length_ms"]
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.plot([int(n) for n in costs], list(costs.values()), marker="o")
    axes.set(xlabel="characters", ylabel="ms for one text, alone", ylim=(0, None))
    _save(figure, folder / "length.png")
    pyplot.close("all")


def _save(figure: Any, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=120)
