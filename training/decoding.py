"""Text files in the encoding that the user names; what is not in it is told, never guessed."""

import codecs
from pathlib import Path
from typing import TextIO

from training.errors import TrainingError

_CHUNK = 1 << 20


def open_text(path: Path, encoding: str) -> TextIO:
    """Open to read; a byte that does not belong becomes a surrogate, see `is_decoded`.

    Raises:
        TrainingError: there is no such encoding, or the file is UTF-8 and another is named: nearly
            any bytes are some Chinese in GB 18030.
        OSError: the file cannot be opened.
    """
    try:
        name = codecs.lookup(encoding).name
        # Excel's byte order mark is no part of the first column.
        name = "utf-8-sig" if name == "utf-8" else name
        file = path.open(encoding=name, errors="surrogateescape", newline="")
    except LookupError:
        raise TrainingError(f"--encoding {encoding} is not known; try utf-8 or gb18030") from None
    if not name.startswith("utf") and _is_utf8(path):
        file.close()
        raise TrainingError(f"{path} is UTF-8, not {encoding}")
    return file


def _is_utf8(path: Path) -> bool:
    """Whether the file is UTF-8 and could be nothing else."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    plain = True
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                plain = plain and chunk.isascii()
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return not plain


def is_decoded(text: str) -> bool:
    """Whether every byte of `text`, as `open_text` reads it, belonged to the encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong_encoding(path: Path, encoding: str) -> TrainingError:
    """What to say of a file that is in another encoding."""
    return TrainingError(
        f"{path} is not {encoding}: name its encoding, as --encoding gb18030 or utf-16 (in a "
        "recipe: encoding)"
    )
