"""The report of an evaluation: Markdown, JSON and plots, and the model card."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from models.artifact import Manifest
from training.metrics import ECE_BINS, Said, main_figure, side_right

_BLUE, _GREY, _RED = "#2166ac", "#999999", "#b2182b"


def write_report(
    folder: Path,
    manifest: Manifest,
    scores: Mapping[str, Any],
    said: Mapping[str, Sequence[Said]],
) -> Path:
    """Write report.md, report.json, mistakes.jsonl and the plots; returns the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"model": manifest.name, "version": manifest.version, **scores}
    (folder / "report.json").write_text(
        json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    _write_mistakes(folder / "mistakes.jsonl", said)
    pictures = [_plot_sources(folder, scores), _plot_reliability(folder, said)]
    for name, figures in scores["sets"].items():
        if "mixed" in figures.get("classes", {}):
            pictures.append(_plot_confusion(folder, name, figures))
    lines = [
        f"# {manifest.name} {manifest.version}: evaluation",
        "",
        f"Measured on held-out texts through the exported model ({manifest.measured_with}).",
        "",
        tables(scores),
        "",
        "`mistakes.jsonl` has every text whose label or side came out wrong, with what was said.",
        "",
        *(f"![{picture.stem}]({picture.name})" for picture in pictures),
        "",
    ]
    target = folder / "report.md"
    target.write_text("\n".join(lines), encoding="utf-8")
    return target


def _write_mistakes(file: Path, said: Mapping[str, Sequence[Said]]) -> None:
    """A line for each text whose label or side came out wrong: what was labelled, what was said.

    A label counts where it can be told from the set: a binary set has only a side.
    """
    with file.open("w", encoding="utf-8") as lines:
        for name, part in said.items():
            four_way = any(s.example.label == "mixed" for s in part)
            for s in part:
                wrong_label = four_way and s.example.label not in (None, s.result.label)
                if not wrong_label and side_right(s) is not False:
                    continue
                row = {
                    "set": name,
                    "phenomenon": s.example.meta.get("phenomenon"),
                    "text": s.example.text,
                    "label": s.example.label,
                    "leaning": s.example.leaning,
                    "said": s.result.as_dict(),
                }
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def tables(scores: Mapping[str, Any]) -> str:
    """The scores as Markdown tables that also read well in a terminal.

    Sets, classes, how far labels and clauses agree, and phenomena, the weakest first.
    """
    same = scores["consistency"]
    lines = [
        *_set_table(scores),
        "",
        "Side: the sign of `polarity` against the favourable or unfavourable label. ECE: expected "
        "calibration error over 15 bins. Sets without `mixed` or `neutral` among their labels have "
        "only a side. Plain called mixed: of the texts labelled positive or negative.",
        *_class_table(scores),
        "",
        f"Of the texts called mixed, {_cell(same['mixed_with_both_signs'])} have a favourable and "
        f"an unfavourable clause ({_cell(same.get('mixed_with_both_signs_unaided'))} before the "
        "clauses of a mixed text are made to show both); of the texts with both, "
        f"{_cell(same['both_signs_called_mixed'])} are called mixed.",
    ]
    if scores.get("phenomena"):
        lines += [
            "",
            *_phenomenon_table(scores["phenomena"]),
            "",
            "Turns right: texts whose turning words are exactly those that a reader marked. "
            "False turns: texts with a turning word that a reader did not mark.",
        ]
    return "\n".join(lines)


def _set_table(scores: Mapping[str, Any]) -> list[str]:
    head = (
        "set", "texts", "label accuracy", "macro-F1", "F1 mixed", "label ECE", "ECE by chance",
        "side accuracy",
        "side ECE", "clause accuracy", "with contrast", "plain called mixed",
    )  # fmt: skip
    keys = (
        "label_ece", "label_ece_by_chance", "side_accuracy", "side_ece", "clause_accuracy",
        "contrast_clause_accuracy", "plain_called_mixed",
    )  # fmt: skip
    rows = []
    for name, f in scores["sets"].items():
        f1_mixed = f.get("classes", {}).get("mixed", {}).get("f1")
        figures = (f.get("accuracy"), f.get("macro_f1"), f1_mixed, *map(f.get, keys))
        rows.append((name, f"{f['texts']:,}", *map(_cell, figures)))
    return _table(head, rows)


def _class_table(scores: Mapping[str, Any]) -> list[str]:
    rows = [
        (name, label, *(_cell(c[key]) for key in ("precision", "recall", "f1")), f"{c['texts']:,}")
        for name, figures in scores["sets"].items()
        for label, c in figures.get("classes", {}).items()
    ]
    if not rows:
        return []
    return ["", *_table(("set", "label", "precision", "recall", "F1", "texts"), rows, named=2)]


def _phenomenon_table(phenomena: Mapping[str, Mapping[str, Any]]) -> list[str]:
    head = ("phenomenon", "texts", "label", "side", "clauses", "turns right", "false turns")
    keys = ("label_accuracy", "side_accuracy", "clause_accuracy", "turns_right", "false_turns")
    weakest_first = sorted(phenomena.items(), key=lambda item: item[1]["label_accuracy"])
    return _table(
        head,
        [
            (name, f"{f['texts']:,}", *(_cell(f.get(key)) for key in keys))
            for name, f in weakest_first
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], named: int = 1) -> list[str]:
    """Markdown with aligned columns: the `named` first to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < named else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        f":{'-' * (width + 1)}" if i < named else f"{'-' * (width + 1)}:"
        for i, width in enumerate(widths)
    )
    return [line(head), f"|{rule}|", *map(line, rows)]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _plot_sources(folder: Path, scores: Mapping[str, Any]) -> Path:
    names = list(scores["sets"])
    values = [main_figure(scores["sets"][name]) for name in names]
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(names) + 1), layout="constrained")
    axes.barh(names, values, color=_BLUE)
    for i, value in enumerate(values):
        axes.text(
            value - 0.01, i, f"{value:.3f}", va="center", ha="right", color="white", fontsize=8
        )
    axes.set(xlim=(0, 1), xlabel="label accuracy, or side accuracy where the set has only sides")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return _save(figure, folder / "sources.png")


def _plot_reliability(folder: Path, said: Mapping[str, Sequence[Said]]) -> Path:
    """How often the model is right, against how sure it said it was."""
    figure, panels = plt.subplots(1, 2, figsize=(8, 4), layout="constrained", sharey=True)
    everything = [s for part in said.values() for s in part]
    sided = [s for s in everything if s.example.leaning in (0.0, 1.0)]
    four_way = [
        s
        for part in said.values()
        if any(s.example.label == "mixed" for s in part)
        for s in part
        if s.example.label is not None
    ]
    _reliability(
        panels[0],
        "side that wins",
        [(1 + abs(s.result.polarity)) / 2 for s in sided],
        [(s.result.polarity >= 0) == (s.example.leaning == 1.0) for s in sided],
    )
    _reliability(
        panels[1],
        "label, four-way sets",
        [max(s.result.scores.values()) for s in four_way],
        [s.result.label == s.example.label for s in four_way],
    )
    panels[0].set_ylabel("share that is right")
    return _save(figure, folder / "reliability.png")


def _reliability(axes: Any, title: str, confidence: Sequence[float], right: Sequence[bool]) -> None:
    sure, hit = np.array(confidence), np.array(right)
    bins = np.clip((sure * ECE_BINS).astype(int), 0, ECE_BINS - 1)
    shown = [b for b in range(ECE_BINS) if (bins == b).sum() >= 10]
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    axes.plot(
        [sure[bins == b].mean() for b in shown],
        [hit[bins == b].mean() for b in shown],
        color=_RED,
        marker="o",
    )
    axes.set(title=f"{title} ({len(sure):,} texts)", xlabel="confidence", xlim=(0, 1), ylim=(0, 1))


def _plot_confusion(folder: Path, name: str, figures: Mapping[str, Any]) -> Path:
    labels = figures["confusion_labels"]
    counts = np.array(figures["confusion"])
    share = counts / counts.sum(1, keepdims=True).clip(min=1)
    figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        axes.text(
            j, i, f"{share[i, j]:.0%}\n{counts[i, j]:,}", ha="center", va="center", fontsize=9,
            color="white" if share[i, j] > 0.5 else "black",
        )  # fmt: skip
    places = range(len(labels))
    axes.set(title=name, xticks=places, yticks=places, xlabel="said", ylabel="labelled")
    axes.set_xticklabels(labels)
    axes.set_yticklabels(labels)
    return _save(figure, folder / f"confusion_{name}.png")


def _save(figure: Any, file: Path) -> Path:
    figure.savefig(file, dpi=130)
    plt.close(figure)
    return file


def model_card(manifest: Manifest, scores: Mapping[str, Any]) -> str:
    """The card that travels with the model."""
    data = "\n".join(
        f"- {entry['name']} (used {entry['share']:g} times an epoch)" for entry in manifest.data
    )
    return f"""# {manifest.name} {manifest.version}

Sentiment of Chinese reviews: a label (positive, neutral, negative, mixed), the side that
wins, and the polarity of each clause as it is meant in the whole text.

- Encoder: {manifest.encoder["name"]} ({manifest.encoder["source"]})
- Licence: {manifest.licence}. To retrain from a permissively licensed encoder:
  `danshi train --encoder hfl/rbt3` (or another hub id or folder).
- Served in bfloat16 or full precision from the weights file{_int8(manifest)}; windows of
  {manifest.max_length} tokens, long texts are read to their end.{_ngrams(manifest)}

## Training data
Public research data, of which most states no licence, and sentences written for this project:

{data}

## Scores
On held-out texts, through the exported model, with the engine {manifest.measured_with}. Repeat with
`danshi evaluate`.

{tables(scores)}

## Limits
- Reviews of goods, food, hotels and the like; news, politics and poetry were not seen.
- Irony is often missed where nothing but knowledge of the world gives it away.
- Binary sets do not know `mixed`; what is `mixed` in long reviews is learnt mostly from
  restaurants and cars.
- Written Cantonese and traditional characters are read, with less training data behind them.
- Scores are calibrated on the sets above; on other kinds of text they may be too sure.
"""


def _ngrams(manifest: Manifest) -> str:
    if not any(manifest.ngrams.values()):
        return ""
    counts = ", ".join(f"{weight:.2f} in {head}" for head, weight in manifest.ngrams.items())
    return f"""
- A linear model over n-grams of one to four characters adds its logits to the network's: {counts}
  of them."""


def _int8(manifest: Manifest) -> str:
    return ", or in 8-bit integers" if manifest.precision == "int8" else ""
