"""One bulk run: rows in, rows with results out, and a Ctrl-C that loses nothing."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from models import Classifier, Result, TextError
from models.stream import classify_stream
from service.bulk.progress import Progress
from service.bulk.records import BulkError, Record
from service.bulk.sinks import Sink, open_sink
from service.bulk.sources import Source


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    rows: int = 0
    wrong: int = 0
    kept: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    hint: str = ""

    def sentence(self, output: Path) -> str:
        """The run in a line."""
        rate = f" ({self.rows / self.seconds:,.0f} a second)" if self.seconds and self.rows else ""
        kept = f", behind {self.kept:,} that were there" if self.kept else ""
        wrong = f"; {self.wrong:,} could not be classified and say why" if self.wrong else ""
        done = f"{self.rows:,} rows in {self.seconds:.1f} s{rate}{kept}{wrong}: {output}"
        return done + (f"\n{self.hint}" if self.hint else "")


def run(
    classifier: Classifier, source: Source, output: Path, form: str, *, resume: bool
) -> Outcome:
    """Classify the rows of `source` into `output`.

    Raises:
        BulkError: the output does not continue the input or cannot be written, or the input
            cannot be read on.
        whatever the engine raises, once what was done before is kept.
    """
    with closing(source), closing(open_sink(output, form, source, resume=resume)) as sink:
        outcome = Outcome(kept=sink.kept)
        begin = time.perf_counter()
        try:
            _classify(classifier, source, sink, outcome)
            sink.finish()
        except Exception as error:
            told = _salvage(sink, outcome)
            if isinstance(error, BulkError):
                raise BulkError(f"{error} {told}".rstrip()) from error
            if told:
                print(f"danshi: {output}: {told}", file=sys.stderr)
            raise
        outcome.seconds = time.perf_counter() - begin
        return outcome


def _classify(classifier: Classifier, source: Source, sink: Sink, outcome: Outcome) -> None:
    """Write row after row, to the end or until it is interrupted."""
    try:
        with _interruptible() as interrupt, Progress(source, sink.kept) as progress:
            for rows in classify_stream(classifier, _items(source, sink, progress)):
                with interrupt.held():
                    sink.write(rows)
                    outcome.rows += len(rows)
                    outcome.wrong += sum(isinstance(said, TextError) for _, said in rows)
                    outcome.hint = outcome.hint or _encoding_hint(source, rows)
                progress.advance(len(rows))
    except KeyboardInterrupt:
        outcome.interrupted = True


def _salvage(sink: Sink, outcome: Outcome) -> str:
    """Keep what was done before a failure; what to tell of it."""
    if not outcome.rows:
        return ""
    if sink.salvage():
        return "What was done before is kept: --resume goes on from there."
    return "Nothing that this run did could be kept."


def _items(
    source: Source, sink: Sink, progress: Progress
) -> Iterator[tuple[Record, str | TextError]]:
    """The rows that are still to do."""
    skipped = 0
    for record in source:
        progress.read += 1
        if skipped < sink.kept:
            skipped += 1
            if skipped == sink.kept and sink.identify(record) != sink.last:
                raise BulkError(
                    f"Row {skipped} of the output is not row {skipped} of the input: "
                    "it belongs to another file and cannot be resumed."
                )
            continue
        yield record, record.text
    if skipped < sink.kept:
        raise BulkError(f"The output has {sink.kept} rows, the input {skipped}: not the same file.")


def _encoding_hint(source: Source, rows: list[tuple[Record, Result | TextError]]) -> str:
    encoding = getattr(source, "encoding", "")
    if encoding.startswith("utf-8") and any(
        isinstance(said, TextError) and "Unicode" in str(said) for _, said in rows
    ):
        return "Some rows are not UTF-8; if the file is not, give --encoding, as gb18030."
    return ""


class _Interrupt:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but never in the middle of a row."""

    def __init__(self) -> None:
        self._holding = self._came = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if not self._holding:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._came:
            raise KeyboardInterrupt


@contextmanager
def _interruptible() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt.handle) for number in signals]
    try:
        yield interrupt
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def report(outcome: Outcome, output: Path) -> None:
    """Tell the user how it went."""
    print(f"danshi: {outcome.sentence(output)}", file=sys.stderr)
    if outcome.interrupted:
        print("danshi: Interrupted; --resume goes on where it stopped.", file=sys.stderr)
