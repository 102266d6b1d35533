"""The classifier. `Classifier.load(folder).classify(text)` is all of it."""

from models.classifier import Classifier
from models.errors import ArtifactError, TextError
from models.verdict import Clause, Connective, Result

__all__ = ["ArtifactError", "Classifier", "Clause", "Connective", "Result", "TextError"]
