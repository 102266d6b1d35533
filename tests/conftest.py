"""What the tests of the model share: the released model, loaded once."""

from pathlib import Path

import pytest

from models import Classifier

RELEASED = Path(__file__).resolve().parents[1] / "models" / "released"


@pytest.fixture(scope="session")
def released() -> Classifier:
    return Classifier.load(RELEASED)
