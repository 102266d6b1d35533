"""What a training run is made of: typed, read from a TOML recipe, checked at once."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from training.errors import TrainingError

Precision = Literal["int8", "fp32"]

# Of some numbers of a recipe, the least and the most.
_LIMITS = (("encoder_dropout", 0.0, 0.99), ("adversarial", 0.0, 10.0), ("mixed_leaning", 0.5, 1.0))

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class Source:
    """One data set of the mixture and what it can teach.

    Attributes:
        train: file, or hf:ID[:SPLIT].
        dev: file of the held-out part; without it `hold_out` of `train` is held out.
        share: how often each row is used in an epoch: 0.5 is a fixed half, 2.0 is twice.
        labels: use only rows with these labels, all by default.
        loss_weight: how much each row counts.
        mixed_allowance: weight of `mixed` where the label says positive or negative;
            0 where the source knows `mixed`, up to 1 where it does not. None: 0 if some text of
            the source is labelled mixed, else 0.5.
        teaches_document: whether the label is one of our four in our sense.
        single_clause_weight: belief in the label of a one-clause text as its clause's.
        sided_turns: whether the label tells which side wins in a short text with a turn. Stars do
            not: people give five to 好吃，就是慢.
        unannotated_weight: belief that a clause without a span is neutral.
        text_column, label_column: what the file calls them.
        label_map: its labels as ours.
        encoding: of a text file.
    """

    train: str
    dev: str | None = None
    name: str = ""
    hold_out: float = 0.05
    share: float = 1.0
    labels: tuple[str, ...] = ()
    loss_weight: float = 1.0
    mixed_allowance: float | None = 0.0
    teaches_document: bool = True
    single_clause_weight: float = 0.5
    sided_turns: bool = True
    unannotated_weight: float = 0.0
    text_column: str = "text"
    label_column: str = "label"
    label_map: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole run.

    encoder_dropout: of the hidden states inside the encoder, at least 0 and below 1.
    adversarial: how far each text's embeddings are moved to where its loss is higher, to be read
        once more in the same step (see `training.adversary`); 0 leaves that out, and takes half
        the time.
    mixed_leaning: how sure a mixed text is of the side that wins, 0.5 (not at all) to 1.0 (as
        sure as plain praise).
    ngrams: `fit` those beside the network to the rows of the run, from those of the start if
        there are any; `keep` the start's as they are; `none`.
    schedule: how the learning rate goes on behind the warm-up, as the Trainer names it;
    `constant_with_warmup` for a stage that another follows.
    """

    sources: tuple[Source, ...]
    encoder: str = "released"
    max_length: int = 192
    epochs: float = 1.0
    batch_size: int = 32
    learning_rate: float = 1e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    composed: int = 0
    leaning_loss: float = 1.0
    clause_loss: float = 1.0
    relation_loss: float = 0.5
    agreement_loss: float = 0.0
    encoder_dropout: float = 0.0
    adversarial: float = 0.0
    mixed_leaning: float = 1.0
    schedule: str = "linear"
    ngrams: str = "fit"
    drop_leaks: bool = False
    serving_max_length: int = 256


def load_recipe(file: Path, data: Path | None = None) -> Recipe:
    """Read a recipe; paths of its sources are relative to `data`, else to the recipe.

    Raises:
        TrainingError: missing, not TOML, or a name that a recipe does not have.
    """
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"cannot read the recipe {file}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"{file} is not TOML: {error}") from error
    base = data or file.parent
    sources = tuple(_source(entry, base, file) for entry in raw.pop("sources", []))
    if not sources:
        raise TrainingError(f"{file} names no [[sources]]")
    _check_names(Recipe, raw, str(file))
    recipe = Recipe(sources=sources, **raw)
    for name, low, high in _LIMITS:
        if not low <= (value := getattr(recipe, name)) <= high:
            raise TrainingError(f"{file}: {name} must be {low:g} to {high:g}, not {value}")
    if recipe.ngrams not in ("fit", "keep", "none"):
        raise TrainingError(f"{file}: ngrams must be fit, keep or none, not {recipe.ngrams!r}")
    return recipe


def _source(entry: dict[str, Any], base: Path, file: Path) -> Source:
    _check_names(Source, entry, f"{file}, source {entry.get('train', '?')}")
    if "train" not in entry:
        raise TrainingError(f"{file}: a source has no `train`")
    entry = {**entry, "labels": tuple(entry.get("labels", ()))}
    for part in ("train", "dev"):
        if part in entry:
            entry[part] = _locate(entry[part], base)
    entry.setdefault("name", Path(entry["train"]).name.split(".")[0])
    return Source(**entry)


def _locate(file: str, base: Path) -> str:
    """`hf:…` as it is, `danshi:…` within this package, anything else from `base`."""
    if file.startswith("hf:"):
        return file
    if file.startswith("danshi:"):
        return str(Path(__file__).parent / file.removeprefix("danshi:"))
    return str(base / file)


def _check_names(kind: type, entry: dict[str, Any], where: str) -> None:
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(entry) - known):
        raise TrainingError(
            f"{where}: unknown {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
