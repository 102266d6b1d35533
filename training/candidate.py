"""Make a candidate of a trained network: export, choose precision, calibrate, evaluate, write down.

A candidate is a whole model folder, ready to be promoted or served from where it lies.
"""

import json
import logging
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from models import Classifier
from models.artifact import (
    CONFIG,
    GOLDEN,
    MODEL_CARD,
    TOKENIZER,
    WEIGHTS,
    Manifest,
    load_manifest,
    sha256,
    verify,
    write_manifest,
)
from models.engine import EngineName, choose
from models.network import DanshiNetwork
from models.ngrams import NGRAMS
from models.tokenizer import TextTokenizer
from training.calibrate import calibrate
from training.config import Precision, Recipe
from training.data import Example
from training.errors import TrainingError
from training.evaluate import evaluate
from training.export import export_network
from training.metrics import Said, main_figure
from training.report import model_card, write_report

log = logging.getLogger(__name__)

NAME = "danshi-zh"
INT8_GATE = 0.005
GOLDEN_TEXTS = (
    "这部电影不坏，但也不算特别好。",
    "房间很干净，前台也热情，下次还住这里。",
    "等了两个小时，送来的菜全是凉的，再也不点了。",
    "包装盒是蓝色的，里面有一根数据线。",
    "屏幕清晰，音质也好，就是电池太不耐用了。",
    "虽然位置偏了点，但是服务真的没话说！",
)


def make_candidate(
    network_folder: Path,
    dev: Mapping[str, Sequence[Example]],
    folder: Path,
    *,
    recipe: Recipe,
    version: str | None = None,
    precision: Precision = "int8",
) -> dict[str, Any]:
    """Write the model folder `folder` from a trained network; returns its scores.

    Raises:
        TrainingError: the export differs from torch, or int8 loses over `INT8_GATE` of the
            sets' mean against the float network.
    """
    about = json.loads((network_folder / "training.json").read_text(encoding="utf-8"))
    building = _aside(folder)
    building.mkdir(parents=True)
    shutil.copyfile(network_folder / TOKENIZER, building / TOKENIZER)
    if (network_folder / NGRAMS).is_file():
        shutil.copyfile(network_folder / NGRAMS, building / NGRAMS)
    tokenizer = TextTokenizer.load(building / TOKENIZER, about["max_length"])
    # The half-precision weights are what is served: what is exported is rounded as they are.
    network = DanshiNetwork.from_pretrained(network_folder).half().float()
    write_weights(network, building)
    probes = [example.text for part in dev.values() for example in list(part)[:8]]
    texts = (*GOLDEN_TEXTS, *probes, GOLDEN_TEXTS[1] * about["max_length"])
    export_network(network, tokenizer, texts, building, quantise=precision == "int8")

    manifest = replace(_manifest(about, recipe, version), precision=precision)
    if precision == "int8":
        write_manifest(building, manifest)
        manifest = replace(manifest, precisions=compare_precision(building, dev))
    scores = finish_candidate(building, manifest, dev)
    _replace(folder, building)
    return scores


def calibrate_again(folder: Path, dev: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    """Calibrate and evaluate the candidate in `folder` on `dev`; returns its scores.

    Raises:
        ArtifactError: the candidate is damaged.
    """
    manifest = load_manifest(folder)
    verify(folder, manifest)
    building = _aside(folder)
    shutil.copytree(folder, building)
    scores = finish_candidate(building, manifest, dev)
    _replace(folder, building)
    return scores


def _aside(folder: Path) -> Path:
    """Where to build: what fails a gate, or is cut off, is never a candidate, and none is lost."""
    building = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(building, ignore_errors=True)
    return building


def _replace(folder: Path, building: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)


def finish_candidate(
    folder: Path, manifest: Manifest, dev: Mapping[str, Sequence[Example]]
) -> dict[str, Any]:
    """Calibrate the model in `folder` as served here, evaluate it, write golden texts, report."""
    write_manifest(folder, manifest)
    classifier = Classifier.load(folder)
    heat, ngrams = calibrate(classifier, dev)
    manifest = replace(
        manifest,
        temperatures=asdict(heat),
        ngrams=asdict(ngrams) if ngrams else {},
        measured_with=classifier.engine_name,
    )
    write_manifest(folder, manifest)
    classifier = Classifier.load(folder)
    scores, said = evaluate(classifier, dev)
    _write_golden(classifier, folder)
    manifest = replace(manifest, scores=summary(scores), reference=_reference(said))
    (folder / MODEL_CARD).write_text(model_card(manifest, scores), encoding="utf-8")
    write_manifest(folder, manifest)
    Classifier.load(folder).check_golden()
    if manifest.precision == "int8":  # what other processors take must say the same
        Classifier.load(folder, engine="onnxruntime-int8").check_golden()
    write_report(folder.parent / "report", load_manifest(folder), scores, said)
    return scores


def compare_precision(folder: Path, dev: Mapping[str, Sequence[Example]]) -> dict[str, float]:
    """Print the float network beside int8, and stop if int8 lost too much; means by engine.

    Raises:
        TrainingError: the mean of the sets' main figures fell by over `INT8_GATE`.
    """
    exact: EngineName = choose(folder, "fp32")
    full, _ = evaluate(Classifier.load(folder, engine=exact), dev)
    quantised, _ = evaluate(Classifier.load(folder, engine="onnxruntime-int8"), dev)
    log.info("%-22s %18s  onnxruntime-int8", "", exact)
    for name, figures in full["sets"].items():
        before, after = main_figure(figures), main_figure(quantised["sets"][name])
        points = 100 * (after - before)
        log.info("%-22s %18.4f %17.4f  %+.2f points", name, before, after, points)
    lost = full["mean"] - quantised["mean"]
    if lost > INT8_GATE:
        raise TrainingError(
            f"int8 loses {100 * lost:.2f} points of the dev mean against {exact}, allowed are "
            f"{100 * INT8_GATE:.1f}; export with --precision fp32"
        )
    return {exact: _rounded(full["mean"]), "onnxruntime-int8": _rounded(quantised["mean"])}


def write_weights(network: DanshiNetwork, folder: Path) -> None:
    """Half precision: small enough to release, exact enough to serve and to start from."""
    state = {k: v.to(torch.float16).contiguous() for k, v in network.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    # safetensors writes for the owner alone; a mounted model is read by another user.
    (folder / WEIGHTS).chmod(0o644)
    network.config.to_json_file(folder / CONFIG)


def _manifest(about: Mapping[str, Any], recipe: Recipe, version: str | None) -> Manifest:
    now = datetime.now(UTC)
    return Manifest(
        name=NAME,
        version=version or now.strftime("%Y.%m.%d.%H%M"),
        created=now.isoformat(timespec="seconds"),
        max_length=about["max_length"],
        precision="int8",
        encoder=about["encoder"],
        licence="weights: {licence}, from the encoder {name}".format(**about["encoder"]),
        data=tuple(_data(recipe)),
        training={k: v for k, v in about.items() if k not in ("encoder", "max_length")},
        code_commit=_commit(),
    )


def _data(recipe: Recipe) -> list[dict[str, Any]]:
    """Names, shares and hashes of what was trained and measured on."""
    entries = []
    for source in recipe.sources:
        entry: dict[str, Any] = {"name": source.name, "share": source.share}
        for part, file in (("train", source.train), ("dev", source.dev)):
            if file and Path(file).is_file():
                entry[part] = {"file": Path(file).name, "sha256": sha256(Path(file))}
        entries.append(entry)
    return entries


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def summary(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that the manifest keeps, rounded."""
    kept = (
        "texts", "accuracy", "macro_f1", "label_ece", "label_ece_by_chance", "side_accuracy",
        "side_ece",
        "clause_accuracy", "contrast_clause_accuracy", "called_mixed",
    )  # fmt: skip
    sets = {}
    for name, figures in scores["sets"].items():
        sets[name] = {k: _rounded(figures[k]) for k in kept if k in figures}
        if "mixed" in figures.get("classes", {}):
            sets[name]["mixed_f1"] = _rounded(figures["classes"]["mixed"]["f1"])
    return {"mean": _rounded(scores["mean"]), "sets": sets, "consistency": scores["consistency"]}


def _rounded(value: float) -> float:
    return round(value, 4)


def _reference(said: Mapping[str, Sequence[Said]]) -> dict[str, Any]:
    """What the model says on dev, to tell drift from: label shares and confidences."""
    results = [s.result for part in said.values() for s in part]
    shares = {
        label: _rounded(sum(r.label == label for r in results) / len(results))
        for label in ("positive", "neutral", "negative", "mixed")
    }
    confidence = [max(r.scores.values()) for r in results]
    edges = [round(0.1 * i, 1) for i in range(3, 11)]
    counts = [sum(c <= edge for c in confidence) for edge in edges]
    return {
        "texts": len(results),
        "label_share": shares,
        "confidence_cumulative": {
            str(e): _rounded(c / len(results)) for e, c in zip(edges, counts, strict=True)
        },
    }


def _write_golden(classifier: Classifier, folder: Path) -> None:
    lines = []
    for text in GOLDEN_TEXTS:
        result = classifier.classify(text)
        lines.append(
            json.dumps(
                {
                    "text": text,
                    "label": result.label,
                    "polarity": result.polarity,
                    "clauses": [clause.label for clause in result.clauses],
                },
                ensure_ascii=False,
            )
        )
    (folder / GOLDEN).write_text("\n".join(lines) + "\n", encoding="utf-8")
