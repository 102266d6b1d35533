"""Log lines: text for people, JSON for machines. Neither holds a user's text."""

import logging
import sys
import time
from functools import lru_cache
from typing import Literal

from pydantic_core import to_json


@lru_cache(maxsize=1)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


class TextFormatter(logging.Formatter):
    """A line for people; the time is UTC."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """ISO 8601, to the millisecond."""
        return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


class JSONFormatter(TextFormatter):
    """One JSON object a line; `extra={"fields": {…}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()


def configure_logging(level: str, form: Literal["text", "json"]) -> None:
    """Send the logs of the process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JSONFormatter()
        if form == "json"
        else TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    # What no line shows is not looked up for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn's own steps of starting and stopping; ours say it in a line.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.root.level))
