"""What stops a stage; the message is for the person who ran it."""


class TrainingError(RuntimeError):
    """The stage cannot go on; the message says what to change."""
