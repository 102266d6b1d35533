"""What the repository promises outside its code: imports, image, compose file, Makefile."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]
