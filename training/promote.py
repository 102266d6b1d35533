"""Replace the released model by a candidate that is not worse on dev; and back again."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models import Classifier
from models.artifact import GOLDEN, MANIFEST, load_manifest, sha256, verify
from training.data import Example
from training.errors import TrainingError
from training.evaluate import evaluate
from training.metrics import main_figure

log = logging.getLogger(__name__)

# Two trainings that differ in their seed alone differ by about this much.
SEED_NOISE = 0.003


def compare(
    candidate: Path, released: Path, dev: Mapping[str, Sequence[Example]]
) -> tuple[str, float]:
    """A table of both models on the same dev sets, and the candidate's gain in their mean."""
    new, _ = evaluate(Classifier.load(candidate), dev)
    old, _ = evaluate(Classifier.load(released), dev)
    lines = [f"{'set':<24}{'released':>10}{'candidate':>11}{'points':>9}"]
    for name in new["sets"]:
        lines.append(_line(name, main_figure(old["sets"][name]), main_figure(new["sets"][name])))
    lines.append(_line("mean", old["mean"], new["mean"]))
    return "\n".join(lines), new["mean"] - old["mean"]


def _line(name: str, before: float, after: float) -> str:
    return f"{name:<24}{before:>10.4f}{after:>11.4f}{100 * (after - before):>+9.2f}"


def promote(
    candidate: Path,
    released: Path,
    dev: Mapping[str, Sequence[Example]],
    *,
    force: bool = False,
) -> str:
    """Make `candidate` the released model; the old one is kept for `rollback`.

    Returns the table of the comparison.

    Raises:
        ArtifactError: the candidate is damaged.
        TrainingError: the candidate is worse than the released model by more
            than seed noise, and `force` is not set.
    """
    manifest = load_manifest(candidate)
    verify(candidate, manifest)
    if GOLDEN not in manifest.files:
        raise TrainingError(f"{candidate} is no finished candidate: it has no {GOLDEN}")
    table = "no model is released yet: nothing to compare with"
    if (released / MANIFEST).is_file():
        if sha256(candidate / MANIFEST) == sha256(released / MANIFEST):
            raise TrainingError(f"{candidate} is the released model already")
        table, gain = compare(candidate, released, dev)
        if not gain >= -SEED_NOISE and not force:
            raise TrainingError(
                f"{table}\nthe candidate is worse by {-100 * gain:.2f} points of the mean, more "
                f"than seed noise ({100 * SEED_NOISE:.1f}); it stays a candidate unless --force"
            )
    _replace(released, candidate)
    return table


def rollback(released: Path) -> dict[str, Any]:
    """Swap the released model with the one that the last `promote` replaced.

    Returns the manifest of the model that is now released; a second call swaps back.

    Raises:
        TrainingError: no earlier model is kept.
    """
    previous = previous_folder(released)
    if not previous.is_dir():
        raise TrainingError(f"there is no earlier model in {previous}")
    verify(previous, load_manifest(previous))
    undone = released.with_name(f"{released.name}.undone")
    shutil.rmtree(undone, ignore_errors=True)
    if released.is_dir():  # it is not where a promotion was cut off
        released.rename(undone)
    previous.rename(released)
    if undone.is_dir():
        undone.rename(previous)
    return load_manifest(released).as_dict()


def previous_folder(released: Path) -> Path:
    return released.with_name(f"{released.name}.previous")


def _replace(released: Path, candidate: Path) -> None:
    """Copy first, then swap by renaming: at no time is half a model in place."""
    incoming = released.with_name(f"{released.name}.incoming")
    shutil.rmtree(incoming, ignore_errors=True)
    shutil.copytree(candidate, incoming)
    if released.is_dir():
        previous = previous_folder(released)
        shutil.rmtree(previous, ignore_errors=True)
        released.rename(previous)
    incoming.rename(released)
