"""What the tests share: the released model, loaded once; and no hub is asked."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from models import Classifier

# Read once, when its library is imported; without it each miss is tried again for a minute.
os.environ["HF_HUB_OFFLINE"] = "1"

# A busy machine is no defect of the code.
settings.register_profile("danshi", deadline=None)
settings.load_profile("danshi")

RELEASED = Path(__file__).resolve().parents[1] / "models" / "released"


@pytest.fixture(scope="session")
def released() -> Classifier:
    return Classifier.load(RELEASED)
