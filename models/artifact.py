"""The released model on disk: a folder whose manifest names, and vouches for, every file.

No pickle anywhere: ONNX, safetensors, JSON.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .clauses import CLAUSE_RULES
from .engine import FLOAT_NETWORK, NETWORK
from .errors import ArtifactError
from .labels import CLAUSE_LABELS, LABELS
from .ngrams import NGRAMS, NgramWeights
from .text import NORMALISATION
from .verdict import Temperatures

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
WEIGHTS = "weights.safetensors"
CONFIG = "config.json"
# The float network's tensors lie in the weights file.
FLOAT_FILES = (FLOAT_NETWORK, WEIGHTS)
GOLDEN = "golden.jsonl"
MODEL_CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is, where it comes from, and what was measured of it.

    ngrams: what the n-grams' logits count beside the network's, by head; empty without them.
    precision: of network.onnx; `fp32` if there is only the float network.
    measured_with: the engine that the temperatures and scores are of.
    precisions: mean of the held-out figures by engine, where several were measured.
    """

    name: str
    version: str
    created: str
    max_length: int
    precision: str
    encoder: Mapping[str, str]
    licence: str
    temperatures: Mapping[str, float] = field(default_factory=lambda: asdict(Temperatures()))
    ngrams: Mapping[str, float] = field(default_factory=dict)
    data: tuple[Mapping[str, Any], ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    reference: Mapping[str, Any] = field(default_factory=dict)
    measured_with: str = "onnxruntime-int8"
    precisions: Mapping[str, float] = field(default_factory=dict)
    code_commit: str = "unknown"
    files: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = LABELS
    clause_labels: tuple[str, ...] = CLAUSE_LABELS
    normalisation: str = NORMALISATION
    clause_rules: str = CLAUSE_RULES
    schema_version: int = SCHEMA_VERSION

    def as_dict(self) -> dict[str, Any]:
        """The content of manifest.json."""
        return asdict(self)

    @property
    def heat(self) -> Temperatures:
        return Temperatures(**self.temperatures)

    @property
    def ngram_weights(self) -> NgramWeights:
        return NgramWeights(**self.ngrams)


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of `folder` and check that this code can serve it.

    Raises:
        ArtifactError: no folder, no manifest, not JSON, another schema, or other
            labels or text rules than this code has.
    """
    file = folder / MANIFEST
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{folder} is no model: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot read {file}: {error}") from error
    if not isinstance(raw, dict) or raw.get("schema_version") != SCHEMA_VERSION:
        found = raw.get("schema_version") if isinstance(raw, dict) else None
        raise ArtifactError(
            f"{file} has schema version {found}, this code reads {SCHEMA_VERSION}: "
            "export the model again"
        )
    known = {f.name for f in fields(Manifest)}
    try:
        manifest = Manifest(**{k: _frozen(v) for k, v in raw.items() if k in known})
    except TypeError as error:
        raise ArtifactError(f"{file} is not complete: {error}") from error
    ours = {
        "labels": LABELS,
        "clause_labels": CLAUSE_LABELS,
        "normalisation": NORMALISATION,
        "clause_rules": CLAUSE_RULES,
    }
    for name, value in ours.items():
        if (found := getattr(manifest, name)) != value:
            raise ArtifactError(f"{file} has {name} {found}, this code has {value}")
    return manifest


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def verify(folder: Path, manifest: Manifest) -> None:
    """Check every file of the manifest against its SHA-256.

    Raises:
        ArtifactError: a file is missing, or is not the one that was released.
    """
    needed = [TOKENIZER, *(FLOAT_FILES if FLOAT_NETWORK in manifest.files else (NETWORK,))]
    if manifest.precision == "int8":
        needed.append(NETWORK)
    if any(manifest.ngrams.values()):
        needed.append(NGRAMS)
    for name in needed:
        if name not in manifest.files:
            raise ArtifactError(f"the manifest of {folder} does not list {name}")
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise ArtifactError(f"{folder} is not complete: {name} is missing")
        if sha256(file) != expected:
            raise ArtifactError(
                f"{file} is not the file that was released: its SHA-256 differs from the manifest"
            )


def sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest with the hashes of all other files of `folder`."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != MANIFEST)
    content = manifest.as_dict() | {"files": {name: sha256(folder / name) for name in names}}
    text = json.dumps(content, ensure_ascii=False, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
