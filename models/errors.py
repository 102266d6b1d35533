"""What can go wrong inside `models`; each message is one sentence for a person."""


class TextError(ValueError):
    """The text cannot be classified (blank, or not valid Unicode)."""


class ArtifactError(RuntimeError):
    """The model folder is missing, damaged, or of another schema."""
