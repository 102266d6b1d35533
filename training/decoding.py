"""Text files in the encoding that the user names; what is not in it is told, never guessed."""

import codecs
from pathlib import Path
from typing import TextIO

from training.errors import TrainingError


def open_text(path: Path, encoding: str) -> TextIO:
    """Open to read; a byte that does not belong becomes a surrogate, see `is_decoded`.

    Raises:
        TrainingError: there is no such encoding.
        OSError: the file cannot be opened.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise TrainingError(f"--encoding {encoding} is not known; try utf-8 or gb18030") from None
    # Excel's byte order mark is no part of the first column.
    name = "utf-8-sig" if name == "utf-8" else name
    return path.open(encoding=name, errors="surrogateescape", newline="")


def is_decoded(text: str) -> bool:
    """Whether every byte of `text`, as `open_text` reads it, belonged to the encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong_encoding(path: Path, encoding: str) -> TrainingError:
    """What to say of a file that is in another encoding."""
    other = "gb18030" if encoding.lower().startswith("utf") else "utf-8"
    return TrainingError(f"{path} is not {encoding}; name its encoding, as --encoding {other}")
