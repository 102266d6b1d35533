"""What the tests of the model share: the released model, loaded once."""

from pathlib import Path

import pytest
from hypothesis import settings

from models import Classifier

# A busy machine is no defect of the code.
settings.register_profile("danshi", deadline=None)
settings.load_profile("danshi")

RELEASED = Path(__file__).resolve().parents[1] / "models" / "released"


@pytest.fixture(scope="session")
def released() -> Classifier:
    return Classifier.load(RELEASED)
