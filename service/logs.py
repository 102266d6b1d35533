"""Log lines: text for people, JSON for machines. Neither holds a user's text."""

import json
import logging
import sys
import time
from typing import Literal


class JSONFormatter(logging.Formatter):
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
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, form: Literal["text", "json"]) -> None:
    """Send the logs of the process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = (
        JSONFormatter()
        if form == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn's own steps of starting and stopping; ours say it in a line.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.root.level))
