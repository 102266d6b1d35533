"""Danshi 但是: Chinese sentiment with the turn in it.

    import danshi
    danshi.classify("房间很干净，但是隔音太差了。")

A notebook shows the result as coloured clauses; `.label`, `.polarity`, `.clauses`
and `.as_dict()` are what the REST service answers. Nothing is sent anywhere.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models import (
        ArtifactError,
        Classifier,
        Clause,
        Connective,
        ModelName,
        Result,
        TextError,
    )

__all__ = [
    "ArtifactError",
    "Classifier",
    "Clause",
    "Connective",
    "ModelName",
    "Result",
    "TextError",
    "__version__",
    "classify",
    "classify_all",
    "load",
]


def _own_models() -> ModuleType:
    """The package in our folder `models`, under a name that no one else has.

    Many a project has a `models` of its own, and it would come first on the path.
    """
    here = Path(__file__).resolve().parent
    # Installed, the folder lies beside this package; in the repository, at its top.
    folder = here.parent / "models"
    if not folder.is_dir():
        folder = here.parents[2] / "models"
    name = f"{__name__}.models"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = _own_models()
if not TYPE_CHECKING:
    for _name in models.__all__:
        globals()[_name] = getattr(models, _name)

try:
    __version__ = version("danshi")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "unknown"


def load(folder: str | Path | None = None, *, threads: int = 0) -> "Classifier":
    """A classifier of your own: another model, or another number of threads.

    Args:
        folder: the model; by default DANSHI_MODEL_DIR, else the released one.
        threads: threads of the engine; 0 takes what the CPU quota allows.

    Raises:
        ArtifactError: the folder holds no sound model.
    """
    chosen = folder or os.environ.get("DANSHI_MODEL_DIR")
    released = Path(models.__path__[0]) / "released"
    return Classifier.load(Path(chosen) if chosen else released, threads=threads)


@cache
def _default() -> "Classifier":
    return load()


def classify(text: str) -> "Result":
    """What a reader sees in `text`. The first call loads the model, which takes a second.

    Raises:
        TextError: the text is blank, not valid Unicode, or no text at all.
        ArtifactError: as `load`.
    """
    if (refused := _refused(text)) is not None:
        raise refused
    return _default().classify(text)


def classify_all(texts: Iterable[str]) -> "list[Result | TextError]":
    """The results of `texts`, in their order; a wrong text has its error in its place.

    A missing value, as a table's column has it, is a wrong text.

    Raises:
        ArtifactError: as `load`.
    """
    stream = importlib.import_module(f"{models.__name__}.stream")
    items = ((None, _refused(text) or text) for text in texts)
    return [said for chunk in stream.classify_stream(_default(), items) for _, said in chunk]


def _refused(text: object) -> "TextError | None":
    """Why `text` is none, whatever the caller's types promised."""
    if isinstance(text, str):
        return None
    error: TextError = models.TextError(f"a text is a string, not {type(text).__name__}")
    return error
