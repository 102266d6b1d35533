"""A file that grows by whole rows, and is cut back to them where a write fails."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from service.bulk.records import BulkError, reason


class RowFile:
    """A file to append rows to; it is created if it is not there.

    What is behind the rows to keep is cut by the first `append`, and not before:
    a run that ends without one has lost nothing.
    """

    def __init__(self, path: Path, end: int) -> None:
        """Open `path`, of which the first `end` bytes are kept.

        Raises:
            BulkError: it cannot be written.
        """
        self._path = path
        self._end = end
        try:
            # Unbuffered: what a full disk refuses would be tried, and refused, again by `close`.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise BulkError(f"Cannot write {path}: {reason(error)}.") from error

    def append(self, rows: bytes) -> None:
        """Add whole rows, all or none of them.

        Raises:
            BulkError: they cannot be written.
        """
        left = memoryview(rows)
        try:
            self._file.truncate(self._end)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise BulkError(f"Cannot write {self._path}: {reason(error)}.") from error
        self._end += len(rows)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of `path` with their ends, which the last may lack; none if there is no file.

    Raises:
        BulkError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise BulkError(f"Cannot read {path}: {reason(error)}.") from error


def not_ours(path: Path, row: int) -> BulkError:
    """Why `path` cannot be resumed: a row of it is none that this command writes."""
    return BulkError(
        f"Row {row} of {path} is not a whole row of this command's, and nothing was changed: "
        "give another file, or --force to replace this one."
    )
