"""`danshi models`: the models on this disk, what they are and what was measured of them."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.artifact import Manifest, load_manifest

# Beside the released model: what `danshi rollback` brings back, and where a run leaves its own.
_PREVIOUS = "{name}.previous"
_CANDIDATE = Path("runs/latest/candidate")
_FIGURES = {
    "accuracy": "label",
    "macro_f1": "macro-F1",
    "mixed_f1": "F1 mixed",
    "side_accuracy": "side",
    "clause_accuracy": "clauses",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One model: its part here, its folder, its manifest."""

    role: str
    folder: Path
    manifest: Manifest

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return {
            "role": self.role,
            "folder": str(self.folder),
            "name": self.manifest.name,
            "version": self.manifest.version,
            "created": self.manifest.created,
            "precision": self.manifest.precision,
            "encoder": dict(self.manifest.encoder),
            "licence": self.manifest.licence,
            "scores": dict(self.manifest.scores),
        }


def find_models(released: Path) -> Iterator[Entry]:
    """The released model, the one that it replaced, and the last run's candidate.

    Raises:
        ArtifactError: the released model is missing or damaged.
    """
    yield Entry("released", released, load_manifest(released))
    others = {
        "previous": released.absolute().with_name(_PREVIOUS.format(name=released.name)),
        "candidate": _CANDIDATE,
    }
    for role, folder in others.items():
        if (folder / "manifest.json").is_file():
            yield Entry(role, folder, load_manifest(folder))


def print_json(entries: Iterator[Entry]) -> None:
    """A JSON array."""
    shown = [entry.as_dict() for entry in entries]
    print(json.dumps(shown, ensure_ascii=False, indent=1 if sys.stdout.isatty() else None))


def print_tables(entries: Iterator[Entry]) -> None:
    """The models, and the scores of each by held-out set."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for entry in entries:
        manifest = entry.manifest
        lines = (
            f"{manifest.name} {manifest.version} ({entry.role}), {manifest.precision}, "
            f"made {manifest.created[:10]}",
            f"  folder   {entry.folder}",
            f"  encoder  {manifest.encoder.get('name', 'unknown')}",
            f"  licence  {manifest.licence}",
        )
        console.print("\n".join(lines), soft_wrap=True, markup=False)
        sets = manifest.scores.get("sets", {})
        table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
        table.add_column("  held-out set")
        for name in ("texts", *_FIGURES.values()):
            table.add_column(name, justify="right")
        for name, figures in sets.items():
            cells = [_cell(figures.get(key)) for key in _FIGURES]
            table.add_row(f"  {name}", f"{figures['texts']:,}", *cells)
        if sets:
            console.print(table)
        console.print()


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
