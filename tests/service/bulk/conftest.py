"""`danshi classify FILE` without its process."""

from pathlib import Path
from typing import Any

import pytest

from models import Classifier
from service.bulk import command
from tests.service.bulk.support import Run


@pytest.fixture
def run(classifier: Classifier, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, up to its exit code, on an engine that needs no time."""

    def run(source: Path, output: Path, **options: Any) -> int:
        given: dict[str, Any] = {
            "column": None, "form": None, "encoding": "utf-8", "resume": False, "force": False,
        }  # fmt: skip
        task = command.plan([str(source)], output, **{**given, **options})
        return task.run(classifier, print)

    return run
