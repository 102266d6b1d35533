"""All that decides a run: written to RUN/run.json at its start, read again when it goes on."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from training.config import Precision, Recipe, Source
from training.errors import TrainingError

RUN = "run.json"

# Options of `danshi train` that are not named as what they decide.
_DECIDES = {
    "data": "sources",
    "dev": "sources",
    "data_folder": "sources",
    "text_column": "sources",
    "label_column": "sources",
    "label_map": "sources",
    "encoding": "sources",
    "model_version": "version",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is begun with.

    accumulate: batches a step.
    bf16: half precision; None where the hardware has it.
    precision, version: of the candidate.
    processes: how many train together.
    """

    recipe: Recipe
    seed: int = 1
    accumulate: int = 1
    bf16: bool | None = None
    precision: Precision = "int8"
    version: str | None = None
    processes: int = 1

    def write(self, folder: Path) -> None:
        """Keep it in the run's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / RUN).write_text(content, encoding="utf-8")


def read_plan(folder: Path, unsaid: Plan | None = None) -> Plan:
    """What the run in `folder` was begun with.

    Args:
        unsaid: where to look up what it does not say, if an earlier version began it.

    Raises:
        TrainingError: `folder` is no run, or one of another version of this.
    """
    try:
        content = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{folder} is not the folder of a run: it has no {RUN}") from error
    recipe = content.pop("recipe")
    sources = recipe.pop("sources")
    try:
        sources = tuple(Source(**{**s, "labels": tuple(s["labels"])}) for s in sources)
        recipe = Recipe(sources=sources, **recipe)
        return replace(unsaid or Plan(recipe), recipe=recipe, **content)
    except TypeError as error:
        raise TrainingError(f"{folder} was begun by another version of this: {error}") from error


def check_unchanged(folder: Path, begun: Plan, asked: Plan, options: Collection[str]) -> None:
    """That what is asked of a run that goes on is what it was begun with.

    Args:
        options: names of the options of `danshi train` that were given now. What is not given is
            as it was; a recipe gives all of its settings.

    Raises:
        TrainingError: an option, or the number of processes, says something else.
    """
    before, now = _decisions(begun), _decisions(asked)
    given = {"processes", *(_DECIDES.get(option, option) for option in options)}
    if "recipe" in given:
        given |= {field.name for field in fields(Recipe)}
    changed = [name for name in before if name in given and before[name] != now[name]]
    if changed:
        told = [
            "other data" if name == "sources" else f"{name} {before[name]}, not {now[name]}"
            for name in changed
        ]
        raise TrainingError(
            f"{folder} was begun with {'; '.join(told)}. --resume goes on as it was begun: leave "
            "these options out, or start another run"
        )


def _decisions(plan: Plan) -> dict[str, Any]:
    parts = {field.name: getattr(plan, field.name) for field in fields(Plan)}
    recipe: Recipe = parts.pop("recipe")
    return {field.name: getattr(recipe, field.name) for field in fields(Recipe)} | parts
