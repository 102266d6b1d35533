"""The classifier. `Classifier.load(folder).classify(text)` is all of it."""

from .classifier import Classifier
from .errors import ArtifactError, TextError
from .verdict import Clause, Connective, ModelName, Result

__all__ = [
    "ArtifactError",
    "Classifier",
    "Clause",
    "Connective",
    "ModelName",
    "Result",
    "TextError",
]
