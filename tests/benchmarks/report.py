"""The figures as a table of Markdown, with their goals, and as plots."""

from pathlib import Path
from typing import Any

from tests.benchmarks.figures import GOALS, Results, figures, middle, over

_LATENCIES = ("p50", "p95", "p99")


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
        f"on average; {len(results['rounds'])} rounds, {results['seconds']:.0f} s. "
        "Medians over the rounds, with the least and the most.", "",
        "| figure | goal | here | |", "|---|---|---|---|",
    ]  # fmt: skip
    if machine["load"] > 0.5:
        lines.insert(
            3, "**The machine was not idle before the run: take the figures as a guess.**\n"
        )
    for name, key, goal, more in GOALS:
        figure = found[key]
        met = "" if figure is None else "yes" if _met(figure.median, goal, more) else "no"
        lines.append(
            f"| {name} | {'≥' if more else '≤'} {goal:g} | {'–' if figure is None else figure} "
            f"| {met} |"
        )
    return "\n".join(
        [*lines, "", *_rates(results), "", *_latencies(results), "", *_lengths(results), ""]
    )


def _met(value: float, goal: float, more: bool) -> bool:
    return value >= goal if more else value <= goal


def _rates(results: Results) -> list[str]:
    rounds = results["rounds"]
    lines = [
        "| what | texts/s | p50 ms | p95 ms | p99 ms | failed | MB | start s |",
        "|---|---|---|---|---|---|---|---|",
        f"| engine alone | {middle(rounds, 'single_64', 'engine', 'texts_per_second'):,.0f} "
        "| | | | | | |",
        *_server("Danshi", results),
        f"| Danshi, bulk command | {middle(rounds, 'bulk', 'texts_per_second'):,.0f} | | | | | | |",
    ]
    for name, found in results["peers"].items():
        if "error" in found:
            lines.append(f"| {name}: does not run here: {found['error']} | | | | | | | |")
        else:
            lines += _server(name, found)
    return lines


def _server(name: str, found: Results) -> list[str]:
    lines = []
    tail = f"{found['memory_mb']:,.0f} | {over(found['starts_s'], float).median:.1f}"
    for key, what in (
        ("single_1", "1 connection"), ("single_8", "8 connections"),
        ("single_64", "64 connections"), ("batches", "batches of 64"),
    ):  # fmt: skip
        if key in found["rounds"][0]:
            rate = middle(found["rounds"], key, "texts_per_second")
            cells = " | ".join(f"{middle(found['rounds'], key, p):.1f}" for p in _LATENCIES)
            failed = sum(one[key]["failed"] for one in found["rounds"])
            lines.append(f"| {name}, {what} | {rate:,.0f} | {cells} | {failed} | {tail} |")
            tail = " | "
    return lines


def _latencies(results: Results) -> list[str]:
    lines = [
        "| open loop | requests/s | p50 ms | p95 ms | p99 ms | failed |",
        "|---|---|---|---|---|---|",
    ]
    for share in results["rounds"][0]["open_loop"]:
        rate, *parts = (
            middle(results["rounds"], "open_loop", share, key) for key in ("rate", *_LATENCIES)
        )
        cells = " | ".join(f"{part:.1f}" for part in parts)
        failed = sum(one["open_loop"][share]["failed"] for one in results["rounds"])
        lines.append(f"| {share} of the maximum | {rate:.0f} | {cells} | {failed} |")
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

    rounds = results["rounds"]
    rates = {
        "engine alone": middle(rounds, "single_64", "engine", "texts_per_second"),
        "bulk command": middle(rounds, "bulk", "texts_per_second"),
    }
    for name, found in {"Danshi": results, **results["peers"]}.items():
        for key, what in (("batches", "batches of 64"), ("single_64", "single")):
            if key in found.get("rounds", [{}])[0]:
                rates[f"{name}, {what}"] = middle(found["rounds"], key, "texts_per_second")
    figure, axes = pyplot.subplots(figsize=(8, 0.4 * len(rates) + 1))
    bars = axes.barh(list(rates)[::-1], list(rates.values())[::-1])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("texts a second")
    _save(figure, folder / "rates.png")

    shares = list(rounds[0]["open_loop"])
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for part in _LATENCIES:
        values = [middle(rounds, "open_loop", share, part) for share in shares]
        axes.plot(shares, values, marker="o", label=part)
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
