"""The sources of a recipe → training rows and held-out examples."""

import logging
import random
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from models.tokenizer import TextTokenizer
from training.augment import compose
from training.config import Recipe, Source
from training.data import Example, check_leaks, hold_out, read_examples
from training.errors import TrainingError
from training.rows import Columns
from training.targets import TrainingRow, training_row

log = logging.getLogger(__name__)

# How far a text that a source calls positive or negative may be mixed, if the source has no mixed.
_ALLOWANCE = 0.5


@dataclass(slots=True)
class Mixture:
    """What is trained on and what is held out, by source."""

    train: list[tuple[Source, list[Example]]] = field(default_factory=list)
    dev: dict[str, list[Example]] = field(default_factory=dict)


def read_mixture(recipe: Recipe) -> Mixture:
    """Read every source, keep its dev part apart, and refuse texts that are in both.

    Raises:
        TrainingError: see `read_examples` and `check_leaks`.
    """
    mixture = Mixture()
    _check_names(recipe)
    for source in recipe.sources:
        examples = _read(source.train, source)
        if source.labels:
            examples = [e for e in examples if (e.label or "") in source.labels]
        if source.mixed_allowance is None:
            knows_mixed = any(example.label == "mixed" for example in examples)
            source = replace(source, mixed_allowance=0.0 if knows_mixed else _ALLOWANCE)
        if source.dev:
            dev = _read(source.dev, source)
        else:
            examples, dev = hold_out(examples, source.hold_out)
        mixture.train.append((source, examples))
        mixture.dev[source.name] = dev
    _check_held_out(mixture.dev)
    held = [example for dev in mixture.dev.values() for example in dev]
    for i, (source, examples) in enumerate(mixture.train):
        clean, leaks = check_leaks(examples, held, drop=recipe.drop_leaks)
        if leaks:
            log.warning("%s: %d texts are also held out and were dropped", source.name, leaks)
        mixture.train[i] = (source, clean)
    return mixture


def _read(file: str, source: Source) -> list[Example]:
    columns = Columns(source.text_column, source.label_column, source.label_map, source.encoding)
    examples, report = read_examples(file, columns, source=source.name)
    log.info("%s: %s", file, "\n  ".join(report.lines()))
    silent = sum(not example.teaches for example in examples)
    if silent == len(examples):
        others = ", ".join(examples[0].meta) or "no other columns"
        raise TrainingError(
            f"{file} has no row with a label in {source.label_column!r} (name it with "
            f"--label-column), a leaning or spans; there are {others}"
        )
    if silent:
        log.warning("%s: %s rows have no label and teach nothing", file, f"{silent:,}")
    return examples


def training_rows(
    mixture: Mixture, recipe: Recipe, tokenizer: TextTokenizer, seed: int
) -> list[TrainingRow]:
    """Tokenised rows of one epoch, in the shares that the recipe gives the sources."""
    rng = random.Random(seed)
    chosen: list[tuple[Source, Example]] = []
    for source, examples in mixture.train:
        whole, part = divmod(source.share, 1)
        chosen += [(source, e) for e in examples * int(whole)]
        chosen += [(source, e) for e in rng.sample(examples, round(part * len(examples)))]
    if recipe.composed:
        everything = [example for _, examples in mixture.train for example in examples]
        composed = Source(train="composed", name="composed")
        chosen += [(composed, e) for e in compose(everything, recipe.composed, seed)]
    return [
        training_row(example, source, tokenizer, recipe.mixed_leaning)
        for source, example in tqdm(chosen, desc="tokenise", unit=" texts", mininterval=2)
    ]


def read_dev(recipe: Recipe) -> dict[str, list[Example]]:
    """The held-out examples of every source, by its name."""
    held: dict[str, list[Example]] = {}
    _check_names(recipe)
    for source in recipe.sources:
        examples = _read(source.dev or source.train, source)
        if not source.dev:
            wanted = [e for e in examples if not source.labels or (e.label or "") in source.labels]
            _, examples = hold_out(wanted, source.hold_out)
        held[source.name] = examples
    _check_held_out(held)
    return held


def _check_names(recipe: Recipe) -> None:
    names = [source.name for source in recipe.sources]
    for name in names:
        if names.count(name) > 1:
            raise TrainingError(f"two sources are named {name!r}; rename a file, or set `name`")


def _check_held_out(dev: dict[str, list[Example]]) -> None:
    if not any(dev.values()):
        raise TrainingError("no text is held out to measure on: give --dev, or more data")
